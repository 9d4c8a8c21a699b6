"""Lines from what a container writes: cut out of pieces as they come, and harmless to the terminal.

Colours that a program wrote for its own terminal are taken out; any other control character is shown as an escape.
"""

import codecs
import re

from seatrial.policy.wording import printable

_LONGEST = 64 * 1024
_COLOURS = re.compile(r"\x1b\[[0-9;:]*m")


class LogLines:
    """Takes pieces and gives lines; a line that doesn't end is cut when it is too long to wait for."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._begun = ""

    def feed(self, piece: bytes) -> list[str]:
        """The lines that this piece completes."""
        *lines, self._begun = (self._begun + self._decoder.decode(piece)).split("\n")
        while len(self._begun) > _LONGEST:
            lines.append(self._begun[:_LONGEST])
            self._begun = self._begun[_LONGEST:]
        return [harmless(line) for line in lines]

    def rest(self) -> list[str]:
        """The last line, where it has no end."""
        last, self._begun = self._begun + self._decoder.decode(b"", final=True), ""
        return [harmless(last)] if last else []


def harmless(line: str) -> str:
    """A line as it may be written to a terminal."""
    return printable(_COLOURS.sub("", line.removesuffix("\r")).expandtabs())
