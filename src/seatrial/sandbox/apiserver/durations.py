"""Spans of time as kubectl and the server's tables print them: `5s`, `2m10s`, `3d`."""

import datetime as dt


def human_duration(seconds: float) -> str:
    """A span with at most two units, coarser the longer it is."""
    total = int(seconds)
    if total < -1:
        return "<invalid>"
    total = max(total, 0)
    minutes, hours, days = total // 60, total // 3600, total // 86400
    steps = (
        (total < 120, f"{total}s"),
        (minutes < 10, _two(minutes, "m", total % 60, "s")),
        (minutes < 180, f"{minutes}m"),
        (hours < 8, _two(hours, "h", minutes % 60, "m")),
        (hours < 48, f"{hours}h"),
        (days < 8, _two(days, "d", hours % 24, "h")),
        (days < 730, f"{days}d"),
        (days < 2920, _two(days // 365, "y", days % 365, "d")),
    )
    return next((text for fits, text in steps if fits), f"{days // 365}y")


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"


def seconds_between(start: str | None, end: dt.datetime | str | None = None) -> float | None:
    """Seconds from one time to another, or to this moment; None where a time is missing."""
    if not start:
        return None
    if end is None:
        end = dt.datetime.now(dt.UTC)
    elif isinstance(end, str):
        end = dt.datetime.fromisoformat(end)
    return (end - dt.datetime.fromisoformat(start)).total_seconds()


def age(start: str | None, *, missing: str = "<unknown>") -> str:
    """How long ago a time is."""
    seconds = seconds_between(start)
    return missing if seconds is None else human_duration(seconds)
