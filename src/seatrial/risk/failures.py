"""How often something fails, and how soon: machines with a mean time to failure, teams that release.

A machine that doesn't age fails at a constant rate: the chance that it has failed after t is 1 - exp(-t / MTTF), the
exponential distribution (NIST/SEMATECH e-Handbook of Statistical Methods, 8.1.6.1,
https://www.itl.nist.gov/div898/handbook/apr/section1/apr161.htm). For t far below the MTTF that is the t / MTTF of
rules of thumb. Of n independent ones the first fails n times as soon (the same, 8.1.8.2, series model). A release is
a trial: n releases are all free of bugs with the n-th power of the chance for one.

All this holds where failures are independent. Those of one rack, one zone, one bad update are not: `survival` has
zones.
"""

import math
from dataclasses import dataclass

from seatrial.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRate:
    """How often one of them fails.

    `hazard_per_second` is what the logarithm of the chance of no failure loses in a second; `mean_per_second` is the
    expected number of failures. For a constant rate they are the same; where at most one failure comes of each trial,
    the hazard is larger.
    """

    hazard_per_second: float
    mean_per_second: float

    def chance(self, *, within_seconds: float, count: int = 1) -> float:
        """The chance that any of `count` fails within that time."""
        return -math.expm1(-self.hazard_per_second * within_seconds * count)

    def expected(self, *, within_seconds: float, count: int = 1) -> float:
        """How many failures of `count` are to be expected within that time, what failed being replaced."""
        return self.mean_per_second * within_seconds * count

    def seconds_until(self, chance: float, *, count: int = 1) -> float:
        """After how long a failure of any of `count` has happened with that chance (below 1)."""
        return -math.log1p(-chance) / (self.hazard_per_second * count)

    def seconds_between(self, *, count: int = 1) -> float:
        """The mean time from one failure among `count` to the next."""
        return 1 / (self.mean_per_second * count)


def machine_failures(mttf_seconds: float) -> FailureRate:
    """Machines with a mean time to failure."""
    return FailureRate(hazard_per_second=1 / mttf_seconds, mean_per_second=1 / mttf_seconds)


def release_bugs(bug_free: float, *, every_seconds: float) -> FailureRate:
    """Bugs of a team that releases so often; `bug_free` is the part of its releases without one.

    Several teams are thought to release in turn, so part of the time between two releases counts as part of one.

    Raises:
        UsageError: the part is not between 0 and 1.
    """
    if not 0 < bug_free < 1:
        raise UsageError(
            f"{bug_free:.0%} of the releases can't be free of bugs", hint="give more than 0 % and less than 100 %"
        )
    return FailureRate(
        hazard_per_second=-math.log(bug_free) / every_seconds, mean_per_second=(1 - bug_free) / every_seconds
    )
