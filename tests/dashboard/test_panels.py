"""What stands beside the board: events, details, who else experiments; and how all of it fits into a window."""

import pytest

from seatrial.actions.created_objects import RUN_LABEL
from seatrial.runtime.journal import Journal, RunEntry
from tests.dashboard.conftest import create_pod


async def create_event(control, name, message, *, namespace="default", kind="Normal"):
    about = {"kind": "Pod", "name": "web-1", "namespace": namespace}
    body = {
        "metadata": {"name": name}, "involvedObject": about, "type": kind, "reason": "Testing", "message": message,
        "lastTimestamp": "2030-01-01T12:00:00Z", "firstTimestamp": "2030-01-01T12:00:00Z", "count": 1,
    }  # fmt: skip
    await control.server.api.create("events", body, namespace)


async def test_events_of_the_cluster_flow(screen, control):
    """What components tell stands there at once; a warning is marked."""
    await create_event(control, "one", "all is well")
    await create_event(control, "two", "something is not", kind="Warning")
    await screen.until("· Testing pod/web-1  all is well")
    await screen.until("! Testing pod/web-1  something is not")


async def test_the_events_of_one_namespace(control, nodes, opened):
    """Who looks at one namespace is told of that one, and of what concerns all."""
    await control.server.api.create("namespaces", {"metadata": {"name": "shop"}}, None)
    await create_event(control, "one", "in default")
    await create_event(control, "two", "in shop", namespace="shop")
    async with opened(control.directory / "kubeconfig", namespace="shop") as screen:
        await screen.until("in shop")
        assert "in default" not in screen.shown


async def test_a_text_of_others_can_not_colour_the_screen(screen, control):
    """What an Event says is text: no markup, no control characters."""
    await create_event(control, "one", "[bold]not bold[/bold] \x1b[31mnot red")
    await screen.until("[bold]not bold[/bold] \\u001b[31mnot red")


@pytest.mark.parametrize(("key", "panel"), [("2", "2 Events"), ("3", "3 Recovery"), ("4", "4 Experiments")])
async def test_in_a_narrow_window_a_key_shows_a_panel(screen, key, panel):
    """One panel has all the room; 1 brings the board back."""
    await screen.press(key)
    assert panel in screen.rows[1]
    assert "1 Nodes" not in screen.shown
    assert screen.rows[-2].startswith("╰")
    await screen.press("1")
    assert "1 Nodes" in screen.rows[1]
    assert "2 Events" in screen.shown


async def test_a_wide_window_shows_all_panels(screen):
    """Made wider, the window has them side by side; made narrow again, it looks as before."""
    await screen.until("node-3")
    narrow = [row for row in screen.rows if "│" in row]
    await screen.resize(140, 40)
    await screen.until("4 Experiments")
    assert "1 Nodes" in screen.rows[1]
    assert "3 Recovery" in screen.rows[1]
    assert "2 Events" in screen.shown
    assert max(map(len, screen.rows)) == 140
    await screen.resize(80, 24)
    await screen.until(lambda: "4 Experiments" not in screen.shown)
    assert [row for row in screen.rows if "│" in row] == narrow


async def test_a_window_that_is_too_small_breaks_nothing(screen, control):
    """Of 30 columns and 8 lines it makes what it can."""
    await create_pod(control, "web-1", node="node-1")
    await screen.until("1 pod")
    await screen.resize(30, 8)
    await screen.press("right", "k")
    await screen.until("y do it")
    await screen.press("escape")
    assert max(map(len, screen.rows)) <= 30


async def test_enter_tells_all_about_a_pod(screen, control):
    """The same that the shell's `describe` tells, with what a kill would mean."""
    await create_pod(control, "web-1", node="node-1", app="web")
    await screen.until("1 pod")
    await screen.press("right", "enter")
    await screen.until("Pod default/web-1: Running, 1/1 ready")
    assert "app=web" in screen.shown
    await screen.press("escape")
    assert "Pod default/web-1: Running" not in screen.shown


async def test_enter_tells_all_about_a_node(screen):
    """Where the node itself is chosen."""
    await screen.press("enter")
    await screen.until("Node node-1: Ready, 0 pods")


async def test_the_keys_are_told(screen):
    """`?` lists them, and the marks."""
    await screen.press("question_mark")
    await screen.until("halt every experiment on the cluster")
    assert "✗ failing" in screen.shown


async def test_a_run_of_this_machine_is_seen(control, nodes, opened, tmp_path):
    """Another run on this cluster stands under the experiments, one on another cluster does not."""
    (tmp_path / "state").mkdir()
    journal = await Journal.open(tmp_path / "state")
    await journal.begin(RunEntry(id="other-run", policy="p.yml", seed="1", server=control.server.url))
    await journal.begin(RunEntry(id="elsewhere", policy="p.yml", seed="1", server="https://10.0.0.1:6443"))
    async with opened(control.directory / "kubeconfig", size=(140, 40)) as screen:
        await screen.until("run other-run of p.yml")
        assert "elsewhere" not in screen.shown
    await journal.finish("other-run", "passed")
    await journal.finish("elsewhere", "passed")
    await journal.close()


async def test_what_a_run_of_another_machine_holds_is_seen(control, nodes, opened):
    """A run marks what it changes: the objects tell whose they are at the moment."""
    meta = {"name": "held", "labels": {RUN_LABEL: "run-of-somebody"}}
    await control.server.api.create("configmaps", {"metadata": meta}, "default")
    async with opened(control.directory / "kubeconfig", size=(140, 40)) as screen:
        await screen.until("run run-of-somebody holds 1 object")
        assert "ConfigMap default/held" in screen.shown
