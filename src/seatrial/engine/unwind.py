"""Undo, carried out: last in, first out, every one tried, each within a deadline, each seen to work.

The data comes from the journal of this run or, after a crash, of an earlier one.
"""

import asyncio
from collections.abc import Iterable

from seatrial.errors import SeatrialError
from seatrial.runtime.context import Context
from seatrial.runtime.events import UndoDone, UndoFailed
from seatrial.runtime.journal import WrittenUndo
from seatrial.runtime.undo import Undo, undo_kind
from seatrial.runtime.world import World

DEADLINE_SECONDS = 120.0
HURRIED_DEADLINE_SECONDS = 5.0


async def unwind(undos: Iterable[WrittenUndo], context: Context, *, hurry: asyncio.Event) -> None:
    """Carry out undos in the order given; what failed stands in `context.journal.failures`.

    `hurry` set, before or meanwhile, shortens what is left of each deadline.
    """
    for written in undos:
        undo = written.undo
        note, error = await _undo_one(undo, context.world, hurry=hurry)
        await context.journal.settle(written, error=error)
        if error:
            context.emit(UndoFailed(description=undo.description, error=error, manual=undo.manual))
        else:
            context.emit(UndoDone(description=undo.description, note=note))


async def _undo_one(undo: Undo, world: World, *, hurry: asyncio.Event) -> tuple[str, str]:
    """The note of an undo that worked, and the error of one that did not."""
    try:
        work = asyncio.ensure_future(undo_kind(undo.kind).run(undo.args, world))
    except SeatrialError as error:
        return "", error.message
    hurried = asyncio.create_task(hurry.wait())
    try:
        await asyncio.wait({work, hurried}, timeout=DEADLINE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not work.done() and hurry.is_set():
            await asyncio.wait({work}, timeout=HURRIED_DEADLINE_SECONDS)
        return await _result(work)
    finally:
        hurried.cancel()


async def _result(work: "asyncio.Future[str]") -> tuple[str, str]:
    if not work.done():
        work.cancel()
        await asyncio.wait({work})
        return "", "took too long"
    if error := work.exception():
        return "", error.message if isinstance(error, SeatrialError) else f"{type(error).__name__}: {error}"
    return work.result(), ""
