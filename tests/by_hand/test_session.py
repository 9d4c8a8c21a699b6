"""A session by hand: what is done stands until it is undone, and is undone whatever happens."""

import asyncio

import pytest

from seatrial.actions.created_objects import deletion_of
from seatrial.actions.node_shell_pods import DELETE_SHELL_POD
from seatrial.by_hand.deeds import Standing
from seatrial.by_hand.orders import Order
from seatrial.errors import Halted, Interrupted, UsageError
from seatrial.kube.client import connect
from seatrial.runtime.events import UndoFailed, UndoWritten, Where
from seatrial.runtime.undo import Undo
from seatrial.runtime.verdict import Verdict
from tests.by_hand.conftest import WAIT, cordon_order, opened, scale_order
from tests.by_hand.wire import Wire

_LIMIT_SECONDS = 30


async def until(is_so):
    """Return when it is so."""
    async with asyncio.timeout(_LIMIT_SECONDS):
        while not is_so():  # noqa: ASYNC110 -- nobody tells
            await asyncio.sleep(0.01)


async def scaled_and_waiting(bench):
    """A deed that has scaled `web` and waits for its pods."""
    doing = asyncio.create_task(bench.session.do(scale_order(5)))
    await until(lambda: any(_is_to_scale_back(each.event) for each in bench.records))
    return doing


def _is_to_scale_back(event):
    return isinstance(event, UndoWritten) and event.description.startswith("scale ")


@pytest.fixture
async def far(control, world, tmp_path):
    """A session whose way to the API server can be cut."""
    async with (
        Wire.to(control.directory / "kubeconfig") as (wire, kubeconfig),
        await connect(kubeconfig=kubeconfig) as cluster,
        opened(tmp_path, cluster) as bench,
    ):
        bench.wire = wire
        yield bench


async def test_what_was_done_stands_until_it_is_undone_last_first(bench, cordoned):
    """Undo takes back the last thing that stands, and no more."""
    for name in ("a", "b"):
        await bench.session.do(cordon_order(name))
    assert [deed.standing for deed in bench.session.deeds] == [Standing.STANDS] * 2
    undone = await bench.session.undo_last()
    assert (undone.number, undone.standing, await cordoned()) == (2, Standing.UNDONE, ["a"])
    assert [deed.number for deed in await bench.session.undo_all()] == [1]
    assert (await cordoned(), await bench.open_undos(), await bench.session.undo_last()) == ([], [], None)


async def test_what_changes_nothing_is_for_good(bench):
    """A wait, and a step that found nothing to do, leave nothing to take back."""
    await bench.session.do(WAIT)
    nothing = await bench.session.do(scale_order(3))
    assert nothing.outcome.verdict is Verdict.INCONCLUSIVE
    assert [deed.standing for deed in bench.session.deeds] == [Standing.FOR_GOOD] * 2
    assert await bench.session.undo_last() is None


async def test_undo_of_a_number_says_what_goes_first(bench, cordoned):
    """Changes are taken back in the reverse order, or the earlier one would not find what it left."""
    for name in ("a", "b", "c"):
        await bench.session.do(cordon_order(name))
    with pytest.raises(UsageError, match="goes first: 3, 2"):
        await bench.session.undo(1)
    assert await cordoned() == ["a", "b", "c"]
    await bench.session.undo(3)
    await bench.session.undo(2)
    await bench.session.undo(1)
    assert await cordoned() == []


@pytest.mark.parametrize(("number", "words"), [(0, "there is no 0"), (2, "there is no 2"), (1, "for good")])
async def test_undo_of_what_can_t_be_undone_is_wrong_usage(bench, number, words):
    """Nobody did that, or it changed nothing."""
    await bench.session.do(WAIT)
    with pytest.raises(UsageError, match=words):
        await bench.session.undo(number)


async def test_a_change_over_a_change_of_the_same_object_is_taken_back_to_the_start(bench, control, replicas):
    """Two deeds change one field: undoing both leaves what was there before the session."""
    step = {"scale": {**scale_order(5).step["scale"], "wait": False}}
    await bench.session.do(Order(title="up", step=step))
    await bench.session.do(Order(title="down", step={"scale": {**step["scale"], "replicas": 1}}))
    assert await replicas() == 1
    await bench.session.undo_last()
    assert await replicas() == 5
    await bench.session.undo_last()
    assert await replicas() == 3
    labels = (await control.server.api.get("deployments.apps", "web", "default"))["metadata"].get("labels")
    assert not labels


# Stopped in the middle


