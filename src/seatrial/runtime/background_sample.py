"""A sample of a probe that is taken beside the steps, on a schedule: what its looks need to know, and what they tell.

A user who comes when the sample is due waits from then, however late the looking begins. Times are therefore counted
from that moment; if they were counted from the beginning of each request, whatever keeps requests from beginning would
hide just the longest ones (coordinated omission).
"""

import msgspec


class BackgroundSample(msgspec.Struct):
    """One sample of the probe that is called `probe`, which began so many seconds after it was due."""

    probe: str
    late_seconds: float = 0.0
    latency_ms: float | None = None
    """From when it was due to its answer, the slowest of its looks; None until there is one."""

    def answered(self, *, after_seconds: float) -> float:
        """An answer came so long after its look's first try began; tells the milliseconds since the sample was due."""
        ms = (self.late_seconds + after_seconds) * 1000
        self.latency_ms = max(ms, self.latency_ms or 0.0)
        return ms
