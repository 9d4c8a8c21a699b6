"""Pauses before something that failed is tried again, as the kubelet takes them.

The first failure is followed by a retry at once, the second by a pause of 10 s, doubled up to 5 minutes; 10 minutes
without a failure and it starts over (Kubernetes, "Pod Lifecycle", container restarts; the same for image pulls,
which pause after the first failure too).
"""

from typing import Final

LONGEST_SECONDS: Final = 300.0
# Twice the longest pause without a failure: forgotten.
FORGET_SECONDS: Final = 2 * LONGEST_SECONDS


class RestartBackoff:
    """When a container may be started again.

    Args:
        base_seconds: the first pause.
        longest_seconds: the last.
        forget_seconds: running for so long, it starts over.
    """

    def __init__(
        self,
        *,
        base_seconds: float,
        longest_seconds: float = LONGEST_SECONDS,
        forget_seconds: float = FORGET_SECONDS,
    ) -> None:
        self._base = base_seconds
        self._longest = longest_seconds
        self._forget = forget_seconds
        self._pause = 0.0
        self._last_start = 0.0

    @property
    def seconds(self) -> float:
        """The pause that applies to the next restart, counted from the container's end."""
        return self._pause

    def remaining(self, *, finished_at: float, now: float) -> float:
        """How long to wait before the next start, for a container that ended at `finished_at`."""
        if self._pause and finished_at - self._last_start > self._forget:
            self._pause = 0.0
        # Never longer than the pause itself, wherever the clock was set to meanwhile.
        return min(max(finished_at + self._pause - now, 0.0), self._pause)

    def started(self, *, now: float) -> None:
        """Take note of a restart: the next pause is longer."""
        self._pause = min(self._pause * 2, self._longest) if self._pause else self._base
        self._last_start = now
