"""How often bounds are right: counted over all that may happen where that can be done, by simulation where it can't.

The tests ask for little, `benchmarks/coverage.py` for more: its tables stand in docs/explanation/slo-statistics.md.
"""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from itertools import count as counting
from operator import sub

import msgspec

from seatrial.slo.comparison import compare
from seatrial.slo.distributions import binomial_at_most, student_quantile
from seatrial.slo.intervals import Bounds
from seatrial.slo.quantiles import Estimate
from seatrial.slo.sequential import Decision, SequentialTest
from seatrial.slo.series import Count

NEGLIGIBLE = 1e-12


class Kept(msgspec.Struct, frozen=True):
    """How often a lower and an upper bound were right, as shares."""

    lower: float
    upper: float


class Times(msgspec.Struct, frozen=True):
    """A distribution of times."""

    draw: Callable[[random.Random], float]
    mean: float


TIMES = {
    "normal": Times(lambda draws: draws.gauss(5, 1), 5.0),
    "Weibull, shape 2": Times(lambda draws: draws.weibullvariate(1, 2), math.gamma(1.5)),
    "exponential": Times(lambda draws: draws.expovariate(1), 1.0),
    "Weibull, shape 0.7": Times(lambda draws: draws.weibullvariate(1, 0.7), math.gamma(1 + 1 / 0.7)),
    "lognormal, sigma 0.5": Times(lambda draws: draws.lognormvariate(0, 0.5), math.exp(0.125)),
    "lognormal, sigma 1": Times(lambda draws: draws.lognormvariate(0, 1), math.exp(0.5)),
    "one in ten 10 times as slow": Times(lambda draws: draws.gauss(1, 0.1) * (10 if draws.random() < 0.1 else 1), 1.9),
}


def is_plausible(hits: int, times: int, *, at_least: float) -> bool:
    """Whether what should happen with at least that chance did often enough; by bad luck it didn't once in 10,000."""
    return binomial_at_most(hits, times, at_least) > 1e-4


def binomial_chances(trials: int, share: float) -> list[float]:
    """The chance of each number of successes."""
    return [
        math.exp(
            math.lgamma(trials + 1)
            - math.lgamma(each + 1)
            - math.lgamma(trials - each + 1)
            + each * math.log(share)
            + (trials - each) * math.log1p(-share)
        )
        for each in range(trials + 1)
    ]


def kept_by(bounds: Sequence[Bounds], share: float) -> Kept:
    """How often bounds for a share are right, exactly; there is one pair for each number of successes."""
    lower = upper = 0.0
    for found, chance in zip(bounds, binomial_chances(len(bounds) - 1, share), strict=True):
        lower += chance * (found.lower <= share)
        upper += chance * (found.upper >= share)
    return Kept(lower, upper)


def ever_wrong(bounds: Callable[[int, int], Bounds], share: float, *, looks: int) -> Kept:
    """The chance that bounds for a share of bad runs are wrong at any of so many looks, one after each run; exactly."""
    return Kept(
        ever_called_more(bounds, share, looks=looks, limit=share)[-1],
        ever_called_less(bounds, share, looks=looks, limit=share)[-1],
    )


def ever_called_more(bounds: Callable[[int, int], Bounds], share: float, *, looks: int, limit: float) -> list[float]:
    """The chance that the share was called larger than a limit after so many looks (0, 1, ...), one after each run."""
    return _ever(lambda bad, runs: bounds(bad, runs).lower > limit, share, looks=looks, is_above=True)


def ever_called_less(bounds: Callable[[int, int], Bounds], share: float, *, looks: int, limit: float) -> list[float]:
    """The chance that the share was called smaller than a limit after so many looks (0, 1, ...), one after each run."""
    return _ever(lambda bad, runs: bounds(bad, runs).upper < limit, share, looks=looks, is_above=False)


def _ever(is_called: Callable[[int, int], bool], share: float, *, looks: int, is_above: bool) -> list[float]:
    """The chance that it was called so; it is for all numbers of bad runs from one on, or for all up to one."""
    chances, called = {0: 1.0}, [0.0]
    # The first number of bad runs for which it is (from above), or for which it isn't (from below), never gets less.
    edge = 0
    for runs in range(1, looks + 1):
        chances = _after_another(chances, share)
        edge = next(bad for bad in counting(edge) if bad > runs or is_called(bad, runs) == is_above)
        reached = [bad for bad in chances if (bad >= edge) == is_above]
        called.append(called[-1] + math.fsum(chances.pop(bad) for bad in reached))
    return called


def _after_another(chances: Mapping[int, float], share: float) -> dict[int, float]:
    """The chances of numbers of bad runs after another run."""
    following: dict[int, float] = {}
    for bad, chance in chances.items():
        if chance > NEGLIGIBLE:
            following[bad + 1] = following.get(bad + 1, 0.0) + chance * share
            following[bad] = following.get(bad, 0.0) + chance * (1 - share)
    return following


