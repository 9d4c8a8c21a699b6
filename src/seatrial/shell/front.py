"""What the shell talks to: a person at a terminal (`prompt`, `plain`), or nobody, who can't be asked (`script`)."""

from typing import Protocol


class Front(Protocol):
    """Where lines come from and questions go to; `is_interactive` tells whether somebody may be asked.

    Of somebody who was told and typed something wrong, the next line is awaited; a script ends at its first error.
    """

    is_interactive: bool

    async def next_line(self) -> str | None:
        """The next line or lines to carry out; None when there are no more."""
        ...

    async def ask(self, question: str) -> str:
        """What somebody answers to a question, without blanks at its ends; empty where nobody can be asked."""
        ...

    async def shown(self) -> None:
        """Return when the first prompt is seen: what takes long to load waits for that."""
        ...

    def interrupt(self) -> bool:
        """Ctrl-C came while a line is awaited: forget what was typed of it. False where it means to leave."""
        ...
