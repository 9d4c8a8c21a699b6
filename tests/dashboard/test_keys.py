"""What keys do to the cluster: shown first, asked for, done through the session, and taken back."""

import asyncio

import pytest

from seatrial.dashboard.dialogs.leave import Leaving
from seatrial.engine.halt_mark import own_mark, read_mark, set_mark
from seatrial.kube.resources import NODES, PODS
from seatrial.runtime.guardrails import Guardrails
from tests.dashboard.conftest import create_pod, let_see


async def is_cordoned(control, name="node-1"):
    return bool((await control.cluster.get(NODES, name))["spec"].get("unschedulable"))


async def is_going(control, name="web-1"):
    pod = await control.cluster.get(PODS, name, namespace="default")
    return bool(pod["metadata"].get("deletionTimestamp"))


async def choose_pod(screen, control, name="web-1", **labels):
    """A pod on node-1, chosen."""
    await create_pod(control, name, node="node-1", **labels)
    await screen.until("1 pod")
    await screen.press("right")
    assert f"default/{name}" in screen.shown


async def cordon_node_1(screen):
    await screen.press("c")
    await screen.until("cordon node-1?")
    await screen.press("y")
    await screen.until("1 to undo")


async def test_a_kill_shows_what_it_would_hit_and_asks(screen, control):
    """The plan stands there before the question, as the shell shows it; who answers y has that pod killed."""
    await choose_pod(screen, control)
    await screen.press("k")
    await screen.until("kill default/web-1?")
    assert "would hit    default/web-1 on node-1" in screen.shown
    assert "default/web-1 has no controller: nothing replaces it" in " ".join(screen.shown.replace("│", " ").split())
    assert not await is_going(control)
    await screen.press("y")
    await screen.until("killed default/web-1, gracefully")
    assert await is_going(control)


async def test_a_kill_at_once_says_so(screen, control):
    """`K` leaves the pod no grace period, and the question tells."""
    await choose_pod(screen, control)
    await screen.press("K")
    await screen.until("kill default/web-1 at once?")
    await screen.press("y")
    await screen.until("0 pods")
    assert await control.pod_names() == []


@pytest.mark.parametrize("key", ["n", "enter", "escape", "k", "x"])
async def test_no_other_key_than_y_is_a_yes(screen, control, key):
    """Enter least of all."""
    await choose_pod(screen, control)
    await screen.press("k")
    await screen.until("kill default/web-1?")
    await screen.press(key)
    if "kill default/web-1?" in screen.shown:  # a key that means nothing there
        await screen.press("escape")
    assert "kill default/web-1?" not in screen.shown
    assert not await is_going(control)
    assert screen.session.deeds == []


async def test_without_a_pod_nothing_is_killed(screen, control):
    """On a node's own place `k` says what to do first."""
    await create_pod(control, "web-1", node="node-1")
    await screen.until("1 pod")
    await screen.press("k")
    assert "choose a pod first" in screen.said
    assert not await is_going(control)


async def test_a_key_pressed_twice_is_one_question(screen, control):
    """However slow the API server is with the plan."""
    await choose_pod(screen, control)
    await screen.press("k", "k", "k")
    await screen.until("kill default/web-1?")
    await screen.press("escape")
    await asyncio.sleep(0)
    assert "kill default/web-1?" not in screen.shown


async def test_production_wants_its_name_in_full(control, nodes, opened):
    """A letter is no answer there; what is not the whole name kills nothing, the name does."""
    async with opened(control.directory / "kubeconfig", production_pattern="*") as screen:
        await choose_pod(screen, control)
        assert "PRODUCTION" in screen.rows[0]
        await screen.press("k")
        await screen.until("is production")
        await screen.type("y")
        await screen.press("enter")
        await screen.until("that is not its name")
        assert not await is_going(control)
        await screen.type(screen.session.context.cluster.context_name)
        await screen.press("enter")
        await screen.until("killed default/web-1")
        assert await is_going(control)


async def test_what_a_guardrail_forbids_is_not_asked(control, nodes, opened):
    """The reason stands there, and what would allow it; y does nothing."""
    async with opened(control.directory / "kubeconfig", guardrails=Guardrails(most_pods=0)) as screen:
        await choose_pod(screen, control)
        await screen.press("k")
        await screen.until("refused: nothing is done")
        assert "REFUSED" in screen.shown
        assert "another --max-pods" in screen.shown
        await screen.press("y", "escape")
        assert not await is_going(control)


async def test_a_plan_that_has_changed_meanwhile_is_shown_again(screen, control):
    """Between the plan and the answer a pod came to the node: the answer was to another plan, so it is asked anew."""
    await create_pod(control, "web-1", node="node-1")
    await screen.until("1 pod")
    await screen.press("d")
    await screen.until("drain node-1")
    text = screen.shown
    await create_pod(control, "web-2", node="node-1")
    await screen.press("y")
    await screen.until(lambda: screen.shown != text)
    assert not await is_cordoned(control)


async def test_a_key_that_is_still_held_does_not_answer_what_is_asked_again(screen, control):
    """It repeats by itself; only who lets go of it and presses it once more has read the other plan."""
    await create_pod(control, "web-1", node="node-1", owner="web")
    await screen.until("1 pod")
    await screen.press("d")
    await screen.until("drain node-1?")
    await create_pod(control, "web-2", node="node-1", owner="web")
    await screen.press("y")
    await screen.until("the cluster has changed meanwhile")
    await screen.press(*"yyyyy")
    assert "drain node-1?" in screen.shown
    assert screen.session.deeds == []
    await screen.until(lambda: not screen.app.screen.is_deaf)
    await screen.press("y")
    await screen.until("⊘ cordoned")


