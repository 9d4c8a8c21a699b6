"""Bounds for a share that hold at every look: for series that are judged after each run, for weeks.

A fixed-size interval is right so often at one look. Looked at after each run, for as long as one likes, it is wrong at
some look far more often (`docs/explanation/slo-statistics.md` has by how much). These bounds are right at all looks
together with a chance of at least the confidence, each side for itself; they are wider for it.

Robbins (Annals of Mathematical Statistics 41, 1970) mixes the likelihood ratios of all shares against one: of a true
share that mixture ever exceeds 1 / (1 - confidence) with a chance of at most 1 - confidence (Ville's inequality), so
all shares for which it does are ruled out. Mixed are the shares on the far side of the bound only, beta-distributed
(Jeffreys' 1/2, 1/2), which keeps each side's chance of error; Howard and others (Annals of Statistics 49, 2021) have
the theory.
"""

import math
from bisect import bisect_left

from seatrial.slo.distributions import beta_cdf, log_beta
from seatrial.slo.intervals import Bounds, fewest

_PRIOR = 0.5
_FINE = 1e-12


def anytime_binomial_bounds(successes: int, trials: int, *, confidence: float) -> Bounds:
    """Bounds for the share of successes, one-sided at the confidence each, that may be looked at after each trial."""
    return Bounds(
        lower=1 - _upper(trials - successes, trials, confidence=confidence),
        upper=_upper(successes, trials, confidence=confidence),
    )


def anytime_runs_without_failure(share: float, *, confidence: float) -> int:
    """How many runs without a failure show that fewer than that share (between 0 and 1) fail, looked at after each."""
    return anytime_more_runs_needed(0, 0, share=share, confidence=confidence)


def anytime_more_runs_needed(bad: int, runs: int, *, share: float, confidence: float) -> int:
    """How many more good runs it takes until more than that share (between 0 and 1) of bad ones is ruled out."""
    return fewest(lambda count: anytime_is_shown(bad, count, share=share, confidence=confidence), runs) - runs


def anytime_is_shown(bad: int, runs: int, *, share: float, confidence: float) -> bool:
    """Whether so many bad runs show that no more than that share (between 0 and 1) is bad, looked at after each."""
    return bad < share * runs and _is_ruled_out(share, bad, runs, confidence=confidence)


def anytime_quantile_ranks(count: int, q: float, *, confidence: float) -> tuple[int | None, int | None]:
    """As `quantiles.quantile_ranks`: which of so many sorted values bound the q-quantile, at every look."""

    def is_below(rank: int) -> bool:
        return rank - 1 < q * count and _is_ruled_out(q, rank - 1, count, confidence=confidence)

    def is_above(rank: int) -> bool:
        return count - rank < (1 - q) * count and _is_ruled_out(1 - q, count - rank, count, confidence=confidence)

    ranks = range(1, count + 1)
    low = bisect_left(ranks, True, key=lambda rank: not is_below(rank))
    high = bisect_left(ranks, True, key=is_above) + 1
    return low or None, high if high <= count else None


def _upper(successes: int, trials: int, *, confidence: float) -> float:
    """The smallest share that is ruled out, and all above it with it."""
    low, high = successes / trials if trials else 1.0, 1.0
    while high - low > _FINE * high:
        middle = (low + high) / 2
        if _is_ruled_out(middle, successes, trials, confidence=confidence):
            high = middle
        else:
            low = middle
    return high


def _is_ruled_out(share: float, successes: int, trials: int, *, confidence: float) -> bool:
    """Whether a share above that seen is ruled out, by smaller ones that explain better what was seen."""
    failures = trials - successes
    better = beta_cdf(share, successes + _PRIOR, failures + _PRIOR)
    if better <= 0:
        return False
    # What the prior has up to the share, times its complete beta function (pi), is 2 * asin(sqrt(share)).
    mixed = math.log(better / (2 * math.asin(math.sqrt(share)))) + log_beta(successes + _PRIOR, failures + _PRIOR)
    alone = (successes * math.log(share) if successes else 0.0) + failures * math.log1p(-share)
    return mixed - alone >= -math.log1p(-confidence)
