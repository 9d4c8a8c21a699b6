"""Spans of time from seconds to centuries, as people write them: `30m`, `4h`, `1w`, `5y`."""

import math
import re

from seatrial.errors import UsageError

MINUTE = 60.0
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY
YEAR = 365.25 * DAY
"""The Julian year: five of them are 1826 days."""

_UNITS = {"s": 1.0, "m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK, "y": YEAR}
_WORDS = ((YEAR, "years"), (DAY, "days"), (HOUR, "hours"), (MINUTE, "minutes"), (1.0, "seconds"))


def parse_span(text: str) -> float:
    """The seconds of a span.

    Raises:
        UsageError: it is no positive number with a unit.
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smhdwy])", text.strip())
    if not found or not 0 < float(found[1]) < math.inf:
        raise UsageError(f"'{text}' is no span of time", hint="a number and one of s, m, h, d, w, y, such as 5y or 36h")
    return float(found[1]) * _UNITS[found[2]]


def span_in_words(seconds: float) -> str:
    """A span with two or three digits, in the largest unit of which there is more than one and a half."""
    size, word = next(((size, word) for size, word in _WORDS if seconds >= 1.5 * size), _WORDS[-1])
    count = seconds / size
    return f"{count:,.0f} {word}" if count >= 100 else f"{count:.3g} {word}"
