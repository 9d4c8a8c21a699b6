import asyncio
from itertools import pairwise

import pytest

from seatrial.engine.unwind import DEADLINE_SECONDS, HURRIED_DEADLINE_SECONDS, unwind
from seatrial.errors import ClusterError
from seatrial.kube.errors import (
    CertificateRejected,
    Conflict,
    Forbidden,
    ServerError,
    Status,
    TooManyRequests,
    UnexpectedAnswer,
    Unreachable,
)
from seatrial.runtime.events import UndoDone, UndoFailed, UndoRetried
from seatrial.runtime.undo import Undo, UndoKind


async def written(bench, *names):
    """The undos of these changes, last in first."""
    for name in names:
        await bench.context.journal.write(bench.undo(name))
    return bench.context.journal.newer_than(0)


@pytest.fixture
def undoing(monkeypatch):
    """Makes a coroutine what carries out every undo."""

    def install(run, **given):
        kind = UndoKind(kind="forget", run=run, **given)
        monkeypatch.setattr("seatrial.runtime.undo.undo_kinds", lambda: {"forget": kind})

    return install


async def test_undos_are_carried_out_in_the_order_given_and_settled(bench):
    """The last change is undone first, and what was seen to work is not open any more."""
    await unwind(await written(bench, "a", "b", "c"), bench.context, hurry=asyncio.Event())
    assert bench.undone == ["c", "b", "a"]
    assert await bench.context.journal.journal.open_undos("run-1") == []
    await bench.context.events.close()
    assert [event.description for event in bench.events(UndoDone)] == ["forget c", "forget b", "forget a"]


async def test_what_failed_stays_in_the_journal_with_its_reason(bench):
    """An undo that fails is told with the way to do it by hand, and is open for the next run; the others are done."""
    bench.undo_errors["b"] = ClusterError("refused")
    await unwind(await written(bench, "a", "b"), bench.context, hurry=asyncio.Event())
    assert bench.undone == ["a"]
    assert bench.context.journal.failures == ["forget b: refused"]
    assert [each.undo.args["name"] for each in await bench.context.journal.journal.open_undos("run-1")] == ["b"]
    await bench.context.events.close()
    assert [(event.error, event.manual) for event in bench.events(UndoFailed)] == [("refused", "forget b by hand")]


async def test_a_defect_in_an_undo_does_not_keep_the_others_from_running(bench):
    """An exception that isn't Seatrial's own fails its undo, by name."""
    bench.undo_errors["b"] = ZeroDivisionError("by nothing")
    await unwind(await written(bench, "a", "b"), bench.context, hurry=asyncio.Event())
    assert bench.undone == ["a"]
    assert bench.context.journal.failures == ["forget b: ZeroDivisionError: by nothing"]


async def test_an_unknown_kind_of_undo_fails_and_the_others_run(bench):
    """What a plugin that is gone wrote can't be undone; all else is."""
    await bench.context.journal.write(Undo(kind="lost", description="find it", manual="look for it"))
    await unwind(await written(bench, "a"), bench.context, hurry=asyncio.Event())
    assert bench.undone == ["a"]
    assert bench.context.journal.failures == ["find it: don't know how to undo 'lost'"]


@pytest.mark.looptime
async def test_an_undo_that_hangs_is_given_up_after_its_deadline(bench, undoing):
    """Each undo has two minutes of its own; then the next one gets its turn."""
    ended = []

    async def hangs(args, world):
        if args["name"] == "b":
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("b")
        bench.undone.append(args["name"])

    undoing(hangs)
    undos = await written(bench, "a", "b")
    begun = asyncio.get_running_loop().time()
    await unwind(undos, bench.context, hurry=asyncio.Event())
    assert asyncio.get_running_loop().time() - begun >= DEADLINE_SECONDS
    assert (ended, bench.undone) == (["b"], ["a"])
    assert bench.context.journal.failures == ["forget b: took too long"]


@pytest.mark.looptime
async def test_a_kind_of_undo_may_have_a_longer_deadline(bench, undoing):
    """A machine that boots for longer than two minutes is waited for."""

    async def boots(args, world):
        await asyncio.sleep(DEADLINE_SECONDS * 2)
        return ""

    undoing(boots, deadline_seconds=DEADLINE_SECONDS * 3)
    await unwind(await written(bench, "a", "b"), bench.context, hurry=asyncio.Event())
    assert bench.context.journal.failures == []


async def test_hurried_undos_still_get_their_time(bench, undoing):
    """In a hurry, an undo that takes a moment is still waited for."""
    done = asyncio.Event()

    async def takes_a_moment(args, world):
        asyncio.get_running_loop().call_later(0.01, done.set)
        await done.wait()
        bench.undone.append(args["name"])

    undoing(takes_a_moment)
    hurry = asyncio.Event()
    hurry.set()
    await unwind(await written(bench, "a"), bench.context, hurry=hurry)
    assert (bench.undone, bench.context.journal.failures) == (["a"], [])


BUSY = Status(message="busy", code=503)


