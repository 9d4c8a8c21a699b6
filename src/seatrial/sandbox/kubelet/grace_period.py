"""How long a pod may still take to end: a deadline that can come nearer, never recede."""

import asyncio


class GracePeriod:
    """Counts from now.

    Args:
        seconds: how long; none for a pod that is to be killed at once.
    """

    def __init__(self, seconds: float) -> None:
        self._clock = asyncio.get_running_loop().time
        self._deadline = self._clock() + seconds
        self._shortened = asyncio.Event()

    @property
    def left_seconds(self) -> float:
        """What is left of it."""
        return max(self._deadline - self._clock(), 0.0)

    def shorten(self, seconds: float) -> None:
        """End after this time from now, if that is earlier."""
        deadline = self._clock() + seconds
        if deadline < self._deadline:
            self._deadline = deadline
            self._shortened.set()

    async def wait_expired(self) -> None:
        """Wait for its end."""
        while self.left_seconds > 0:
            self._shortened.clear()
            try:
                async with asyncio.timeout(self.left_seconds):
                    await self._shortened.wait()
            except TimeoutError:
                return
