"""Lines of standard input as they come, without a thread: one that waits for input could not be woken, nor left."""

import asyncio
import codecs
import contextlib
import os
import termios


class InputLines:
    """The lines that come from a descriptor: a pipe, a terminal, or a file."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._text = ""
        self._has_ended = False

    async def next(self) -> str | None:
        """The next line without its end; None when there are no more, which Ctrl-D says of one question only."""
        while "\n" not in self._text and not self._has_ended:
            await self._readable()
            self._text += self._read()
        line, newline, self._text = self._text.partition("\n")
        if line or newline:
            return line.removesuffix("\r")
        self._has_ended = False  # what is at its end says so again
        return None

    def forget(self) -> None:
        """Forget what was typed ahead: who answers before a question stands there has not read it."""
        if os.isatty(self._descriptor):
            with contextlib.suppress(termios.error):  # the terminal has gone
                termios.tcflush(self._descriptor, termios.TCIFLUSH)
            self._text = ""

    def _read(self) -> str:
        try:
            chunk = os.read(self._descriptor, 65536)
        except OSError:  # the terminal has gone
            chunk = b""
        self._has_ended = not chunk
        return self._decoder.decode(chunk, final=not chunk)

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        try:
            loop.add_reader(self._descriptor, readable.set)
        except PermissionError:
            return  # a regular file, which can always be read and which nothing watches
        try:
            await readable.wait()
        finally:
            loop.remove_reader(self._descriptor)
