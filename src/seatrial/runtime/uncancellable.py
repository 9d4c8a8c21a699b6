"""Work that cancellation can't reach, such as undo.

`asyncio.shield` alone is not enough: it protects the inner task but lets the outer wait end at the first
cancellation, and at the second nobody waits any more. Here the wait begins again each time.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from seatrial.errors import SeatrialError

_log = logging.getLogger(__name__)

T = TypeVar("T")


async def uncancellable(work: Coroutine[Any, Any, T], *, on_cancel: Callable[[int], None] | None = None) -> T:
    """Run `work` to its end whatever happens to the caller, then pass on a cancellation that came meanwhile.

    Args:
        work: what is to be done.
        on_cancel: is told of each cancellation, and how many there were, this one included.

    Raises:
        asyncio.CancelledError: the caller was cancelled while the work ran; the work is done all the same, and what it
            failed with is the cause.
    """
    task = asyncio.create_task(work)
    cancelled = 0
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            cancelled += 1
            if on_cancel is not None:
                on_cancel(cancelled)
        except BaseException:  # noqa: BLE001 -- the task's own, raised below
            break
    if cancelled:
        error = task.exception()
        if error is not None and not isinstance(error, SeatrialError):
            _log.error("what went on after a cancellation broke", exc_info=error)
        # Also where the work failed: who was asked to stop must not go on because of an error.
        raise asyncio.CancelledError from error
    return task.result()
