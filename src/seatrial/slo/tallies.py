"""How many of an objective's values were good and bad, run by run.

Values of one run are seldom independent (pods that were killed together recover together), so runs stay apart. A value
that nobody waited for to its end (right-censored) took longer than that: it is bad where the limit was reached by
then; before, it may have become either.
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from seatrial.policy.objectives import YES_OR_NO, Objective
from seatrial.slo.series import Count, Point


class Tally(msgspec.Struct, frozen=True):
    """One run: `unknown` may be good or bad; `at` is when the first was measured."""

    good: int
    bad: int
    unknown: int
    at: float

    def at_worst(self) -> Count:
        """What is unknown counted as bad."""
        return Count(self.good, self.bad + self.unknown, self.at)

    def at_best(self) -> Count:
        """What is unknown counted as good."""
        return Count(self.good + self.unknown, self.bad, self.at)


class Sums(msgspec.Struct, frozen=True):
    """All runs together."""

    good: int
    bad: int
    unknown: int
    runs: int

    @property
    def samples(self) -> int:
        """How many there are."""
        return self.good + self.bad + self.unknown


def is_good(point: Point, objective: Objective) -> bool | None:
    """Whether a value keeps to the limit; None where nobody can tell."""
    return _judge_of(objective)(point)


def tally_points(points: Sequence[Point], objective: Objective) -> Sequence[Tally]:
    """The values of a measurement, counted by run, in the order of time."""
    is_good = _judge_of(objective)
    runs: dict[tuple[str, int], list[int | float]] = {}
    for point in points:
        key = point.run_id, point.round
        counted = runs.get(key)
        if counted is None:
            counted = runs[key] = [0, 0, 0, point.at]
        good = is_good(point)
        counted[2 if good is None else 0 if good else 1] += 1
    return [Tally(int(good), int(bad), int(unknown), at) for good, bad, unknown, at in runs.values()]


def _judge_of(objective: Objective) -> Callable[[Point], bool | None]:
    """What the objective asks is looked up once, since values are many."""
    below, above = objective.below or 0.0, objective.above
    if objective.measurement in YES_OR_NO:
        return lambda point: point.value > 0
    if above is not None:
        return lambda point: True if point.value >= above else None if point.is_lower_bound else False

    def keeps_to_it(point: Point) -> bool | None:
        if point.is_lower_bound:
            return False if point.value >= below else None
        return point.value <= below

    return keeps_to_it


def tally_counts(counts: Iterable[Count]) -> Sequence[Tally]:
    """The samples of probes, counted by run already; runs without any are left out."""
    return [Tally(each.good, each.bad, 0, each.at) for each in counts if each.good + each.bad]


def sums_of(tallies: Iterable[Tally]) -> Sums:
    """All runs together."""
    good = bad = unknown = runs = 0
    for each in tallies:
        good, bad, unknown, runs = good + each.good, bad + each.bad, unknown + each.unknown, runs + 1
    return Sums(good, bad, unknown, runs)
