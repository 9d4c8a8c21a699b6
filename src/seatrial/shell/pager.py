"""What is longer than the window is shown by a pager: `$PAGER`, else `less`, which ends by itself where it all fits."""

import asyncio
import contextlib
import shlex
from collections.abc import Callable, Mapping

from seatrial.environment import users_environment
from seatrial.errors import ConfigurationError
from seatrial.shell.screen import Screen

# As git has it: colours are kept, what fits is only printed, and stays on the screen; lines are cut, not wrapped. And
# the line below tells somebody who never met `less` how to get out.
_LESS = "-FRSX -Ps space goes on, / searches, q goes back $"


class Pager:
    """Takes what a command wrote, and shows it when the command has ended: only then has the terminal no other use."""

    def __init__(self, screen: Screen, *, height: Callable[[], int], environ: Mapping[str, str] | None = None) -> None:
        """`height` is that of the window, in lines.

        Raises:
            ConfigurationError: `$PAGER` is no command.
        """
        environ = users_environment() if environ is None else environ
        self._screen = screen
        self._height = height
        self._environ = {"LESS": _LESS, **environ}
        self._command = _command(environ.get("PAGER", "less"))
        self._pages: list[str] = []

    def take(self, text: str) -> None:
        """Write the text, or keep it for the pager where it is too long for the window."""
        if self._command and text.count("\n") >= self._height():
            self._pages.append(text)
        else:
            self._screen.write(text)

    async def show(self) -> None:
        """Show what was kept, and return when the reader has seen enough."""
        text = "".join(self._pages)
        self._pages.clear()
        if text:
            with self._screen.lent():
                is_shown = await self._page(text)
            if not is_shown:
                self._screen.write(text)

    async def _page(self, text: str) -> bool:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.PIPE, env=self._environ
            )
        except OSError:  # there is no such program
            return False
        try:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it was left before the end
                await process.communicate(text.encode())
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()
        return True


def _command(pager: str) -> list[str]:
    try:
        return shlex.split(pager)
    except ValueError as error:
        message = f"PAGER is no command: {pager} ({str(error).lower()})"
        raise ConfigurationError(message, hint="quote as in a shell, or say --no-pager") from None
