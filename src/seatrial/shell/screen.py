"""Standard output of a shell with a prompt: what is written while the prompt is shown stands above it.

prompt_toolkit's own `patch_stdout` writes from a thread: what it still holds when a prompt begins or ends lands in the
middle of that. Here everything is written by the event loop, whole lines at a time, and what comes within a moment is
written at once, so that the prompt is drawn anew once and not a hundred times.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from prompt_toolkit.application import get_app_or_none, run_in_terminal

from seatrial.shell.standard_output import StandardOutput

_GATHERING_SECONDS = 0.03


class Screen(StandardOutput):
    """Stands for `sys.stdout` and `sys.stderr`; `terminal` is where it all goes. Any thread may write."""

    def __init__(self, terminal: TextIO, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(terminal, loop)
        self._kept: list[str] = []
        self._is_lent = False
        self._timer: asyncio.TimerHandle | None = None

    def write(self, text: str) -> int:
        """Write at once where there is no prompt, else above it in a moment."""
        if self._is_free:
            self._terminal.write(text)
        else:
            self._kept.append(text)
            if "\n" in text:
                self._loop.call_soon_threadsafe(self._show_soon)
        return len(text)

    def flush(self) -> None:
        """Let the terminal have what may be written."""
        if self._is_free:
            self._terminal.flush()

    def release(self) -> None:
        """Write what was kept; there is no prompt in its way."""
        text = "".join(self._kept)
        self._kept.clear()
        self.write_through(text)

    def write_through(self, text: str) -> None:
        """Write at once: the prompt has made way."""
        self._terminal.write(text)
        self._terminal.flush()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """While the block runs, the terminal is another program's: what is written meanwhile is written after it."""
        self._terminal.flush()
        self._is_lent = True
        try:
            yield
        finally:
            self._is_lent = False
            self.release()

    @property
    def _is_free(self) -> bool:
        return not self._is_lent and not self._has_prompt

    @property
    def _has_prompt(self) -> bool:
        app = get_app_or_none()
        return app is not None and app.is_running

    def _show_soon(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(_GATHERING_SECONDS, self._show)

    def _show(self) -> None:
        self._timer = None
        if not self._is_lent:
            run_in_terminal(self._release_lines)  # where the prompt has gone meanwhile, at once

    def _release_lines(self) -> None:
        """Write the lines that are whole: what a prompt is drawn after would be overwritten."""
        lines, newline, rest = "".join(self._kept).rpartition("\n")
        self._kept[:] = [rest] if rest else []
        self.write_through(lines + newline)