def ever_wrong_in_windows(
    bounds: Callable[[int, int], Bounds], share: float, *, window: int, rounds: int, limit: float, repeats: int
) -> Kept:
    """The same where only the latest runs are looked at, after each round from a full window on; by simulation."""
    found = [bounds(bad, window) for bad in range(window + 1)]
    draws = random.Random(1)
    lower = upper = 0
    for _ in range(repeats):
        runs = [draws.random() < share for _ in range(rounds)]
        sums = set(accumulate(map(sub, runs[window:], runs), initial=sum(runs[:window])))
        lower += any(found[bad].lower > limit for bad in sums)
        upper += any(found[bad].upper < limit for bad in sums)
    return Kept(lower / repeats, upper / repeats)


def fixed_size(test: SequentialTest) -> int:
    """How many runs a test of fixed size takes that keeps the same chances of error."""
    for runs in counting(1):
        most = next(bad for bad in range(runs + 1) if binomial_at_most(bad, runs, test.acceptable) >= test.confidence)
        if binomial_at_most(most, runs, test.unacceptable) <= 1 - test.power:
            return runs
    raise AssertionError


def course_of(test: SequentialTest, share: float, *, longest: int) -> tuple[float, float, float]:
    """What becomes of a sequential test: chances of accepting and rejecting, and the mean number of runs; exactly."""
    chances = {0: 1.0}
    accepted = rejected = mean = 0.0
    for runs in range(1, longest + 1):
        following, chances = _after_another(chances, share), {}
        for bad, chance in following.items():
            decision = test.decide(bad, runs)
            if decision is None:
                chances[bad] = chance
                continue
            accepted += chance * (decision is Decision.ACCEPTABLE)
            rejected += chance * (decision is Decision.UNACCEPTABLE)
            mean += chance * runs
        if math.fsum(chances.values()) < NEGLIGIBLE:
            break
    return accepted, rejected, mean


def kept_in_simulation(
    bounds: Callable[[Sequence[float]], Estimate],
    draw: Callable[[random.Random], float],
    truth: float,
    *,
    values: int,
    repeats: int,
    seed: int = 1,
) -> Kept:
    """How often bounds of something are right in so many samples; where there is no bound, nothing wrong is said."""
    draws = random.Random(seed)
    lower = upper = 0
    for _ in range(repeats):
        found = bounds([draw(draws) for _ in range(values)])
        lower += found.lower is None or found.lower <= truth
        upper += found.upper is None or found.upper >= truth
    return Kept(lower / repeats, upper / repeats)


def students_bounds(values: Sequence[float], *, confidence: float) -> Estimate:
    """Student's interval for a mean, for comparison."""
    count, mean = len(values), math.fsum(values) / len(values)
    deviation = math.sqrt(math.fsum((each - mean) ** 2 for each in values) / (count - 1) / count)
    reach = student_quantile(confidence, count - 1) * deviation
    return Estimate(mean - reach, mean, mean + reach)


def correlated_counts(
    draws: random.Random, *, runs: int, samples: Sequence[int], bad_share: float, correlation: float
) -> list[Count]:
    """Samples of runs of one of these sizes, each with a share of bad ones of its own (beta-binomial)."""
    concentration = 1 / correlation - 1
    counts = []
    for _ in range(runs):
        share = draws.betavariate(bad_share * concentration, (1 - bad_share) * concentration)
        size = draws.choice(samples)
        bad = sum(draws.random() < share for _ in range(size))
        counts.append(Count(size - bad, bad, 0.0))
    return counts


def kept_by_clusters(
    bounds: Callable[[Sequence[Count]], Bounds],
    *,
    runs: int,
    samples: Sequence[int],
    bad_share: float,
    correlation: float,
    repeats: int,
    seed: int = 1,
) -> Kept:
    """How often bounds for the share of good samples are right where samples of a run resemble each other."""
    draws = random.Random(seed)
    lower = upper = 0
    for _ in range(repeats):
        counts = correlated_counts(draws, runs=runs, samples=samples, bad_share=bad_share, correlation=correlation)
        found = bounds(counts)
        lower += found.lower <= 1 - bad_share
        upper += found.upper >= 1 - bad_share
    return Kept(lower / repeats, upper / repeats)


def kept_by_comparison(
    times: Times, factor: float, change: float, *, runs: int, repeats: int, q: float, confidence: float, seed: int = 1
) -> tuple[float, float]:
    """How often the bounds for a percentile's change hold, and how often a change is shown; times grow by a factor."""
    draws = random.Random(seed)
    kept = shown = 0
    for _ in range(repeats):
        before = [times.draw(draws) for _ in range(runs)]
        after = [factor * times.draw(draws) for _ in range(runs)]
        found = compare(before, after, confidence=confidence, q=q)
        bounds = found.percentile_change
        kept += (bounds.lower is None or bounds.lower <= change) and (bounds.upper is None or bounds.upper >= change)
        shown += found.p_value <= 1 - confidence
    return kept / repeats, shown / repeats