async def test_what_is_stopped_in_the_middle_is_taken_back(bench, replicas, cordoned):
    """Who stops a command has nothing of it left, and everything that was done before."""
    await bench.session.do(cordon_order("a"))
    doing = await scaled_and_waiting(bench)
    doing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await doing
    deed = bench.session.deeds[1]
    assert (deed.standing, deed.outcome.reasons) == (Standing.UNDONE, ("stopped",))
    assert (await replicas(), await cordoned()) == (3, ["a"])
    await bench.session.do(cordon_order("b"))
    assert await cordoned() == ["a", "b"]


async def test_who_stops_twice_is_in_a_hurry(far, monkeypatch):
    """While the API server is away undo would try on for minutes; the second time it gives up soon, and says so."""
    monkeypatch.setattr("seatrial.engine.unwind.HURRIED_DEADLINE_SECONDS", 0.1)
    doing = await scaled_and_waiting(far)
    far.wire.cut()
    doing.cancel()
    await until(lambda: far.wire.refused)
    assert not doing.done()
    doing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await doing
    [deed] = far.session.deeds
    assert deed.standing is Standing.NOT_UNDONE
    assert await far.open_undos() == ["scale Deployment default/web back to 3"]


async def test_an_undo_that_is_stopped_goes_on_to_its_end(bench, cordoned):
    """The caller learns that it was cancelled; what was undone is undone."""
    await bench.session.do(cordon_order("a"))
    undoing = asyncio.create_task(bench.session.undo_all())
    await asyncio.sleep(0)
    undoing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await undoing
    assert (await cordoned(), bench.session.deeds[0].standing) == ([], Standing.UNDONE)


async def test_an_undo_that_is_stopped_twice_is_hurried_and_the_next_one_is_not(far, monkeypatch, cordoned):
    """A hurry is over with what was hurried."""
    monkeypatch.setattr("seatrial.engine.unwind.HURRIED_DEADLINE_SECONDS", 0.1)
    await far.session.do(cordon_order("a"))
    far.wire.cut()
    undoing = asyncio.create_task(far.session.undo_all())
    await until(lambda: far.wire.refused)
    undoing.cancel()
    await asyncio.sleep(0.05)
    assert not far.hurry.is_set()
    undoing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await undoing
    assert not far.hurry.is_set()
    far.wire.mend()
    assert (await far.session.undo_last()).standing is Standing.UNDONE
    assert await cordoned() == []


async def test_whoever_leaves_in_a_hurry_stays_in_a_hurry(far, cordoned):
    """What the session is told from outside is not over with one undo: all that is left is hurried, too."""
    await far.session.do(cordon_order("a"))
    far.hurry.set()
    undoing = asyncio.create_task(far.session.undo_all())
    await asyncio.sleep(0)
    for _ in range(3):
        undoing.cancel()
        await asyncio.sleep(0)
    await asyncio.wait({undoing})
    assert (far.hurry.is_set(), await cordoned()) == (True, [])


async def test_the_api_server_is_gone_when_somebody_leaves(far, monkeypatch):
    """Each change is tried, what can't be undone stands in the journal; the later ones don't wait as long again."""
    monkeypatch.setattr("seatrial.engine.unwind.DEADLINE_SECONDS", 0.5)
    monkeypatch.setattr("seatrial.engine.unwind.HURRIED_DEADLINE_SECONDS", 0.1)
    for name in ("a", "b"):
        await far.session.do(cordon_order(name))
    far.wire.cut()
    await far.session.close()
    assert [deed.standing for deed in far.session.deeds] == [Standing.NOT_UNDONE] * 2
    assert await far.open_undos() == ["uncordon node b", "uncordon node a"]
    assert len(far.session.undo_failures) == 2


async def test_two_at_once_go_one_after_the_other(bench, cordoned):
    """Whoever is quicker is first; an undo that comes meanwhile takes back the last of them."""
    doing = [asyncio.create_task(bench.session.do(cordon_order(name))) for name in ("a", "b")]
    undoing = asyncio.create_task(bench.session.undo_last())
    await asyncio.gather(*doing)
    assert (await undoing).number == 2
    assert await cordoned() == ["a"]


async def test_what_an_earlier_deed_changes_later_is_its_own(bench, cordoned):
    """A deed may go on in the background and write an undo while a later one stands: undo of that one leaves it."""
    for name in ("a", "b"):
        await bench.session.do(cordon_order(name))
    earlier = bench.session.deeds[0]
    body = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "c", "namespace": "default"}}
    context = bench.session.context.at(where=Where(), scope=earlier.scope)
    await context.write_undo(deletion_of(body, context.run_id))
    await bench.session.undo_last()
    assert await bench.open_undos() == ["delete ConfigMap default/c", "uncordon node a"]
    assert len(bench.session.changes_of(earlier)) == 2
    await bench.session.undo_last()
    assert (await bench.open_undos(), await cordoned()) == ([], [])


