"""A person at a terminal: a program in a pseudo-terminal (pexpect), keys that are typed, what the screen shows (pyte).

Everything waits for the screen to say something; the event loop goes on meanwhile, so that the API server that the
program talks to may run in this process.
"""

import asyncio
import contextlib
import os
import signal
import termios
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import pexpect
import pyte

UP, DOWN, TAB, ENTER, ESCAPE = "\x1b[A", "\x1b[B", "\t", "\r", "\x1b"
BACKSPACE = "\x7f"
CTRL_C, CTRL_D, CTRL_G, CTRL_R, CTRL_Z = "\x03", "\x04", "\x07", "\x12", "\x1a"
_PATIENCE_SECONDS = 30.0


class _Screen(pyte.Screen):
    """A screen whose terminal answers where the cursor is."""

    def __init__(self, columns: int, lines: int, answer: Callable[[bytes], None]) -> None:
        self._answer = answer
        super().__init__(columns, lines)

    def write_process_input(self, data: str) -> None:
        self._answer(data.encode())


class Terminal:
    """A program in a window of so many columns and lines; use with `async with`."""

    def __init__(
        self, command: Sequence[str], *, environ: Mapping[str, str], columns: int = 80, lines: int = 24
    ) -> None:
        self._command = command
        self._environ = {"TERM": "xterm-256color", "PAGER": "", **environ}
        self._size = (lines, columns)
        self._screen = _Screen(columns, lines, self._send)
        self._stream = pyte.ByteStream(self._screen)
        self._changed = asyncio.Event()
        self.sent = b""
        """Everything the program wrote."""

    async def __aenter__(self) -> Self:
        program, *arguments = self._command
        self._child = pexpect.spawn(program, arguments, env=self._environ, dimensions=self._size, timeout=None)
        self._child.delaybeforesend = None
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._child.child_fd, self._read)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the program, where it still runs; what it cleans up it may clean up."""
        if self._child.isalive():
            self._child.kill(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await self.ended()
        if not self._child.closed:
            self._loop.remove_reader(self._child.child_fd)
        self._child.close(force=True)

    @property
    def rows(self) -> Sequence[str]:
        """The lines on the screen, without blanks at their ends."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def shown(self) -> str:
        """What stands on the screen, without empty lines at its end."""
        return "\n".join(self.rows).rstrip("\n")

    @property
    def line(self) -> str:
        """The line with the cursor, up to the cursor."""
        return self._screen.display[self._screen.cursor.y][: self._screen.cursor.x]

    def colour_of(self, text: str) -> tuple[str, bool, bool]:
        """The colour of a text on the screen where it stands last, whether it is bold, whether it is underlined."""
        row = max(number for number, line in enumerate(self._screen.display) if text in line)
        cell = self._screen.buffer[row][self._screen.display[row].rindex(text)]
        return cell.fg, cell.bold, cell.underscore

    @property
    def cells(self) -> Sequence[Sequence[Any]]:
        """The screen's cells, row by row: their character, colours and weight."""
        return [[self._screen.buffer[y][x] for x in range(self._screen.columns)] for y in range(self._screen.lines)]

    async def until(self, what: str | Callable[["Terminal"], bool]) -> None:
        """Return when the screen says so, or fulfils a condition."""
        is_there = (lambda _terminal: what in self.shown) if isinstance(what, str) else what
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while not is_there(self):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"never seen: {what!r}; on the screen:\n{self.shown}") from None

    async def until_typing_shows(self, text: str, *, keys: str) -> None:
        """Press keys again and again until the screen says so: what a key opens has yet to hear of the text."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while text not in self.shown:
                self._changed.clear()
                self.type(keys)
                await self._changed.wait()

    async def at_prompt(self, typed: str = "", *, prompt: str = "seatrial> ") -> None:
        """Return when the cursor stands behind the prompt and what was typed."""
        await self.until(lambda each: each.line.removesuffix(" ") == f"{prompt}{typed}".removesuffix(" "))

    async def command_running(self) -> None:
        """Return when the program has given the terminal back to the commands: Ctrl-C is a signal then, not a key."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while not termios.tcgetattr(self._child.child_fd)[3] & termios.ISIG:  # noqa: ASYNC110 -- nothing tells
                await asyncio.sleep(0.01)

    def type(self, keys: str) -> None:
        """Press keys."""
        self._send(keys.encode())

    def paste(self, text: str) -> None:
        """Paste, as terminals tell it to programs that ask them to (bracketed paste)."""
        self._send(b"\x1b[200~" + text.encode() + b"\x1b[201~")

    def resize(self, *, columns: int, lines: int) -> None:
        """Make the window larger or smaller; the program gets its SIGWINCH from the kernel."""
        self._screen.resize(lines, columns)
        self._child.setwinsize(lines, columns)

    def signal(self, number: int) -> None:
        """Send the program a signal."""
        self._child.kill(number)

    def hang_up(self) -> None:
        """Close the window: the terminal is gone for the program, which gets its SIGHUP from the kernel."""
        self._loop.remove_reader(self._child.child_fd)
        self._child.ptyproc.fileobj.close()

    async def ended(self) -> int:
        """The exit code, once the program has ended; what it still says is on the screen by then."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while self._child.isalive():  # noqa: ASYNC110 -- nothing tells but the kernel, by a signal
                await asyncio.sleep(0.02)
        return int(self._child.exitstatus if self._child.exitstatus is not None else -self._child.signalstatus)

    def _send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # the program has ended
            os.write(self._child.child_fd, data)

    def _read(self) -> None:
        try:
            data = os.read(self._child.child_fd, 65536)
        except OSError:  # the program has ended
            data = b""
        if not data:
            self._loop.remove_reader(self._child.child_fd)
        self.sent += data
        self._stream.feed(data)
        self._changed.set()
