"""One watch of the live view, of everything or of a namespace, and what becomes of it where it is refused.

A stream that breaks is opened again by `kube.watch`. What that gives up (a list or a watch that is refused) is tried
again here: now and then, and at once when somebody wants to look. So a kind that may be listed and not watched is as
old as the last look, and says so.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

from seatrial.errors import ClusterError
from seatrial.kube.errors import UnexpectedAnswer
from seatrial.kube.reduction import Reduced
from seatrial.kube.watch import Watch, WatchEvent

T = TypeVar("T", bound=Reduced)

AGAIN_SECONDS = 10.0
"""Between two tries of what was refused, unless somebody asks."""
# So long whoever looks waits for another look, before what is known has to do.
_LOOK_SECONDS = 3.0
STRETCH_SECONDS = 0.005
"""How long changes are taken at a stretch while others wait for the event loop."""

_log = logging.getLogger(__name__)


class Following(Generic[T]):
    """One watch: `settled` once it is listed or refused (`error`)."""

    def __init__(
        self,
        opened: Callable[[], Watch[T]],
        *,
        take_list: Callable[[Sequence[T]], Awaitable[None]],
        take: Callable[[WatchEvent[T]], None],
    ) -> None:
        """`opened` makes a watch; `take_list` gets what it lists, `take` each change."""
        self.settled = asyncio.Event()
        self.is_listed = False
        self.error: ClusterError | None = None
        self.failed_at = 0.0
        self._opened = opened
        self._take_list = take_list
        self._take = take
        self._watch: Watch[T] | None = None
        self._seen_until = 0.0
        self._wanted = asyncio.Event()
        self._look = asyncio.Event()
        self._next_look = asyncio.Event()

    @property
    def is_over(self) -> bool:
        """Whether it was refused before it had anything."""
        return self.settled.is_set() and not self.is_listed

    @property
    def problem(self) -> ClusterError | None:
        """Why changes don't arrive: what the last try ended with, until a stream is open again."""
        return None if self._watch is not None and self._watch.has_streamed else self.error

    @property
    def seen_until(self) -> float:
        """The event loop's time up to which changes have been seen."""
        return self._seen_until if self._watch is None else self._watch.seen_until

    async def look(self) -> None:
        """Return when it is settled; where changes don't arrive, another look is taken first."""
        if self.is_listed and self.problem is not None:
            self._wanted.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._next_look.wait()
        await self.settled.wait()

    async def follow(self) -> None:
        """Follow until cancelled. Refused before it had anything, it ends; refused later, it tries on."""
        while True:
            self._look, self._next_look = self._next_look, asyncio.Event()
            try:
                await self._follow_once()
            except ClusterError as error:
                self.error = error
            except Exception as error:  # noqa: BLE001 -- one object that nobody thought of must not end the shell
                _log.exception("the live view came upon something that it can't read")
                self.error = UnexpectedAnswer(f"what the API server has can't be read: {error!r}")
            if self._watch is not None:
                self._seen_until, self._watch = self._watch.seen_until, None
            self.failed_at = asyncio.get_running_loop().time()
            self.settled.set()
            self._look.set()
            if self.is_over:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(AGAIN_SECONDS):
                    await self._wanted.wait()
            self._wanted.clear()

    async def _follow_once(self) -> None:
        """List, and take what changes, until that is refused."""
        loop = asyncio.get_running_loop()
        async with self._opened() as watch:
            await self._take_list(watch.snapshot)
            watch.snapshot = []  # what is deleted shall not be kept
            self._watch, self.is_listed = watch, True
            self.settled.set()
            self._look.set()
            since = loop.time()
            async for event in watch:
                self._take(event)
                if loop.time() - since > STRETCH_SECONDS:
                    await asyncio.sleep(0)
                    since = loop.time()
