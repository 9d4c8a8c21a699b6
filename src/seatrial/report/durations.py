"""Spans of time as people read them, one or many."""

import statistics
from collections.abc import Sequence


def duration(milliseconds: float) -> str:
    """A span of time as people read it."""
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def distribution(times: Sequence[float]) -> dict[str, float] | None:
    """Smallest, median, 95th percentile (inclusive method) and largest of some times; None without any."""
    if not times:
        return None
    p95 = statistics.quantiles(times, n=20, method="inclusive")[-1] if len(times) > 1 else times[0]
    figures = {"min": min(times), "p50": statistics.median(times), "p95": p95, "max": max(times)}
    return {name: round(value, 1) for name, value in figures.items()} | {"count": len(times)}


def spread(times: Sequence[float]) -> str:
    """Some times in few words."""
    figures = distribution(times)
    if figures is None:
        return "-"
    if len(times) == 1:
        return duration(figures["p50"])
    return f"{duration(figures['p50'])} (median; {duration(figures['min'])} to {duration(figures['max'])})"
