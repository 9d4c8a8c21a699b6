"""The shell line by line: for screen readers, Emacs and terminals that can't move their cursor.

The terminal itself lets a line be corrected; nothing is coloured, drawn anew, or written over.
"""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TextIO

from seatrial.shell.standard_input import InputLines
from seatrial.shell.standard_output import StandardOutput

PROMPT = "seatrial> "
LEAVING_HINT = "'exit' or Ctrl-D leaves"

_GATHERING_SECONDS = 0.1


class PlainScreen(StandardOutput):
    """Standard output: what comes while a line is awaited has lines of its own, and the prompt follows it once more."""

    def __init__(self, terminal: TextIO, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(terminal, loop)
        self._prompt = ""
        self._timer: asyncio.TimerHandle | None = None

    def write(self, text: str) -> int:
        """Write, below the prompt where there is one."""
        if self._prompt and self._timer is None:
            self._terminal.write("\n")
        self._terminal.write(text)
        if self._prompt:
            self._prompt_soon()
        return len(text)

    def flush(self) -> None:
        """Let the terminal have it."""
        self._terminal.flush()

    @contextmanager
    def prompting(self, prompt: str) -> Iterator[None]:
        """While the block runs a line is awaited."""
        self._write_prompt(prompt)
        try:
            yield
        finally:
            self._prompt = ""
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _prompt_soon(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(_GATHERING_SECONDS, self._write_prompt, self._prompt)

    def _write_prompt(self, prompt: str) -> None:
        self._timer = None
        self._prompt = prompt
        self._terminal.write(prompt)
        self._terminal.flush()


class PlainFront:
    """The `Front` that reads plain lines."""

    is_interactive = True

    def __init__(self, screen: PlainScreen) -> None:
        self._screen = screen
        self._lines = InputLines(sys.stdin.fileno())

    async def next_line(self) -> str | None:
        """The next line that is typed."""
        return await self._typed(PROMPT)

    async def ask(self, question: str) -> str:
        """The answer that is typed; Ctrl-D is none, and so is what was typed before the question stood there."""
        self._lines.forget()
        return (await self._typed(question) or "").strip()

    async def shown(self) -> None:
        """The first prompt takes no time."""

    def interrupt(self) -> bool:
        """The terminal has forgotten the line; a new one begins."""
        self._screen.write(f"{LEAVING_HINT}\n")
        return True

    async def _typed(self, prompt: str) -> str | None:
        with self._screen.prompting(prompt):
            line = await self._lines.next()
        if line is None:
            self._screen.write("\n")  # Ctrl-D leaves the cursor behind the prompt
        return line


@contextmanager
def plain_front() -> Iterator[PlainFront]:
    """While the block runs, standard output and standard error go by the prompt."""
    screen = PlainScreen(sys.stdout, asyncio.get_running_loop())
    with redirect_stdout(screen), redirect_stderr(screen):
        yield PlainFront(screen)
