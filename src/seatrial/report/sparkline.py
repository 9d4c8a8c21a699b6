"""A row of small bars: the latest values of a measurement, the oldest first.

Good values are drawn by their height, all of them lower than a bad one, which is always a full bar: what is wrong shows
without colours.
"""

from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆"
_BAD = "█"
_PLAIN_BARS = "_.-=+*"
_PLAIN_BAD = "#"


def sparkline(values: Sequence[tuple[float, bool]], *, plain: bool = False) -> str:
    """A bar for each value, which is good or not; `plain` is for terminals that know ASCII only."""
    bars, bad = (_PLAIN_BARS, _PLAIN_BAD) if plain else (_BARS, _BAD)
    highest = max((value for value, is_good in values if is_good), default=0.0)
    return "".join(_bar(value, highest, bars) if is_good else bad for value, is_good in values)


def _bar(value: float, highest: float, bars: str) -> str:
    if highest <= 0:
        return bars[0]
    return bars[min(len(bars) - 1, int(value / highest * len(bars)))]
