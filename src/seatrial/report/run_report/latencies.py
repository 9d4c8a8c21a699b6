"""How long answers took, kept as plain numbers (eight bytes each), or counted, as histograms have them."""

from array import array
from bisect import bisect_left
from collections import Counter
from itertools import accumulate

from seatrial.report.run_report.model import LatencyTold


class Latencies:
    """Takes in times in milliseconds."""

    def __init__(self) -> None:
        self._times = array("d")

    def add(self, milliseconds: float | None) -> None:
        """Take in one time; None where no answer came."""
        if milliseconds is not None:
            self._times.append(milliseconds)

    def told(self) -> LatencyTold | None:
        """Their percentiles (nearest rank); None without any."""
        if not self._times:
            return None
        ordered = sorted(self._times)
        return LatencyTold(
            count=len(ordered),
            p50_ms=_ranked(ordered, 0.5),
            p95_ms=_ranked(ordered, 0.95),
            p99_ms=_ranked(ordered, 0.99),
            max_ms=round(ordered[-1], 3),
        )


def of_counts(counts: Counter[float]) -> LatencyTold | None:
    """The same of times in milliseconds of which each was met so often."""
    if not counts:
        return None
    ordered = sorted(counts)
    running = list(accumulate(counts[each] for each in ordered))
    p50, p95, p99 = (round(ordered[bisect_left(running, share * running[-1])], 3) for share in (0.5, 0.95, 0.99))
    return LatencyTold(count=running[-1], p50_ms=p50, p95_ms=p95, p99_ms=p99, max_ms=round(ordered[-1], 3))


def _ranked(ordered: list[float], share: float) -> float:
    """The smallest value that at least this share of all is not larger than."""
    rank = -int(-share * len(ordered) // 1)
    return round(ordered[max(rank, 1) - 1], 3)
