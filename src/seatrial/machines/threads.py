"""Calls that block, each in a thread of its own: for SDKs that know no other way.

The threads don't outlive the program: one that hangs in a connection delays neither an interrupted wait nor the exit,
where Python's own pools are waited for. A call whose asker has gone keeps its place until it returns, so that there are
never more at once than was said.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

T = TypeVar("T")


class Threads:
    """At most `most` calls at once; further ones wait for a place."""

    def __init__(self, most: int, *, name: str) -> None:
        self._places = asyncio.Semaphore(most)
        self._name = name

    async def run(self, call: Callable[[], T]) -> T:
        """What the call returns or raises; where the wait is cancelled, the call runs on by itself."""
        await self._places.acquire()
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[T] = loop.create_future()

        def work() -> None:
            try:
                settle = partial(outcome.set_result, call())
            except BaseException as error:  # noqa: BLE001 -- raised where it is waited for
                settle = partial(outcome.set_exception, error)
            with contextlib.suppress(RuntimeError):  # the loop has ended, and with it whoever waited
                loop.call_soon_threadsafe(done, settle)

        def done(settle: Callable[[], None]) -> None:
            self._places.release()
            if not outcome.cancelled():
                settle()

        try:
            threading.Thread(target=work, name=self._name, daemon=True).start()
        except RuntimeError:
            self._places.release()
            raise
        return await outcome
