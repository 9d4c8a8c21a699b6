"""Intervals for a share: what so many bad runs of so many say, and how many more are needed.

Each bound is one-sided at the confidence: that the true share is larger than `upper` has a chance of at most 1 -
confidence, and that it is smaller than `lower` the same. Both together hold at 2 * confidence - 1.

- Clopper & Pearson, Biometrika 26, 1934: never wrong more often than it says, whatever the share.
- Wilson, Journal of the American Statistical Association 22, 1927: right on average over shares, and tighter; at
  single shares it errs more often than it says. Nothing is judged by it; the difference of two shares rests on it
  (`slo.comparison`).
- No failure in n runs: the upper bound is 1 - (1 - confidence)^(1/n), of which 3/n ("the rule of three") is the
  approximation at 95 %.

All of this is for one look at independent runs. Who looks after each run takes `slo.anytime` or `slo.sequential`; for
samples that come in clusters there is `slo.clustered`.
"""

import math
from collections.abc import Callable

import msgspec

from seatrial.slo.distributions import beta_quantile, binomial_at_most, normal_quantile


class Bounds(msgspec.Struct, frozen=True):
    """What a share lies between."""

    lower: float
    upper: float


def binomial_bounds(successes: float, trials: float, *, confidence: float) -> Bounds:
    """Clopper and Pearson's bounds for the share of successes; not knowing anything it lies between 0 and 1.

    Numbers need not be whole: an effective number of samples is none (Korn & Graubard, Survey Methodology 24, 1998).
    """
    failures = trials - successes
    return Bounds(
        lower=beta_quantile(1 - confidence, successes, failures + 1) if successes > 0 else 0.0,
        upper=beta_quantile(confidence, successes + 1, failures) if failures > 0 else 1.0,
    )


def wilson_bounds(successes: float, trials: float, *, confidence: float) -> Bounds:
    """Wilson's bounds (the score test's) for the share of successes."""
    if trials <= 0:
        return Bounds(0.0, 1.0)
    z = normal_quantile(confidence)
    share, weight = successes / trials, z * z / trials
    centre = share + weight / 2
    reach = z * math.sqrt(share * (1 - share) / trials + weight / trials / 4)
    return Bounds(
        lower=max(0.0, (centre - reach) / (1 + weight)) if successes > 0 else 0.0,
        upper=min(1.0, (centre + reach) / (1 + weight)) if successes < trials else 1.0,
    )


def share_ruled_out(trials: int, *, confidence: float) -> float:
    """After so many trials without a failure: the share of failures from which on all are ruled out."""
    return -math.expm1(math.log1p(-confidence) / trials) if trials > 0 else 1.0


def runs_without_failure(share: float, *, confidence: float) -> int:
    """How many runs without a failure show that fewer than that share (between 0 and 1) fail."""
    return fewest(lambda runs: share_ruled_out(runs, confidence=confidence) <= share, 1)


def more_runs_needed(bad: int, runs: int, *, share: float, confidence: float) -> int | None:
    """How many more good runs it takes until the upper bound of the bad share is at most `share`.

    It is 0 where it is already, and None where no number is enough (a share of 0). For "95 % below 30 s" count the runs
    that took longer, and ask for a share of 0.05: that is when `quantile_bounds` has its upper bound below the limit.
    """
    if share <= 0:
        return None
    if share >= 1:
        return 0
    return fewest(lambda count: is_shown(bad, count, share=share, confidence=confidence), runs) - runs


def is_shown(bad: int, runs: int, *, share: float, confidence: float) -> bool:
    """Whether so many bad runs show that no more than that share (between 0 and 1) is bad.

    The upper bound is the share at which so few bad runs have a chance of 1 - confidence: asking that of `share` itself
    spares the search for the bound.
    """
    return binomial_at_most(bad, runs, share) <= 1 - confidence


def fewest(is_enough: Callable[[int], bool], at_least: int) -> int:
    """The smallest number, from `at_least` on, that is enough, where all larger ones are, too."""
    if is_enough(at_least):
        return at_least
    short, enough = at_least, max(1, 2 * at_least)
    while not is_enough(enough):
        short, enough = enough, 2 * enough
    while enough - short > 1:
        middle = (short + enough) // 2
        if is_enough(middle):
            enough = middle
        else:
            short = middle
    return enough
