"""What stands for standard output while a prompt is shown: to programs it looks like the terminal behind it."""

import asyncio
import io
from typing import TextIO


class StandardOutput(io.TextIOBase):
    """The base of the screens (`screen`, `plain`), which say where what is written goes."""

    def __init__(self, terminal: TextIO, loop: asyncio.AbstractEventLoop) -> None:
        self._terminal = terminal
        self._loop = loop

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The terminal's."""
        return self._terminal.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """The terminal's."""
        return self._terminal.errors

    def isatty(self) -> bool:
        """Whether the terminal is one."""
        return self._terminal.isatty()

    def fileno(self) -> int:
        """The terminal's descriptor, which tells the size of the window."""
        return self._terminal.fileno()

    def writable(self) -> bool:
        """It is."""
        return True
