import asyncio

import pytest

from seatrial.engine.unwind import DEADLINE_SECONDS, unwind
from seatrial.errors import ClusterError
from seatrial.runtime.events import UndoDone, UndoFailed
from seatrial.runtime.undo import Undo, UndoKind


async def written(bench, *names):
    """The undos of these changes, last in first."""
    for name in names:
        await bench.context.journal.write(bench.undo(name))
    return bench.context.journal.newer_than(0)


@pytest.fixture
def undoing(monkeypatch):
    """Makes a coroutine what carries out every undo."""

    def install(run):
        monkeypatch.setattr("seatrial.runtime.undo.undo_kinds", lambda: {"forget": UndoKind(kind="forget", run=run)})

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
