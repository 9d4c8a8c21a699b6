"""The journal as one run writes it, which also remembers what it wrote.

So clean-up goes on when the disk fails in the middle of a run.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple

from seatrial.errors import StateError
from seatrial.runtime.journal import Journal, WrittenUndo
from seatrial.runtime.uncancellable import uncancellable
from seatrial.runtime.undo import Undo


class _Failed(NamedTuple):
    written: WrittenUndo
    error: str


async def _unguarded() -> None:
    """Nobody has to be there before something is changed."""


class RunJournal:
    """What one run wrote and has not undone."""

    def __init__(self, journal: Journal, run_id: str, left_open: Sequence[WrittenUndo] = ()) -> None:
        """`left_open` has what an earlier process left, last written first."""
        self.journal = journal
        self.run_id = run_id
        self.guard: Callable[[], Awaitable[None]] = _unguarded
        """Awaited before an undo is written, and so before each change."""
        self._disk_problems: dict[str, None] = {}
        self._open = list(left_open)[::-1]
        self._mark = max((written.id for written in self._open), default=0)
        self._failed: dict[int, _Failed] = {}

    async def write(self, undo: Undo, *, among: set[int] | None = None) -> WrittenUndo:
        """Write down what undoes a change, before the change is made; its id is put `among` others.

        Cancellation waits until file and memory agree: an undo in the file alone would undo a change never made.
        """

        async def write() -> WrittenUndo:
            await self.guard()
            written = await self.journal.write(self.run_id, undo)
            self._open.append(written)
            self._mark = max(self._mark, written.id)
            if among is not None:
                among.add(written.id)
            return written

        return await uncancellable(write())

    @property
    def mark(self) -> int:
        """Which undo was written last: pass it to `newer_than` to get those written since; 0 is before the first."""
        return self._mark

    def newer_than(self, mark: int) -> list[WrittenUndo]:
        """The open undos written since `mark`, last in first."""
        return [written for written in reversed(self._open) if written.id > mark]

    @property
    def failures(self) -> list[str]:
        """What could not be undone, and why."""
        return [f"{each.written.undo.description}: {each.error}" for each in self._failed.values()]

    @property
    def failed(self) -> list[WrittenUndo]:
        """The undos that failed, last written first."""
        return [self._failed[identifier].written for identifier in sorted(self._failed, reverse=True)]

    def open_again(self, undos: Iterable[WrittenUndo]) -> None:
        """Have undos that failed open again, in the order in which they were written: somebody wants another try."""
        self._open += [self._failed.pop(each.id).written for each in undos]
        self._open.sort(key=lambda written: written.id)

    async def settle(self, written: WrittenUndo, *, error: str = "") -> None:
        """An undo was carried out, or (with an error) failed, and is not tried again of itself in this run.

        Cancellation waits until file and memory agree: one that is open in the file alone would be left to recovery.
        """
        self._open.remove(written)
        if error:
            self._failed[written.id] = _Failed(written, error)
        await uncancellable(self._settle(written, error=error))

    async def _settle(self, written: WrittenUndo, *, error: str) -> None:
        try:
            await self.journal.settle(written, error=error)
        except StateError as problem:
            # What was undone stays undone; the journal will ask for it once more, which is safe.
            self._disk_problems[problem.message] = None

    async def finish(self, verdict: str) -> None:
        """Write down that the run ended."""
        try:
            await self.journal.finish(self.run_id, verdict)
        except StateError as problem:
            self._disk_problems[problem.message] = None

    @property
    def disk_problems(self) -> tuple[str, ...]:
        """What kept the journal from being written after a change was undone, each once."""
        return tuple(self._disk_problems)
