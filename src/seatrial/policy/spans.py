"""Spans of time from seconds to centuries, as people write them: `30m`, `4h`, `1w`, `5y`."""

import re

from seatrial.errors import UsageError

MINUTE = 60.0
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY
YEAR = 365.25 * DAY
"""The Julian year: five of them are 1826 days."""

SPAN_PATTERN = r"(?=[0-9.]*[1-9])[0-9]+(?:\.[0-9]+)?[smhdwy]"

_UNITS = {"s": 1.0, "m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK, "y": YEAR}
_WORDS = ((YEAR, "years"), (DAY, "days"), (HOUR, "hours"), (MINUTE, "minutes"), (1.0, "seconds"))
_SHORTEST, _LONGEST = 1e-3, 1e6 * YEAR
# Nothing lasts longer; and arithmetic with it still has room.
_MOST = 1e12 * YEAR


def parse_span(text: str) -> float:
    """The seconds of a span.

    Raises:
        UsageError: it is no positive number with a unit.
    """
    found = text.strip()
    if re.fullmatch(SPAN_PATTERN, found):
        seconds = float(found[:-1]) * _UNITS[found[-1]]
        if 0 < seconds <= _MOST:
            return seconds
    raise UsageError(f"'{text}' is no span of time", hint="a number and one of s, m, h, d, w, y, such as 5y or 36h")


def span_in_words(seconds: float) -> str:
    """A span with two or three digits, in the largest unit of which there is more than one and a half."""
    if seconds < _SHORTEST:
        return "less than a millisecond"
    if seconds > _LONGEST:
        return "more than a million years"
    size, word = next(((size, word) for size, word in _WORDS if seconds >= 1.5 * size), _WORDS[-1])
    count = seconds / size
    return f"{count:,.0f} {word}" if count >= 99.95 else f"{count:.3g} {word}"