async def test_an_undo_is_the_deeds_also_where_it_is_stopped_while_that_is_written(bench):
    """Whoever stops a command just then leaves nothing that no deed owns."""
    await bench.session.do(cordon_order("a"))
    [deed] = bench.session.deeds
    body = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "c", "namespace": "default"}}
    context = bench.session.context.at(where=Where(), scope=deed.scope)
    writing = asyncio.create_task(context.write_undo(deletion_of(body, context.run_id)))
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert bench.session.changes_of(deed) == ["delete ConfigMap default/c", "uncordon node a"]


# Halts


async def test_a_halt_takes_everything_back(bench, replicas, cordoned):
    """What is being done is stopped, what was done before is taken back, and the caller can go on living."""
    await bench.session.do(cordon_order("a"))
    doing = await scaled_and_waiting(bench)
    bench.session.halt("halted by jo: too hot")
    with pytest.raises(Halted, match="too hot"):
        await doing
    assert doing.cancelling() == 0
    assert (await replicas(), await cordoned(), await bench.open_undos()) == (3, [], [])
    assert [deed.standing for deed in bench.session.deeds] == [Standing.UNDONE] * 2
    assert bench.session.deeds[1].outcome.reasons == ("halted by jo: too hot",)


async def test_halts_when_nothing_was_done_and_again_change_nothing(bench, cordoned):
    """Before the first deed, and a second time, there is nothing to take back; afterwards one can go on."""
    for _ in range(2):
        bench.session.halt("halted")
    await bench.session.do(cordon_order("a"))
    assert await cordoned() == ["a"]
    for _ in range(2):
        bench.session.halt("halted")
    await until(lambda: bench.session.deeds[0].standing is Standing.UNDONE)
    await bench.session.do(cordon_order("b"))
    assert await cordoned() == ["b"]


async def test_a_stop_by_somebody_else_during_a_halt_is_a_stop(bench, replicas):
    """Cancellation isn't swallowed because a halt came at the same time."""
    doing = await scaled_and_waiting(bench)
    bench.session.halt("halted")
    doing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await doing
    assert await replicas() == 3


# Undos that fail


@pytest.fixture
async def restricted(control, world, tmp_path):
    """A session of jane, who may change the ConfigMaps of `default` as long as a role binding says so."""
    api, group = control.server.api, {"apiGroup": "rbac.authorization.k8s.io"}
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    await api.create("clusterroles.rbac.authorization.k8s.io", {"metadata": {"name": "all"}, "rules": rules})
    binding = {
        "metadata": {"name": "jane"},
        "roleRef": {**group, "kind": "ClusterRole", "name": "all"},
        "subjects": [{**group, "kind": "User", "name": "jane"}],
    }
    plural = "clusterrolebindings.rbac.authorization.k8s.io"

    async def allow(*, allowed):
        await (api.create(plural, binding) if allowed else api.delete(plural, "jane"))

    await allow(allowed=True)
    async with await control.connect_as("jane") as cluster, opened(tmp_path, cluster) as bench:
        bench.allow = allow
        yield bench


async def test_an_undo_that_fails_may_be_tried_again(restricted, cordoned):
    """The journal keeps it, it is said, the others are undone all the same; once the reason is gone, undo works."""
    session = restricted.session
    await session.do(cordon_order("a"))
    await restricted.allow(allowed=False)
    assert [deed.standing for deed in await session.undo_all()] == [Standing.NOT_UNDONE]
    assert "forbidden" in session.undo_failures[0]
    assert session.changes == ["uncordon node a"]
    assert await restricted.open_undos() == ["uncordon node a"]
    await restricted.allow(allowed=True)
    assert (await session.undo_last()).standing is Standing.UNDONE
    assert (await cordoned(), list(session.undo_failures), await restricted.open_undos()) == ([], [], [])


async def test_what_came_after_and_could_not_be_undone_blocks_nothing(restricted, cordoned):
    """It was tried: what came before may be undone."""
    session = restricted.session
    for name in ("a", "b"):
        await session.do(cordon_order(name))
    await restricted.allow(allowed=False)
    await session.undo_last()
    await restricted.allow(allowed=True)
    assert (await session.undo(1)).standing is Standing.UNDONE
    assert await cordoned() == ["b"]


async def test_leaving_does_not_try_again_what_failed(restricted):
    """It stands in the journal, for `seatrial recover`."""
    await restricted.session.do(cordon_order("a"))
    await restricted.allow(allowed=False)
    await restricted.session.undo_all()
    await restricted.session.close()
    assert len(restricted.session.undo_failures) == 1
    await restricted.stream.close()
    assert sum(isinstance(each.event, UndoFailed) for each in restricted.records) == 1
    assert await restricted.open_undos() == ["uncordon node a"]


