"""Work that cancellation can't reach, such as undo.

`asyncio.shield` alone is not enough: it protects the inner task but lets the outer wait end at the first
cancellation, and at the second nobody waits any more. Here the wait begins again each time.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def uncancellable(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end whatever happens to the caller, then pass on a cancellation that came meanwhile.

    Raises:
        asyncio.CancelledError: the caller was cancelled while the work ran; the work is done all the same.
    """
    task = asyncio.create_task(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            cancelled = True
        except BaseException:  # noqa: BLE001 -- the task's own, raised below by result()
            break
    result = task.result()
    if cancelled:
        raise asyncio.CancelledError
    return result
