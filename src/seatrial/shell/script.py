"""Commands from `-c` or from standard input that is no terminal: nobody can be asked."""

import asyncio
import sys
from collections.abc import Sequence


class ScriptFront:
    """The `Front` of scripts."""

    is_interactive = False

    def __init__(self, commands: Sequence[str] | None = None) -> None:
        """Those commands, or without any those of standard input, line by line as they come."""
        self._commands = None if commands is None else list(commands)

    async def next_line(self) -> str | None:
        """The next command or line."""
        if self._commands is not None:
            return self._commands.pop(0) if self._commands else None
        # The thread that reads is left behind at exit: nothing can wake it.
        line = await asyncio.to_thread(sys.stdin.readline)
        return line or None

    async def ask(self, question: str) -> str:  # noqa: ARG002 -- there is nobody to ask
        """Nothing: there is nobody."""
        return ""
