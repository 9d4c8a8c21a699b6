"""Large answers leave no memory behind.

A list of thousands of objects is made of as many small pieces, which the C library keeps for itself when they are
freed: the server would stay as large as its largest answer made it. And what is written to a TLS connection at once is
held by its buffer as long as the connection lives, so large answers are written in slices.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from aiohttp import web

from seatrial.sandbox.kubelet.process import return_free_memory

_LARGE_BYTES: Final = 4 * 1024 * 1024
_PAUSE_SECONDS: Final = 1.0
_SLICE_BYTES: Final = 256 * 1024


class SlicedResponse(web.Response):
    """An answer that is written in slices, each when the client has taken the one before."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Write the body, or what HEAD leaves of it."""
        body = self.body
        if data or not isinstance(body, bytes) or len(body) <= _SLICE_BYTES or self._must_be_empty_body:
            await super().write_eof(data)
            return
        for start in range(0, len(body), _SLICE_BYTES):
            await self.write(body[start : start + _SLICE_BYTES])
        await web.StreamResponse.write_eof(self)


class FreeMemory:
    """Returned once for all large answers of a moment, when they have been sent."""

    def __init__(
        self, *, give_back: Callable[[], None] = return_free_memory, pause_seconds: float = _PAUSE_SECONDS
    ) -> None:
        self._give_back = give_back
        self._pause_seconds = pause_seconds
        self._timer: asyncio.TimerHandle | None = None

    def after(self, response: web.StreamResponse) -> None:
        """Return what this answer will leave behind, if it is large."""
        if self._timer is not None or not isinstance(response, web.Response):
            return
        if isinstance(response.body, bytes) and len(response.body) > _LARGE_BYTES:
            self._timer = asyncio.get_running_loop().call_later(self._pause_seconds, self._return)

    def _return(self) -> None:
        self._timer = None
        self._give_back()

    def close(self) -> None:
        """Return nothing more."""
        if self._timer is not None:
            self._timer.cancel()
