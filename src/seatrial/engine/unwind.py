"""Undo, carried out: last in, first out, every one tried, each within a deadline, each seen to work.

What serves other undos (a way to machines) is taken away after them; what they had to make themselves, too.
What fails for a reason that may pass (the API server is away, busy or broken) is tried again until the deadline. The
data comes from the journal of this run or, after a crash, of an earlier one.
"""

import asyncio
from collections.abc import Iterable

from seatrial.errors import AlertmanagerError, SeatrialError
from seatrial.kube.errors import may_pass
from seatrial.kube.retry import Backoff
from seatrial.runtime.context import Context
from seatrial.runtime.events import UndoDone, UndoFailed, UndoRetried
from seatrial.runtime.journal import WrittenUndo
from seatrial.runtime.undo import Undo, UndoKind, undo_kind

DEADLINE_SECONDS = 120.0
HURRIED_DEADLINE_SECONDS = 5.0
_MOST_WAIT_SECONDS = 10.0


async def unwind(undos: Iterable[WrittenUndo], context: Context, *, hurry: asyncio.Event) -> None:
    """Carry out undos in the order given, and then those written meanwhile; failures are in `context.journal.failures`.

    `hurry` set, before or meanwhile, shortens what is left of each deadline. So does an undo that was tried in vain for
    all of its time: those after it would wait for the same thing.
    """
    journal = context.journal
    known = {written.id for written in journal.newer_than(0)}
    await _unwind(undos, context, hurry=hurry)
    while added := [written for written in journal.newer_than(0) if written.id not in known]:
        await _unwind(added, context, hurry=hurry)


async def _unwind(undos: Iterable[WrittenUndo], context: Context, *, hurry: asyncio.Event) -> None:
    deadline: float | None = None
    for written in sorted(undos, key=serves_others):
        undo = written.undo
        work = _Work(undo, context)
        note, error = await work.outcome(hurry, deadline_seconds=deadline)
        deadline = HURRIED_DEADLINE_SECONDS if work.in_vain else None
        await context.journal.settle(written, error=error)
        if error:
            context.emit(UndoFailed(description=undo.description, error=error, manual=undo.manual))
        else:
            context.emit(UndoDone(description=undo.description, note=note))


def serves_others(written: WrittenUndo) -> bool:
    """Whether an undo takes away what other undos may need, such as a way to machines."""
    try:
        return undo_kind(written.undo.kind).serves_others
    except SeatrialError:
        return False  # of a plugin that is gone; that is told when it is its turn


class _Work:
    """One undo on its way."""

    def __init__(self, undo: Undo, context: Context) -> None:
        self.in_vain = False
        self._undo = undo
        self._context = context
        self._last_error = ""

    async def outcome(self, hurry: asyncio.Event, *, deadline_seconds: float | None) -> tuple[str, str]:
        """The note of an undo that worked, and the error of one that did not; without a deadline, its kind's holds."""
        try:
            kind = undo_kind(self._undo.kind)
        except SeatrialError as error:
            return "", error.message
        if deadline_seconds is None:
            deadline_seconds = kind.deadline_seconds or DEADLINE_SECONDS
        task = asyncio.create_task(self._until_done(kind))
        hurried = asyncio.create_task(hurry.wait())
        try:
            await asyncio.wait({task, hurried}, timeout=deadline_seconds, return_when=asyncio.FIRST_COMPLETED)
            if not task.done() and hurry.is_set():
                await asyncio.wait({task}, timeout=HURRIED_DEADLINE_SECONDS)
            return await self._result(task)
        finally:
            hurried.cancel()
            task.cancel()
            await asyncio.wait({task, hurried})

    async def _until_done(self, kind: UndoKind) -> str:
        backoff = Backoff(first_seconds=0.5, most_seconds=_MOST_WAIT_SECONDS)
        while True:
            try:
                return await kind.run(self._undo.args, self._context.world)
            except SeatrialError as error:
                if not (may_pass(error) or (isinstance(error, AlertmanagerError) and error.may_pass)):
                    raise
                self._last_error = error.message
                at_least = getattr(error, "retry_after_seconds", None) or 0.0
            wait = min(backoff.next_delay(at_least=at_least), _MOST_WAIT_SECONDS)
            self._context.emit(
                UndoRetried(
                    description=self._undo.description,
                    error=self._last_error,
                    attempt=backoff.failures,
                    wait_seconds=wait,
                )
            )
            await asyncio.sleep(wait)

    async def _result(self, task: "asyncio.Task[str]") -> tuple[str, str]:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
            self.in_vain = bool(self._last_error)
            return "", f"took too long: {self._last_error}" if self._last_error else "took too long"
        if error := task.exception():
            return "", error.message if isinstance(error, SeatrialError) else f"{type(error).__name__}: {error}"
        return task.result(), ""
