"""Looking at a whole cluster: its machines, what its pods write, and whom goldpinger's instances reach."""

import asyncio
import contextlib
import sys

import pytest

from seatrial.kube.resources import PODS, SERVICES
from tests.shell.conftest import driven_shell
from tests.shell.rows import documented_keys, rows
from tests.shell.terminals import CTRL_C, ENTER, Terminal

# Python 3.12 warns of forks where there are threads; the child executes the program at once.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of forkpty:DeprecationWarning")


@pytest.fixture
async def script(sandbox_shell):
    """The shell as a script drives it: what it reads is the API server's at that moment."""
    sandbox_shell.front.is_interactive = False
    return sandbox_shell


async def test_nodes_are_listed_with_their_machines(script):
    """Where a driver knows the machines under the nodes, their states are there too."""
    found = await rows(script, "nodes")
    assert [each["number"] for each in found] == [1, 2]
    assert {each["machine"] for each in found} == {"UP"}
    assert all(each["status"] == "Ready" and each["machineId"] and each["zone"] and each["version"] for each in found)
    assert sum(each["pods"] for each in found) >= 3
    assert list(found[0]) == documented_keys("nodes")
    await script.do("nodes --sort -name")
    assert script.shell.numbered_nodes == sorted((each["name"] for each in found), reverse=True)


async def test_nodes_are_those_that_a_subset_means(script):
    """By number, name, zone or state, as commands on machines take them; none is no error for one who looks."""
    first, second = await rows(script, "nodes")
    for words in ("1", first["name"], f"zone:{first['zone']}", first["ip"], f"id:{first['machineId']}"):
        await script.do("nodes")
        assert [each["name"] for each in await rows(script, f"nodes {words}")] == [first["name"]], words
    await script.do("nodes")
    assert [each["name"] for each in await rows(script, "nodes 2")] == [second["name"]]
    assert await rows(script, "nodes down") == []
    assert await script.do("nodes nowhere") == 2


async def test_zones_and_groups_tell_which_nodes_are_in_them(script):
    """And how many of them are ready; labels make groups only where they are asked for."""
    nodes = await rows(script, "nodes")
    zones = await rows(script, "zones")
    assert list(zones[0]) == documented_keys("zones")
    assert [each["zone"] for each in zones] == sorted({each["zone"] for each in nodes})
    assert {name for each in zones for name in each["nodes"]} == {each["name"] for each in nodes}
    assert {each["ready"] for each in zones} <= {"1/1", "2/2"}
    (group,) = await rows(script, "groups")
    assert list(group) == documented_keys("groups")
    assert (group["group"], group["ready"], group["nodes"]) == ("workers", "2/2", [each["name"] for each in nodes])
    by_label = {each["group"]: each["nodes"] for each in await rows(script, "groups --labels")}
    assert by_label["kubernetes.io/os=linux"] == group["nodes"]


async def test_a_killed_pod_is_gone_in_the_list_and_its_replacement_in_the_next(script):
    """A script reads what is, as soon as the command before has ended."""
    before = await rows(script, "pods default app=goldpinger")
    assert await script.do("kill 1 --force --yes") == 0
    again = await rows(script, "cached_pods")
    assert [(each["gone"], each["uid"]) for each in again] == [(each["number"] == 1, each["uid"]) for each in before]
    after = await rows(script, "pods_for_deployment default goldpinger")
    assert len(after) == 3
    assert {each["ready"] for each in after} == {"1/1"}
    assert {each["owner"] for each in after} == {"Deployment/goldpinger"}
    assert before[0]["uid"] not in {each["uid"] for each in after}


async def test_a_pod_is_described_with_what_a_kill_would_mean(script):
    """The same words as the plan of a kill."""
    await script.do("pods default app=goldpinger")
    script.forget()
    assert await script.do("describe 1") == 0
    assert "leaves  2 of 3 Ready pods of Deployment/goldpinger in default until it replaces 1" in script.shown
    assert "goldpinger  ClusterIP 8080/TCP: it gets traffic" in script.shown
    assert "Scheduled: " in script.shown
    script.forget()
    assert await script.do("describe service goldpinger; describe deploy/goldpinger") == 0
    assert "Service default/goldpinger: ClusterIP, traffic goes to 3 pods" in script.shown
    assert "Deployment default/goldpinger: 3 of 3 pods ready" in script.shown


