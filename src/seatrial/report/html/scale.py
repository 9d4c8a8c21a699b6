"""A scale: where values lie in a picture, and the round figures that are written on it."""

import math
from collections.abc import Sequence

import msgspec

_STEPS = (1, 2, 2.5, 5, 10)
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_TIME_STEPS = (
    *(each * _MINUTE for each in (1, 2, 5, 10, 15, 30)),
    *(each * _HOUR for each in (1, 2, 3, 6, 12)),
    *(each * _DAY for each in (1, 2, 7, 14, 28, 91, 365)),
)


class Scale(msgspec.Struct, frozen=True):
    """A straight scale from `low` to `high`, which lie at `start` and `end` in the picture."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Where a value lies; what is beyond an end lies at that end."""
        share = (value - self.low) / ((self.high - self.low) or 1)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def ticks(self, most: int = 6) -> Sequence[float]:
        """Round figures on it, some of them."""
        span = self.high - self.low
        if span <= 0:
            return [self.low]
        power = 10.0 ** math.floor(math.log10(span / most))
        return self._at_each(next(each * power for each in _STEPS if span / (each * power) <= most))

    def time_ticks(self, most: int = 6) -> Sequence[float]:
        """The same for seconds: round figures of minutes, hours and days, too."""
        span = self.high - self.low
        if span <= most * _MINUTE / 2:
            return self.ticks(most)
        steps = (each for each in _TIME_STEPS if span / each <= most)
        return self._at_each(next(steps, span / most))

    def _at_each(self, step: float) -> Sequence[float]:
        first = math.ceil(self.low / step - 1e-9)
        count = math.floor(self.high / step + 1e-9) - first + 1
        return [float(f"{(first + number) * step:.12g}") for number in range(count)]
