"""A row of small bars: the latest values of a measurement, the oldest first.

Good values are drawn by their height, all of them lower than a bad one, which is always a full bar: what is wrong shows
without colours. The middle of the scale is the median of all values, bad ones too: one that is far out flattens none of
the others, and objectives with different limits draw the same value alike.
"""

import math
from collections.abc import Sequence
from statistics import median_low

_BARS = "▁▂▃▄▅▆"
_BAD = "█"
_PLAIN_BARS = "_.-=+*"
_PLAIN_BAD = "#"


def sparkline(values: Sequence[tuple[float, bool]], *, plain: bool = False) -> str:
    """A bar for each value, which is good or not; `plain` is for terminals that know ASCII only."""
    bars, bad = (_PLAIN_BARS, _PLAIN_BAD) if plain else (_BARS, _BAD)
    seen = [value for value, _ in values if math.isfinite(value)]
    top = 2 * median_low(seen) or max(seen) if seen else 0.0
    return "".join(_bar(value, top, bars) if is_good else bad for value, is_good in values)


def _bar(value: float, top: float, bars: str) -> str:
    if top <= 0:
        return bars[0]
    return bars[int(min(value / top * len(bars), len(bars) - 1))]