async def written_by(script, name, *, program, **more):
    """A pod whose containers run a line of the shell each; it is there until the test's end."""
    containers = [{"name": each, "image": "busybox", "command": ["sh", "-c", line]} for each, line in program.items()]
    spec = {"containers": containers, "restartPolicy": "Never", "terminationGracePeriodSeconds": 0}
    cluster = script.session.context.cluster
    await cluster.create(PODS, {"metadata": {"name": name, **more}, "spec": spec}, namespace="default")


async def phase_is(script, name, *phases):
    """Return when a pod is in one of these phases."""
    cluster = script.session.context.cluster
    async with (
        asyncio.timeout(60),
        cluster.watch(PODS, namespace="default", field_selector=f"metadata.name={name}") as watch,
    ):
        if any(each["status"].get("phase") in phases for each in watch.snapshot):
            return
        async for event in watch:
            if event.object["status"].get("phase") in phases:
                return


async def test_logs_are_the_last_lines_that_a_container_wrote(script):
    """Of the first container, unless another is named; what is asked for may be less, or all."""
    lines = "for i in 1 2 3; do echo line $i; done; printf '\\033[31mred\\033[0m \\007'"
    await written_by(script, "talker", program={"main": lines, "quiet": "exit 0"})
    await phase_is(script, "talker", "Succeeded")
    script.forget()
    assert await script.do("logs talker") == 0
    assert script.shown.splitlines() == ["line 1", "line 2", "line 3", r"red \u0007"]
    assert "container main; -c shows others: quiet" in script.errors
    script.forget()
    assert await script.do("logs talker --tail 2; logs default/talker -c quiet --tail all") == 0
    assert script.shown.splitlines() == ["line 3", r"red \u0007"]
    assert "quiet has written nothing" in script.errors


async def test_what_has_no_logs_says_why(script):
    """A container that isn't there, a time that is none, a container that never ran before."""
    await written_by(script, "once", program={"main": "echo hello"})
    await phase_is(script, "once", "Succeeded")
    for line, code, words in (
        ("logs once -c other", 2, "the pod has no container 'other'; it has main"),
        ("logs once --since yesterday", 2, "is no span of time"),
        ("logs once --tail some", 2, "neither a number of lines nor 'all'"),
        ("logs once -f -p", 2, "--follow goes without --previous"),
        ("logs once --previous", 3, "previous terminated container"),
        ("logs nobody", 2, "there is no pod default/nobody"),
    ):
        script.forget()
        assert await script.do(line) == code, line
        assert words in script.errors, line


def hears(script):
    """An event for the next line that is shown."""
    heard, line = asyncio.Event(), script.output.line

    def line_and_tell(text, style=""):
        line(text, style)
        heard.set()

    script.output.line = line_and_tell
    return heard


async def test_logs_are_followed_until_the_container_ends(script):
    """Each line as it comes, and the last one too."""
    await written_by(script, "counter", program={"main": "echo first; until [ -e go ]; do sleep 0.05; done; echo last"})
    await phase_is(script, "counter", "Running")
    script.forget()
    heard = hears(script)
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        following = tasks.create_task(script.do("logs counter -f"))
        await heard.wait()
        assert script.shown == "first\n"
        await script.session.context.cluster.exec("counter", namespace="default", command=["touch", "go"])
    assert following.result() == 0
    assert script.shown == "first\nlast\n"


async def test_following_ends_when_it_is_cancelled(script):
    """Ctrl-C leaves the pod as it is, and the shell goes on."""
    await written_by(script, "forever", program={"main": "echo here; sleep 600"})
    await phase_is(script, "forever", "Running")
    script.forget()
    heard = hears(script)
    following = asyncio.create_task(script.do("logs forever -f"))
    async with asyncio.timeout(60):
        await heard.wait()
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following
    script.forget()
    assert await script.do("logs forever --since 10m") == 0
    assert script.shown == "here\n"