async def test_what_earlier_runs_left_counts(control, tmp_path):
    """Clean-up is incomplete also where it is that of a run that died before."""
    async with opened(tmp_path, control.cluster, earlier_failures=["put it back: refused"]) as bench:
        assert list(bench.session.undo_failures) == ["put it back: refused"]
        bench.session.add_failures(["of a policy that was run here: refused"])
        assert len(bench.session.undo_failures) == 2


# The end


async def test_the_end_takes_everything_back(bench, cordoned):
    """Also what no deed owns; afterwards nothing can be done any more."""
    await bench.session.do(cordon_order("a"))
    await bench.session.do(WAIT)
    await bench.session.close()
    assert (await cordoned(), await bench.open_undos()) == ([], [])
    with pytest.raises(Interrupted):
        await bench.session.do(cordon_order("b"))
    assert await cordoned() == []


async def test_what_was_kept_is_not_taken_back_any_more(bench, cordoned):
    """An undo that waited for its turn while somebody left is too late."""
    await bench.session.do(cordon_order("a"))
    async with asyncio.TaskGroup() as group:
        group.create_task(bench.session.close(keep=True))
        await asyncio.sleep(0)
        for undo in (bench.session.undo_last, bench.session.undo_all):
            group.create_task(_refused(undo))
    assert (await cordoned(), await bench.open_undos()) == (["a"], ["uncordon node a"])


async def _refused(undo):
    with pytest.raises(Interrupted):
        await undo()


async def test_the_end_in_the_middle_of_a_deed(bench, replicas):
    """It is stopped and taken back, also where everything else is kept."""
    doing = await scaled_and_waiting(bench)
    await bench.session.close(keep=True)
    with pytest.raises(Interrupted):
        await doing
    assert (await replicas(), await bench.open_undos()) == (3, [])


async def test_what_is_kept_stays_but_for_ways_to_machines(bench, cordoned):
    """A privileged pod for commands is of no use without us, and is not left."""
    await bench.session.do(cordon_order("a"))
    args = {"name": "shell", "namespace": "kube-system", "run": "run-1", "node": "n"}
    way = Undo(kind=DELETE_SHELL_POD.kind, args=args, description="delete the way", manual="kubectl delete pod shell")
    await bench.session.context.write_undo(way)
    assert bench.session.changes == ["uncordon node a"]
    await bench.session.close(keep=True)
    assert (await cordoned(), await bench.open_undos()) == (["a"], ["uncordon node a"])


async def test_a_way_to_machines_is_no_part_of_a_deed(bench):
    """It serves others, too: undo leaves it open, and the end of the session takes it away."""
    await bench.session.do(cordon_order("a"))
    args = {"name": "shell", "namespace": "kube-system", "run": "run-1", "node": "n"}
    way = Undo(kind=DELETE_SHELL_POD.kind, args=args, description="delete the way", manual="kubectl delete pod shell")
    await bench.session.context.write_undo(way)
    await bench.session.undo_last()
    assert await bench.open_undos() == ["delete the way"]
    assert bench.session.standing_deeds == []


async def test_what_was_promised_and_is_not_waited_for_was_not_seen(bench, control):
    """Whoever leaves before a killed pod is replaced has no proof that it was: inconclusive, never passed."""
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "u"}
    await control.create_pods("web-1-a", owner=owner, app="web")
    match = {"labels": {"selector": "app=web", "namespace": "default"}}
    step = {"podAction": {"matches": [match], "actions": [{"kill": {"force": True}}]}}
    deed = await bench.session.do(Order(title="kill", step=step))
    assert deed.outcome.passed
    await bench.session.close()
    assert (await deed.settled()).verdict is Verdict.INCONCLUSIVE


async def test_an_order_that_is_no_step_is_wrong_usage(bench):
    """It is said before anything begins, and is no deed."""
    with pytest.raises(UsageError, match=r"can't wait: wait\.seconds"):
        await bench.session.do(Order(title="wait", step={"wait": {"seconds": "long"}}))
    assert bench.session.deeds == []


async def test_whoever_watches_is_told_of_every_change(bench):
    """A deed that begins, stands, settles and is undone: each is a change that a status bar shows."""
    seen = []
    bench.session.on_change = lambda: seen.append([str(deed.standing) for deed in bench.session.deeds])
    deed = await bench.session.do(cordon_order("a"))
    await deed.settled()
    await bench.session.undo_last()
    assert seen[0] == ["being done"]
    assert ["stands"] in seen
    assert seen[-1] == ["undone"]
