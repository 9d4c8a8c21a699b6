"""Commands from `-c` or from standard input that is no terminal: nobody can be asked."""

from collections.abc import Sequence

from seatrial.shell.standard_input import InputLines

_STANDARD_INPUT = 0


class ScriptFront:
    """The `Front` of scripts."""

    is_interactive = False

    def __init__(self, commands: Sequence[str] | None = None) -> None:
        """Those commands, or without any those of standard input, line by line as they come."""
        self._commands = None if commands is None else list(commands)
        self._lines = InputLines(_STANDARD_INPUT)

    async def next_line(self) -> str | None:
        """The next command or line."""
        if self._commands is not None:
            return self._commands.pop(0) if self._commands else None
        return await self._lines.next()

    async def ask(self, question: str) -> str:  # noqa: ARG002 -- there is nobody to ask
        """Nothing: there is nobody."""
        return ""

    async def shown(self) -> None:
        """There is no prompt to wait for."""

    def interrupt(self) -> bool:
        """A script ends at Ctrl-C."""
        return False
