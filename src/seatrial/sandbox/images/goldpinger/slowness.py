"""A goldpinger that is now and then slow, for experiments that look for that. The real one has no such options.

Environment variables of the container, all without effect by default:

    SANDBOX_SLOW_START_SHARE     the share of instances, from 0 to 1, that are slow to start
    SANDBOX_SLOW_START           how long such an instance waits before it listens (a Go duration: 3s)
    SANDBOX_SLOW_ANSWER_SHARE    the share of requests that are answered slowly
    SANDBOX_SLOW_ANSWER          how long such a request waits for its answer
"""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seatrial.sandbox.images.goldpinger.settings import SettingError, seconds

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware


@dataclass(frozen=True, kw_only=True)
class Slowness:
    """How often an instance is slow, and how slow it is then, in seconds."""

    start_share: float = 0.0
    start_seconds: float = 0.0
    answer_share: float = 0.0
    answer_seconds: float = 0.0

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "Slowness":
        """What the container's variables say; raises `SettingError`."""
        try:
            found = cls(
                start_share=float(environ.get("SANDBOX_SLOW_START_SHARE", "0")),
                start_seconds=seconds(environ.get("SANDBOX_SLOW_START", "0s")),
                answer_share=float(environ.get("SANDBOX_SLOW_ANSWER_SHARE", "0")),
                answer_seconds=seconds(environ.get("SANDBOX_SLOW_ANSWER", "0s")),
            )
        except ValueError as error:
            raise SettingError(str(error)) from error
        for name, share in (("START", found.start_share), ("ANSWER", found.answer_share)):
            if not 0 <= share <= 1:
                raise SettingError(f"SANDBOX_SLOW_{name}_SHARE is {share:g}; it must be between 0 and 1")
        return found

    async def wait_to_start(self) -> None:
        """Wait, where this instance is one of the slow ones."""
        if random.random() < self.start_share:  # noqa: S311 -- no secret
            await asyncio.sleep(self.start_seconds)

    def middleware(self) -> "Middleware":
        """Lets requests wait, where they are among the slow ones."""
        from aiohttp import web  # noqa: PLC0415 -- heavy: loaded when an instance runs

        @web.middleware
        async def wait_to_answer(request: web.Request, handler: "Handler") -> web.StreamResponse:
            if random.random() < self.answer_share:  # noqa: S311 -- no secret
                await asyncio.sleep(self.answer_seconds)
            return await handler(request)

        return wait_to_answer
