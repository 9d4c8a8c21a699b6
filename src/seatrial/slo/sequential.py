"""Wald's sequential test: looks after each run, and ends a series as soon as it is decided.

Two shares of bad runs are named, one that is acceptable and one that is not; after each run the likelihoods of what was
seen under the two are compared (Wald, Annals of Mathematical Statistics 16, 1945). Whoever looks at a fixed-size
interval after each run is wrong more often than it says; this test is made for looking, and needs 40 to 70 % of the
runs of a test of fixed size.

Wald's own limits for the likelihood ratio, (1 - b) / a and b / (1 - a), keep the two chances of error, a and b,
together. The limits here are 1 / a and b, which keep each of them (Ville's inequality) and cost a run or two more.
Between the two shares the test may answer either way: that is what the gap means.
"""

import math
from collections.abc import Iterable
from enum import StrEnum

import msgspec

_STEPS = 200


class Decision(StrEnum):
    """What a sequential test ends with."""

    ACCEPTABLE = "acceptable"
    UNACCEPTABLE = "unacceptable"


class SequentialTest(msgspec.Struct, frozen=True):
    """A test of the share of bad runs, 0 < `acceptable` < `unacceptable` < 1.

    A share that is acceptable is called unacceptable with a chance of at most 1 - confidence, one that is unacceptable
    is called acceptable with a chance of at most 1 - power.
    """

    acceptable: float
    unacceptable: float
    confidence: float = 0.95
    power: float = 0.95

    def decide(self, bad: int, runs: int) -> Decision | None:
        """What the runs so far come to; None while it is open.

        To be asked after each run, and not any more once it has decided: later runs don't change it.
        """
        evidence = self._evidence(bad, runs)
        if evidence >= self._upper_limit:
            return Decision.UNACCEPTABLE
        return Decision.ACCEPTABLE if evidence <= self._lower_limit else None

    def first_decision(self, bad_runs: Iterable[bool]) -> tuple[Decision, int] | None:
        """The decision on a series told from its beginning, and after how many runs it fell; None while it is open."""
        bad = 0
        for runs, is_bad in enumerate(bad_runs, start=1):
            bad += is_bad
            if decision := self.decide(bad, runs):
                return decision, runs
        return None

    def more_runs_needed(self, bad: int, runs: int) -> int:
        """How many more good runs it takes until the share is called acceptable."""
        open_yet = self._evidence(bad, runs) - self._lower_limit
        return max(0, math.ceil(open_yet / -self._per_good - 1e-9))

    def chance_of_accepting(self, share: float) -> float:
        """The chance that a share of bad runs is called acceptable: Wald's operating characteristic.

        An approximation that takes the evidence to end exactly on a limit; the true test errs less than it says.
        """
        if share <= 0 or share >= 1:
            return float(share <= 0)
        exponent = self._exponent(share)
        upper, lower = self._upper_limit * exponent, self._lower_limit * exponent
        if abs(exponent) < 1e-9:
            return self._upper_limit / (self._upper_limit - self._lower_limit)
        return math.expm1(upper) / (math.expm1(upper) - math.expm1(lower))

    def expected_runs(self, share: float) -> float:
        """How many runs it takes on average with a share of bad ones, by the same approximation of Wald's."""
        accepting = self.chance_of_accepting(share)
        drift = share * self._per_bad + (1 - share) * self._per_good
        if abs(drift) < 1e-12:
            square = share * self._per_bad**2 + (1 - share) * self._per_good**2
            return -self._upper_limit * self._lower_limit / square
        return (accepting * self._lower_limit + (1 - accepting) * self._upper_limit) / drift

    def lines(self) -> tuple[float, float, float]:
        """The test as a chart: slope, and what is cut off by the lines of accepting (below 0) and rejecting.

        After n runs it accepts at slope * n + first bad runs or fewer, and rejects at slope * n + second or more.
        """
        per_run = self._per_bad - self._per_good
        return -self._per_good / per_run, self._lower_limit / per_run, self._upper_limit / per_run

    @property
    def _per_bad(self) -> float:
        return math.log(self.unacceptable / self.acceptable)

    @property
    def _per_good(self) -> float:
        return math.log1p(-self.unacceptable) - math.log1p(-self.acceptable)

    @property
    def _upper_limit(self) -> float:
        return -math.log1p(-self.confidence)

    @property
    def _lower_limit(self) -> float:
        return math.log1p(-self.power)

    def _evidence(self, bad: int, runs: int) -> float:
        """The logarithm of the likelihood ratio."""
        return bad * self._per_bad + (runs - bad) * self._per_good

    def _exponent(self, share: float) -> float:
        """The h with which the mean of exp(h * evidence of a run) is 1, other than 0.

        It is 1 at the acceptable share, -1 at the unacceptable one, and falls in between and beyond.
        """

        def mean(h: float) -> float:
            return share * math.exp(h * self._per_bad) + (1 - share) * math.exp(h * self._per_good)

        drift = share * self._per_bad + (1 - share) * self._per_good
        if abs(drift) < 1e-12:
            return 0.0
        # The mean is convex in h and 1 at 0, where its slope is the drift: the other root lies on the other side.
        side = -1.0 if drift > 0 else 1.0
        near, far = 0.0, side
        while mean(far) < 1 and abs(far) < 1e6:
            near, far = far, 2 * far
        for _ in range(_STEPS):
            middle = (near + far) / 2
            if middle in {near, far}:
                break
            if mean(middle) < 1:
                near = middle
            else:
                far = middle
        return far
