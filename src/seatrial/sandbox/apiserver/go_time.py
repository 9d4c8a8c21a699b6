"""Times as Go's parser reads them (RFC 3339), and what it says about a text that is none."""

import datetime as dt
import re
from typing import Final

_LAYOUT: Final = "2006-01-02T15:04:05Z07:00"
_PARTS: Final = ("2006", "-", "01", "-", "02", "T", "15", ":", "04", ":", "05")
_TIME: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})\Z", re.ASCII)


def complaint_about(text: str) -> str:
    """Why a text is no time: where the parser stops, and at which part of the layout; empty for a time."""
    if not _TIME.match(text):
        rest, part = _stopped_at(text)
        return f'parsing time "{text}" as "{_LAYOUT}": cannot parse "{rest}" as "{part}"'
    try:
        dt.datetime.fromisoformat(text)
    except ValueError:
        return f'parsing time "{text}": {_out_of_range(text)} out of range'
    return ""


def _stopped_at(text: str) -> tuple[str, str]:
    rest = text
    for part in _PARTS:
        piece = rest[: len(part)]
        is_number = piece.isascii() and piece.isdigit() and len(piece) == len(part)
        if not (is_number if part.isdigit() else piece == part):
            return rest, part
        rest = rest[len(part) :]
    if rest.startswith("."):
        rest = rest[1:].lstrip("0123456789")
    return rest, "Z07:00"


def _out_of_range(text: str) -> str:
    limits = (("month", 5, 1, 12), ("hour", 11, 0, 23), ("minute", 14, 0, 59), ("second", 17, 0, 59))
    wrong = (name for name, start, least, most in limits if not least <= int(text[start : start + 2]) <= most)
    return next(wrong, "day")
