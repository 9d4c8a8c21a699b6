"""What a command writes, as it comes: told line by line to who listens, and kept within bounds.

A command may write without end. Its beginning and its end are kept, which is where headings and errors are.
"""

from collections.abc import Callable

LineListener = Callable[[str], None]
"""Is told each line of a command's output when it is complete, without its end."""

MOST_KEPT = 64 * 1024
"""How many characters of an output are kept at most, and after how many a listener is told no more."""


class BoundedOutput:
    """An output that grows; `heard` is told its lines, until there were `most` characters of them."""

    def __init__(self, heard: LineListener | None = None, *, most: int = MOST_KEPT) -> None:
        self._heard = heard
        self._room = most
        self._half = most // 2
        self._begin = ""
        self._end = ""
        self._left_out = 0
        self._line = ""

    def add(self, text: str) -> None:
        """Take what was written next."""
        self._keep(text)
        if self._heard is not None:
            self._tell(text, self._heard)

    def finish(self) -> None:
        """There is no more: tell a last line that has no end."""
        if self._line and self._heard is not None:
            self._heard(self._line)
        self._line = ""

    @property
    def text(self) -> str:
        """What is kept of it, with a line in place of what is not."""
        gap = f"\n[{self._left_out} characters left out]\n" if self._left_out else ""
        return f"{self._begin}{gap}{self._end}"

    def _keep(self, text: str) -> None:
        room = self._half - len(self._begin)
        self._begin += text[:room]
        end = self._end + text[room:]
        excess = max(0, len(end) - self._half)
        self._left_out += excess
        self._end = end[excess:]

    def _tell(self, text: str, heard: LineListener) -> None:
        told = text[: self._room]
        self._room -= len(told)
        *lines, self._line = (self._line + told).split("\n")
        for line in lines:
            heard(line.removesuffix("\r"))
