"""What an API server's requests can be made to suffer, for testing clients; plain data, part of a sandbox's order.

`control.disturber` makes them suffer it.
"""

from dataclasses import dataclass
from typing import Final

from seatrial.errors import UsageError

_LONGEST_LATENCY_SECONDS: Final = 60.0
STATUSES: Final = (429, 500, 503, 504)


@dataclass(frozen=True, kw_only=True)
class Disturbance:
    """What requests suffer.

    Args:
        latency_seconds: how long each is held up; at most 60.
        jitter_seconds: by how much more or less, at random; at most the latency.
        error_rate: the share that fails, 0 to 1.
        status: what the failing ones are answered: 429, 500, 503 or 504.
    """

    latency_seconds: float = 0.0
    jitter_seconds: float = 0.0
    error_rate: float = 0.0
    status: int = 500

    def __post_init__(self) -> None:
        if not 0 <= self.latency_seconds <= _LONGEST_LATENCY_SECONDS:
            raise UsageError(f"the latency is 0 to {_LONGEST_LATENCY_SECONDS:g} s, not {self.latency_seconds:g} s")
        if not 0 <= self.jitter_seconds <= self.latency_seconds:
            raise UsageError(f"the jitter is at most the latency, not {self.jitter_seconds:g} s")
        if not 0 <= self.error_rate <= 1:
            raise UsageError(f"the error rate is a share between 0 and 1, not {self.error_rate:g}")
        if self.status not in STATUSES:
            raise UsageError(f"the status of errors is one of {', '.join(map(str, STATUSES))}, not {self.status}")


CALM: Final = Disturbance()
