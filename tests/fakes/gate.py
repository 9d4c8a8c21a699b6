"""A door that every request to a fake goes through: it may be shut, and changes may be answered with an error."""

import asyncio
from contextlib import contextmanager


class Gate:
    """`refused` are answers to the next changes, none of which is made; `changes` counts those that came.

    `waiting` says that somebody stands before it, `asked` that a change came.
    """

    def __init__(self):
        self.refused = []
        self.changes = 0
        self.asked = asyncio.Event()
        self.waiting = asyncio.Event()
        self._open = asyncio.Event()
        self._open.set()

    async def passed(self, *, is_change):
        """None, or the answer for this request."""
        if not self._open.is_set():
            self.waiting.set()
            await self._open.wait()
        if is_change:
            self.changes += 1
            self.asked.set()
        return self.refused.pop(0)() if is_change and self.refused else None

    @contextmanager
    def shut(self):
        """Nobody is answered meanwhile."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()
