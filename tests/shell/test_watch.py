"""`watch`: changes as lines, in the background of a prompt and in the foreground of a script."""

import asyncio
import json

import pytest

from seatrial.by_hand.live.changes import Telling
from seatrial.by_hand.live.kind import Change
from seatrial.kube.reduction import Reduced
from seatrial.kube.resources import PODS
from seatrial.shell.watching import Watching
from tests.by_hand.live.conftest import grant, until  # noqa: F401 -- a fixture
from tests.shell.conftest import DrivenShell, driven_shell
from tests.shell.rows import documented_keys
from tests.shell.terminals import ENTER
from tests.shell.test_prompt import windows  # noqa: F401 -- a fixture


async def set_phase(control, name, phase, namespace="default"):
    await control.server.api.patch("pods", name, namespace, {"status": {"phase": phase}}, subresource="status")


async def started(shell: DrivenShell, line: str, *, says: str) -> asyncio.Task[int]:
    """A command that goes on, once it has said that."""
    task = asyncio.create_task(shell.do(line))
    await until(lambda: says in shell.errors or task.done())
    return task


async def stopped(task: asyncio.Task[int]) -> None:
    task.cancel()
    await asyncio.wait({task})


async def test_changes_are_told_while_other_commands_go_on(shell, control):
    """One line a change, from when it is asked for; without a kind those of pods and nodes."""
    await control.create_pods("old")
    assert await shell.do("watch") == 0
    assert "watching nodes; pods in default" in shell.errors
    await control.create_pods("web-1")
    await set_phase(control, "web-1", "Running")
    await control.server.api.create("nodes", {"metadata": {"name": "node1"}})
    await until(lambda: "node node1: new" in shell.shown)
    assert await shell.do("use") == 0
    await until(lambda: "web-1: Pending → Running" in shell.shown)
    assert "pod default/web-1: new, Pending\n" in shell.shown
    assert "old" not in shell.shown


async def test_only_the_namespace_that_was_asked_for_is_watched(shell, control):
    """One, those of a glob, or all."""
    for name in ("shop", "shop-b", "other"):
        await control.server.api.create("namespaces", {"metadata": {"name": name}})
    assert await shell.do("watch pods --namespace 'shop*'") == 0
    await control.create_pods("a", namespace="other")
    await control.create_pods("b", namespace="shop")
    await control.create_pods("c", namespace="shop-b")
    await until(lambda: "shop-b/c: new" in shell.shown)
    assert shell.shown.count("new") == 2
    assert await shell.do("watch pods --all") == 0
    await control.create_pods("d", namespace="other")
    await until(lambda: "other/d: new" in shell.shown)


async def test_watching_ends_when_it_is_told_to(shell, control):
    """A kind, or all; what is watched besides goes on."""
    assert await shell.do("watch pods services; watch pods --off") == 0
    assert "watching services in default" in shell.shown
    await control.create_pods("a")
    spec = {"spec": {"ports": [{"port": 80}]}}
    await control.server.api.create("services", {"metadata": {"name": "web"}, **spec}, "default")
    await until(lambda: "service default/web: new" in shell.shown)
    assert "default/a" not in shell.shown
    assert await shell.do("watch --off") == 0
    assert "nothing is watched any more" in shell.shown
    assert await shell.do("watch --off") == 0
    assert "nothing is watched\n" in shell.shown


async def test_it_ends_with_the_shell(control, tmp_path):
    """Nothing is told while what was done is taken back."""
    async with driven_shell(control.directory / "kubeconfig", tmp_path / "state") as driven:
        await driven.do("watch pods")
        assert driven.shell.watching.places == {"pods": "default"}
    assert driven.shell.watching.places == {}
    driven.forget()
    await control.create_pods("a")
    assert driven.shown == ""


async def test_a_kind_is_called_as_one_calls_it(shell):
    """In the plural or the singular; another word is wrong usage."""
    assert await shell.do("watch pod") == 0
    assert await shell.do("watch nonsense") == 2
    assert "nonsense" in shell.errors


async def test_a_script_waits_so_long_and_ends(shell, control):
    """`--for` seconds; what happens meanwhile is told."""
    shell.front.is_interactive = False
    watching = await started(shell, "watch pods --for 0.5", says="watching")
    await control.create_pods("a")
    assert await watching == 0
    assert "pod default/a: new, Pending" in shell.shown
    shell.forget()
    await control.create_pods("b")
    await until(lambda: shell.shell.live.pods.get("default", "b") is not None)
    assert shell.shown == ""


async def test_a_script_without_an_end_waits_for_ctrl_c(shell, control):
    """And is told nothing more after it."""
    shell.front.is_interactive = False
    watching = await started(shell, "watch pods", says="watching")
    await control.create_pods("a")
    await until(lambda: "default/a" in shell.shown)
    assert not watching.done()
    await stopped(watching)
    await control.create_pods("b")
    await until(lambda: shell.shell.live.pods.get("default", "b") is not None)
    assert "default/b" not in shell.shown


async def test_programs_are_told_in_lines_of_json(shell, control):
    """Each change, however many there are."""
    shell.front.is_interactive = False
    watching = await started(shell, "watch pods -o json", says="watching")
    await control.create_pods(*(f"web-{number:02}" for number in range(30)))
    await until(lambda: shell.shown.count("\n") == 30)
    await stopped(watching)
    first = json.loads(shell.shown.splitlines()[0])
    assert list(first) == documented_keys("watch")
    assert {key: first[key] for key in ("change", "kind", "namespace", "name", "about", "words")} == {
        "change": "ADDED", "kind": "pod", "namespace": "default", "name": "web-00",
        "about": "pod default/web-00", "words": "new, Pending",
    }  # fmt: skip