@pytest.mark.looptime
@pytest.mark.parametrize(
    "passing",
    [
        Unreachable("no route to host"),
        ServerError(BUSY, code=503),
        TooManyRequests(BUSY, code=429, retry_after_seconds=3),
        Conflict(BUSY, code=409),
        UnexpectedAnswer("broke off"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_may_pass_is_tried_again_and_told(bench, undoing, passing):
    """The API server was away for a while: the undo works in the end, and each try was told."""
    tries = []

    async def works_the_fourth_time(args, world):
        tries.append(asyncio.get_running_loop().time())
        if len(tries) < 4:
            raise passing
        return ""

    undoing(works_the_fourth_time)
    await unwind(await written(bench, "a"), bench.context, hurry=asyncio.Event())
    assert bench.context.journal.failures == []
    await bench.context.events.close()
    told = bench.events(UndoRetried)
    assert [(event.attempt, event.error) for event in told] == [(number, passing.message) for number in (1, 2, 3)]
    waited = [later - earlier for earlier, later in pairwise(tries)]
    assert waited == pytest.approx([event.wait_seconds for event in told], abs=0.001)
    assert min(waited) >= (getattr(passing, "retry_after_seconds", None) or 0)


@pytest.mark.looptime
async def test_what_does_not_pass_is_given_up_after_its_deadline_with_the_last_reason(bench, undoing):
    """Two minutes of trying; those after it wait for the same thing, and get a few seconds a piece."""
    tried = []

    async def away(args, world):
        tried.append(args["name"])
        raise Unreachable("no route to host")

    undoing(away)
    undos = await written(bench, "a", "b", "c")
    begun = asyncio.get_running_loop().time()
    await unwind(undos, bench.context, hurry=asyncio.Event())
    taken = asyncio.get_running_loop().time() - begun
    assert DEADLINE_SECONDS <= taken <= DEADLINE_SECONDS + 2 * HURRIED_DEADLINE_SECONDS + 1
    assert set(tried) == {"a", "b", "c"}
    assert bench.context.journal.failures == [
        f"forget {name}: took too long: no route to host" for name in ("c", "b", "a")
    ]


@pytest.mark.looptime
async def test_when_the_cluster_is_back_undos_have_their_time_again(bench, undoing):
    """One that worked shows that waiting makes sense."""

    async def run(args, world):
        if args["name"] == "c":
            raise Unreachable("no route to host")
        if args["name"] == "a":
            await asyncio.sleep(DEADLINE_SECONDS / 2)
        return ""

    undoing(run)
    await unwind(await written(bench, "a", "b", "c"), bench.context, hurry=asyncio.Event())
    assert bench.context.journal.failures == ["forget c: took too long: no route to host"]


@pytest.mark.looptime
async def test_somebody_in_a_hurry_does_not_wait_for_the_cluster(bench, undoing):
    """Ctrl-C once more while an undo is tried again: it gets a few seconds more."""

    async def away(args, world):
        raise Unreachable("no route to host")

    undoing(away)
    hurry = asyncio.Event()
    undos = await written(bench, "a")
    asyncio.get_running_loop().call_later(20, hurry.set)
    begun = asyncio.get_running_loop().time()
    await unwind(undos, bench.context, hurry=hurry)
    assert asyncio.get_running_loop().time() - begun == pytest.approx(20 + HURRIED_DEADLINE_SECONDS, abs=0.1)


@pytest.mark.parametrize(
    "final",
    [Forbidden(Status(message="no"), code=403), CertificateRejected("not trusted"), ClusterError("refused")],
    ids=lambda error: type(error).__name__,
)
async def test_what_would_get_the_same_answer_is_not_tried_again(bench, undoing, final):
    """A permission that is missing doesn't come back by waiting."""
    tried = []

    async def refuses(args, world):
        tried.append(args)
        raise final

    undoing(refuses)
    await unwind(await written(bench, "a"), bench.context, hurry=asyncio.Event())
    assert len(tried) == 1
    assert bench.context.journal.failures == [f"forget a: {final.message}"]


@pytest.mark.looptime
async def test_an_unwinding_that_is_cancelled_leaves_no_task_behind(bench, undoing):
    """Recovery at a start may be cancelled; what it was doing ends with it."""
    ended = asyncio.Event()

    async def hangs(args, world):
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    undoing(hangs)
    task = asyncio.create_task(unwind(await written(bench, "a"), bench.context, hurry=asyncio.Event()))
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait({task})
    assert ended.is_set()


@pytest.fixture
def serving(monkeypatch, bench):
    """Two kinds: `work`, which may need what `way` takes away."""
    order = []

    async def work(args, world):
        order.append(args["name"])
        if args["name"] == "needs a way":
            await bench.context.journal.write(Undo(kind="way", args={"name": "way"}, description="w", manual=""))
        return ""

    async def way(args, world):
        order.append(args["name"])
        return ""

    kinds = {"work": UndoKind(kind="work", run=work), "way": UndoKind(kind="way", run=way, serves_others=True)}
    monkeypatch.setattr("seatrial.runtime.undo.undo_kinds", lambda: kinds)
    return order


async def test_what_serves_other_undos_is_taken_away_after_them(bench, serving):
    """Whenever it was written: a way to a machine is opened by a command whose undo was written before."""
    for kind, name in (("work", "a"), ("way", "way 1"), ("work", "b"), ("way", "way 2")):
        await bench.context.journal.write(Undo(kind=kind, args={"name": name}, description=name, manual=""))
    await unwind(bench.context.journal.newer_than(0), bench.context, hurry=asyncio.Event())
    assert serving == ["b", "a", "way 2", "way 1"]


async def test_what_an_undo_had_to_make_is_taken_away_too(bench, serving):
    """It stands in the journal, was not among the undos at hand, and is gone in the end; older ones are left alone."""
    await bench.context.journal.write(Undo(kind="work", args={"name": "older"}, description="o", manual=""))
    mark = bench.context.journal.mark
    await bench.context.journal.write(Undo(kind="work", args={"name": "needs a way"}, description="n", manual=""))
    await unwind(bench.context.journal.newer_than(mark), bench.context, hurry=asyncio.Event())
    assert serving == ["needs a way", "way"]
    assert [each.undo.args["name"] for each in bench.context.journal.newer_than(0)] == ["older"]