async def test_a_node_is_cordoned_and_the_last_deed_undone(screen, control):
    """What stands is counted in the first line; `u` takes it back."""
    await cordon_node_1(screen)
    assert await is_cordoned(control)
    await screen.press("u")
    await screen.until("undone: cordon node-1")
    await screen.until("nothing to undo")
    assert not await is_cordoned(control)


async def test_everything_is_undone(screen, control):
    """`U` takes back all that stands, last first."""
    await cordon_node_1(screen)
    await screen.press("down", "c")
    await screen.until("cordon node-2?")
    await screen.press("y")
    await screen.until("2 to undo")
    await screen.press("U")
    await screen.until("nothing to undo")
    assert not await is_cordoned(control)
    assert not await is_cordoned(control, "node-2")


async def test_with_nothing_done_undo_says_so(screen):
    """No dialog, no error."""
    await screen.press("u")
    await screen.until("there is nothing to take back")


async def test_a_machine_that_nobody_can_reach_is_refused(screen):
    """Without a driver for machines `s` says which would be needed."""
    await screen.press("s")
    await screen.until("machines can't be stopped")


async def test_quitting_asks_while_something_stands(screen, control):
    """Escape stays; nothing is undone by asking."""
    await cordon_node_1(screen)
    await screen.press("q")
    await screen.until("↶ cordon node-1")
    await screen.press("escape")
    assert screen.app.is_running
    assert await is_cordoned(control)


@pytest.mark.parametrize(("keys", "how"), [("enter", Leaving.UNDO), ("k", Leaving.KEEP), ("ctrl+c", Leaving.UNDO)])
async def test_who_quits_says_what_becomes_of_it(screen, keys, how):
    """Take it back and quit, or quit and keep; Ctrl-C once more means the first."""
    await cordon_node_1(screen)
    await screen.press("ctrl+c")
    await screen.until("↶ cordon node-1")
    await screen.press(keys)
    await screen.until(lambda: not screen.app.is_running)
    assert screen.app.return_value is how


async def test_quitting_with_nothing_done_asks_nothing(screen):
    """There is nothing to lose."""
    await screen.press("q")
    await screen.until(lambda: not screen.app.is_running)
    assert screen.app.return_value is Leaving.UNDO


async def test_a_halt_stops_every_experiment_this_one_too(screen, control):
    """`H` asks why, sets the mark, and what stands is taken back; until `R` nothing more can be done."""
    await cordon_node_1(screen)
    await screen.press("H")
    await screen.until("Halt every experiment")
    await screen.type("incident 7")
    await screen.press("enter")
    await screen.until("■ HALTED")
    await screen.until("nothing to undo")
    assert not await is_cordoned(control)
    assert (await read_mark(control.cluster, namespace="default")).reason == "incident 7"
    await screen.press("c")
    await screen.until("nothing is done: experiments are halted by")
    assert "R lifts the halt" in screen.said
    assert "cordon node-1?" not in screen.shown
    await screen.press("R")
    await screen.until("let experiments run again?")
    assert "incident 7" in screen.shown
    await screen.press("y")
    await screen.until(lambda: "HALTED" not in screen.rows[0])
    assert await read_mark(control.cluster, namespace="default") is None


async def test_a_halt_by_somebody_else_is_seen(screen, control):
    """The first line says so at once, and the panel of experiments who it was."""
    await set_mark(control.cluster, own_mark("somebody's incident"), namespace="default")
    await screen.until("■ HALTED")
    await screen.press("4")
    await screen.until("somebody's incident")


async def test_who_turns_away_from_a_halt_halts_nothing(screen, control):
    """Escape sets no mark."""
    await screen.press("H")
    await screen.until("Halt every experiment")
    await screen.press("escape")
    assert await read_mark(control.cluster, namespace="default") is None


async def test_what_is_being_done_can_be_given_up(screen, control):
    """A drain that waits for its pods ends with `x`, and what it did is taken back."""
    api = control.server.api
    meta = {"name": "held", "finalizers": ["example.com/held"], "ownerReferences": [
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "1", "controller": True}]}  # fmt: skip
    spec = {"containers": [{"name": "c", "image": "busybox"}], "nodeName": "node-1"}
    await api.create("pods", {"metadata": meta, "spec": spec}, "default")
    await screen.until("1 pod")
    await screen.press("d")
    await screen.until("drain node-1?")
    await screen.press("y")
    await screen.until("at work")
    await screen.until("⊘ cordoned")
    await screen.press("x")
    await screen.until("stopped: drain node-1")
    await screen.until(lambda: "cordoned" not in screen.row("node-1"))
    assert not await is_cordoned(control)


async def test_who_may_not_break_anything_is_told_so(control, nodes, opened):
    """What is missing stands in the plan, and nothing is asked; what the API server refuses is said in a line."""
    await let_see(control, "viewer", "nodes", "pods", "events", "configmaps")
    async with opened(control.directory / "viewer.kubeconfig") as screen:
        await screen.until("3 of 3 Ready")
        await screen.press("c")
        await screen.until("a permission is missing: nothing is done")
        assert "FORBIDDEN" in screen.shown
        await screen.press("y", "escape", "H")
        await screen.until("Halt every experiment")
        await screen.press("enter")
        await screen.until(lambda: "forbidden" in screen.said)
        assert screen.app.is_running
    assert not await is_cordoned(control)
