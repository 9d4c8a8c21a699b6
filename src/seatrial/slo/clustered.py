"""Bounds for a share of samples that come in clusters: the samples of a probe within a run.

A service that is down fails all samples of that minute: a thousand samples of ten runs are not a thousand witnesses.
How much less they say is the design effect, the variance of the share between runs against that of independent samples
(ratio estimator, Cochran, Sampling Techniques, 6.3 and 9A). Korn & Graubard (Survey Methodology 24, 1998) divide the
number of samples by it, and by the squared ratio of Student's t quantiles because the variance is itself estimated, and
hand the effective number of samples to Clopper and Pearson.

They take as many degrees of freedom as there are clusters less one. Where failures are rare only those clusters tell of
the variance that had any: here it is the number of those, less one, weighed by how many failures each had (one bad
night among runs with a failure each tells of one night), and no more than clusters of the usual size would have as many
samples as those (small clusters don't tell what befalls a large one). The variance is the jackknife's, which doesn't
let a large cluster hide behind the share that it makes itself. However much the clusters differ, each of them is one
witness at least. So it goes over without a jump into the honest answer for no failure at all: nothing is known then of
how failures come together, a run is the unit, and what is ruled out is what so many *runs* without a failure rule out.
"""

import math
from collections.abc import Sequence
from typing import Protocol

import msgspec

from seatrial.slo.distributions import normal_quantile, student_quantile
from seatrial.slo.intervals import binomial_bounds

_NOTHING = 1e-9


class Cluster(Protocol):
    """The samples of one run."""

    @property
    def good(self) -> int:
        """How many were good."""
        ...

    @property
    def bad(self) -> int:
        """How many were bad."""
        ...


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """The share of good samples, with bounds, one-sided each at the confidence.

    `effective_samples` is how many independent samples would say as much. Without any samples the estimate is None, and
    the share lies between 0 and 1.
    """

    lower: float
    estimate: float | None
    upper: float
    samples: int
    clusters: int
    effective_samples: float


def ratio_bounds(counts: Sequence[Cluster], *, confidence: float) -> Ratio:
    """The share of good samples among all; a cluster for each run, those without samples don't count."""
    sizes = [(each.good, each.good + each.bad) for each in counts if each.good + each.bad]
    samples = sum(size for _, size in sizes)
    good = sum(good for good, _ in sizes)
    if not samples:
        return Ratio(lower=0.0, estimate=None, upper=1.0, samples=0, clusters=0, effective_samples=0.0)
    share = good / samples
    effective = _effective_samples(sizes, good, samples, confidence=confidence)
    bounds = binomial_bounds(share * effective, effective, confidence=confidence)
    return Ratio(
        lower=bounds.lower,
        estimate=share,
        upper=bounds.upper,
        samples=samples,
        clusters=len(sizes),
        effective_samples=effective,
    )


def _effective_samples(sizes: Sequence[tuple[int, int]], good: int, samples: int, *, confidence: float) -> float:
    """How many independent samples say as much; between the number of runs (weighed by their sizes) and of samples."""
    fewest = _witnesses([size for _, size in sizes])
    some_bad = [(size - each, size) for each, size in sizes if each < size]
    some_good = [(each, size) for each, size in sizes if each]
    degrees = min(_telling(each, samples / fewest) for each in (some_bad, some_good)) - 1
    if degrees <= _NOTHING:
        return fewest
    share = good / samples
    variance = math.fsum(((each - share * size) / (samples - size)) ** 2 for each, size in sizes)
    if variance <= 0:
        return float(samples)
    known = normal_quantile(confidence) / student_quantile(confidence, degrees) if confidence > 0.5 else 1.0
    return min(max(share * (1 - share) / variance * known**2, fewest), float(samples))


def _telling(some: Sequence[tuple[int, int]], usual_size: float) -> float:
    """How many runs tell how samples of one kind come together: given how many each has of them, and its size."""
    return min(_witnesses([count for count, _ in some]), sum(size for _, size in some) / usual_size)


def _witnesses(weights: Sequence[int]) -> float:
    """How many equal ones weigh as much (Kish, Survey Sampling, 11.7): of equal ones all."""
    total = sum(weights)
    return total * total / math.fsum(each * each for each in weights) if total else 0.0
