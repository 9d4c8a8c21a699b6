"""The journal as one run writes it, which also remembers what it wrote.

So clean-up goes on when the disk fails in the middle of a run.
"""

from collections.abc import Sequence

from seatrial.errors import StateError
from seatrial.runtime.journal import Journal, WrittenUndo
from seatrial.runtime.uncancellable import uncancellable
from seatrial.runtime.undo import Undo


class RunJournal:
    """What one run wrote and has not undone."""

    def __init__(self, journal: Journal, run_id: str, left_open: Sequence[WrittenUndo] = ()) -> None:
        """`left_open` has what an earlier process left, last written first."""
        self.journal = journal
        self.run_id = run_id
        self.failures: list[str] = []
        self._disk_problems: dict[str, None] = {}
        self._open = list(left_open)[::-1]

    async def write(self, undo: Undo) -> WrittenUndo:
        """Write down what undoes a change, before the change is made.

        Cancellation waits until file and memory agree: an undo in the file alone would undo a change never made.
        """

        async def write() -> WrittenUndo:
            written = await self.journal.write(self.run_id, undo)
            self._open.append(written)
            return written

        return await uncancellable(write())

    @property
    def mark(self) -> int:
        """How many undos are open: pass it to `newer_than` to get those written since."""
        return len(self._open)

    def newer_than(self, mark: int) -> list[WrittenUndo]:
        """The open undos written since `mark`, last in first."""
        return self._open[mark:][::-1]

    async def settle(self, written: WrittenUndo, *, error: str = "") -> None:
        """An undo was carried out, or (with an error) failed; either way it is not tried again in this run.

        Cancellation waits until file and memory agree: one that is open in the file alone would be left to recovery.
        """
        self._open.remove(written)
        if error:
            self.failures.append(f"{written.undo.description}: {error}")
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