async def test_what_may_not_be_watched_is_said(shell, control):
    """The command fails with the server's words, and nothing is watched."""
    assert await shell.do("watch pods --namespace nope") == 2
    assert "there is no namespace 'nope'" in shell.errors


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of forkpty:DeprecationWarning")
async def test_changes_stand_above_what_is_being_typed(windows, control):  # noqa: F811 -- the fixture
    """What was typed so far stays as it is, and can be gone on with."""
    async with windows.open() as window:
        await window.until("namespace default")
        await window.at_prompt()
        window.type("watch pods" + ENTER)
        await window.until("watching pods in default")
        await window.at_prompt()
        window.type("use xy")
        await window.at_prompt("use xy")
        await control.create_pods("web-1")
        await window.until("pod default/web-1: new, Pending")
        await window.at_prompt("use xy")
        window.type("z")
        await window.at_prompt("use xyz")


async def test_in_the_background_it_is_told_for_people(shell):
    """Lines of JSON above a prompt are for nobody."""
    assert await shell.do("watch pods -o json") == 2
    assert "--for" in shell.errors


async def test_a_script_is_told_that_it_does_not_see_everything(control, tmp_path, grant):  # noqa: F811 -- the fixture
    """Who may see one namespace and watches all is told so, with or without a terminal."""
    await control.connect_as("jane")
    await grant("jane", "pods", namespace="default")
    async with driven_shell(control.directory / "jane.kubeconfig", tmp_path / "state") as jane:
        jane.front.is_interactive = False
        assert await jane.do("watch pods --all --for 0.05") == 0
        assert "only namespace default is looked at: pods is forbidden" in jane.errors


async def test_who_has_nobody_to_tell_ends(shell, control, monkeypatch):
    """As `watch | head` does; the live view goes on for others."""
    shell.front.is_interactive = False

    def gone(*_args, **_more):
        raise BrokenPipeError

    watching = await started(shell, "watch pods", says="watching")
    with monkeypatch.context() as patch:
        patch.setattr(shell.output, "line", gone)
        await control.create_pods("a")
        with pytest.raises(BrokenPipeError):
            await asyncio.wait_for(watching, 30)
    await control.create_pods("b")
    await until(lambda: shell.shell.live.pods.get("default", "b") is not None)
    assert "default/b" not in shell.shown


class Pods:
    """A kind that changes when a test says so."""

    resource = PODS

    def __init__(self) -> None:
        self.listeners = []
        self.is_current = True
        self.seconds_behind = 0.0
        self.problem = ""

    def subscribe(self, listener):
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def come(self, *names):
        for name in names:
            item = _Thing(namespace="default", name=name, uid=name, version="1")
            for listener in [*self.listeners]:
                listener(Change("ADDED", item, None))


class _Thing(Reduced, frozen=True, kw_only=True):
    kind = "Pod"


@pytest.mark.looptime
async def test_of_very_many_changes_it_is_told_how_many_they_were():
    """Ten lines a second, then a sum; of an object that changed often it counts one."""
    pods, lines = Pods(), []
    watching = Watching(lambda telling, _change: lines.append(str(telling)), lines.append)
    watching.begin(pods, "")
    pods.come(*(f"web-{number}" for number in range(250)), "web-249")
    assert lines == [f"pod default/web-{number}: new" for number in range(10)]
    await asyncio.sleep(1.5)
    assert lines[10:] == ["… and 240 more pods changed"]
    pods.come("db-0")
    assert lines[11:] == [str(Telling("pod default/db-0", "new"))]
    await asyncio.sleep(10)
    assert len(lines) == 12


@pytest.mark.looptime
async def test_what_was_too_much_is_summed_up_also_at_the_end():
    """Whoever ends it is told what was left out."""
    pods, lines = Pods(), []
    watching = Watching(lambda telling, _change: lines.append(str(telling)), lines.append)
    watching.begin(pods, "")
    pods.come(*(f"web-{number}" for number in range(11)))
    watching.end()
    assert lines[10:] == ["… and 1 more pod changed"]
    pods.come("db-0")
    await asyncio.sleep(5)
    assert len(lines) == 11


@pytest.mark.looptime
async def test_where_nothing_can_be_seen_that_is_told():
    """Once, and again when it can be: silence would mean that nothing happens."""
    pods, lines = Pods(), []
    watching = Watching(lambda telling, _change: lines.append(str(telling)), lines.append)
    watching.begin(pods, "")
    await asyncio.sleep(5)
    assert lines == []
    pods.is_current, pods.seconds_behind = False, 4.0
    await asyncio.sleep(5)
    assert lines == ["pods: nothing is seen since 4 s, the API server is away"]
    pods.is_current = True
    await asyncio.sleep(5)
    assert lines[1:] == ["pods: seen again"]
    pods.is_current, pods.problem = False, "pods is forbidden"
    await asyncio.sleep(5)
    assert lines[2:] == ["pods: nothing is seen since 4 s, pods is forbidden"]
    watching.end()
    pods.is_current = True
    await asyncio.sleep(5)
    assert len(lines) == 3