async def test_the_mesh_is_found_by_itself_and_drawn(script):
    """Whom each instance reaches, and how fast; it says by which way it asked."""
    async with asyncio.timeout(60):
        found = await rows(script, "mesh")
        # Right after a kill an instance may not know all others yet.
        while len(found["calls"]) != 9 or found["failed"]:
            found = await rows(script, "mesh")
    assert (found["namespace"], found["service"], found["port"]) == ("default", "goldpinger", 8080)
    assert len(found["instances"]) == 3
    assert {call["from"] for call in found["calls"]} == {call["to"] for call in found["calls"]}
    assert all(call["ok"] and call["ms"] >= 0 for call in found["calls"])
    script.forget()
    assert await script.do("mesh goldpinger default") == 0
    assert "goldpinger at default/goldpinger, by " in script.shown
    assert script.shown.count("✓") == 1 + 9


async def test_where_nobody_can_know_which_mesh_it_is_said(script):
    """No Service, several, or one that is no goldpinger."""
    cluster = script.session.context.cluster
    assert await script.do("mesh nothing") == 2
    assert "there is no Service 'nothing' in namespace default" in script.errors
    assert await script.do("mesh goldpinger nowhere") == 2
    assert await script.do("mesh kubernetes default") == 3
    spec = {"selector": {"app": "goldpinger"}, "ports": [{"port": 8080}]}
    created = await cluster.create(SERVICES, {"metadata": {"name": "second"}, "spec": spec}, namespace="default")
    try:
        assert await script.do("mesh") == 2
        assert "2 Services lead to goldpinger: default/goldpinger, default/second" in script.errors
    finally:
        await cluster.delete(SERVICES, "second", namespace="default", uid=created["metadata"]["uid"])


async def test_in_plain_mode_the_mesh_is_told_in_words(sandbox, tmp_path):
    """Nothing is drawn that can't be read aloud."""
    async with driven_shell(sandbox.kubeconfig, tmp_path / "state", plain=True) as plain:
        assert await plain.do("mesh") == 0
        assert "slowest: goldpinger-" in plain.shown
        assert plain.shown.isascii()


@contextlib.asynccontextmanager
async def window_on(sandbox, state, *, lines=24):
    """A person's shell on that sandbox in a terminal of 80 columns."""
    environ = {"HOME": str(state), "LANG": "C.UTF-8", "SEATRIAL_STATE_DIR": str(state)}
    command = [sys.executable, "-m", "seatrial", "interactive", "--kubeconfig", str(sandbox.kubeconfig), "--no-pager"]
    async with Terminal(command, environ=environ, lines=lines) as window:
        await window.at_prompt()
        yield window


async def test_a_table_uses_the_window_that_it_has(sandbox, tmp_path):
    """Eighty columns show what matters most, in colour; a wide window everything."""
    async with window_on(sandbox, tmp_path) as window:
        window.type("pods default app=goldpinger" + ENTER)
        await window.until("Running")
        await window.at_prompt()
        heading = next(row for row in window.rows if "NAME" in row)
        assert heading.split() == ["#", "NAME", "READY", "STATUS", "RESTARTS", "AGE", "NODE"]
        assert window.colour_of("Running")[0] == "green"
        window.resize(columns=140, lines=24)
        window.type("pods default app=goldpinger" + ENTER)
        await window.until("OWNER")
        await window.at_prompt()
        (*_, heading) = [row for row in window.rows if "NAME" in row]
        assert heading.split() == ["#", "NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE", "OWNER", "ZONE"]


async def test_ctrl_c_ends_the_following_of_logs(sandbox, tmp_path):
    """One is back at the prompt, with what was written so far on the screen."""
    async with window_on(sandbox, tmp_path) as window:
        window.type("pods default app=goldpinger" + ENTER)
        await window.until("Running")
        await window.at_prompt()
        window.type("logs 1 -f" + ENTER)
        await window.until("goldpinger listens on")
        await window.command_running()
        window.type(CTRL_C)
        await window.at_prompt()
        window.type("namespaces" + ENTER)
        await window.until("kube-system")
