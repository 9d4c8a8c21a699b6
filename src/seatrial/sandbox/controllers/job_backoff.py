"""Pauses before a Job's failed pods are replaced: 10 s, 20 s, 40 s, ... and none after a success.

Source: Kubernetes documentation, "Jobs", Pod backoff failure policy. The intervals themselves are the sandbox's timing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from seatrial.sandbox.api import Object
from seatrial.sandbox.controllers.job_pods import failures_of_index, finished_at, ignored_failures_of_index
from seatrial.sandbox.timing import Timing


@dataclass(frozen=True)
class Failures:
    """Failures in a row.

    Args:
        count: since the last success.
        last: when the last one was.
    """

    count: int = 0
    last: datetime | None = None

    def after(self, succeeded: Iterable[Object], failed: Iterable[Object]) -> "Failures":
        """With pods that have ended since."""
        ends = [(finished_at(pod), True) for pod in succeeded] + [(finished_at(pod), False) for pod in failed]
        count, last = self.count, self.last
        for moment, well in sorted(ends):
            count, last = (0, None) if well else (count + 1, moment)
        return Failures(count, last)

    def seconds_left(self, timing: Timing, now: datetime) -> float:
        """How long to wait before the next pod; 0 for not at all."""
        if not self.count or self.last is None:
            return 0.0
        # The exponent is bounded, since a float overflows at 2**1024.
        pause = timing.job_backoff_base_seconds * 2.0 ** min(self.count - 1, 64)
        pause = min(pause, timing.job_backoff_longest_seconds)
        return max(0.0, pause - (now - self.last).total_seconds())


def failures_of_last(pod: Object) -> Failures:
    """The failures in a row of an index whose last pod this was."""
    return Failures(failures_of_index(pod) + ignored_failures_of_index(pod) + 1, finished_at(pod))
