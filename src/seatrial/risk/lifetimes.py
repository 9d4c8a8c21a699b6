"""How long something lives: spans of life drawn at random, and how many failures an age makes one expect.

The Weibull distribution, F(t) = 1 - exp(-(t / scale)^shape), whose mean is scale * gamma(1 + 1 / shape)
(NIST/SEMATECH e-Handbook of Statistical Methods, 8.1.6.2,
https://www.itl.nist.gov/div898/handbook/apr/section1/apr162.htm). With the shape 1 it is the exponential one: failures
come as often at any age. Below 1 the young fail more often, above 1 the old.
"""

import math
import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime:
    """The lives of things of one kind, by their mean and the shape of the Weibull distribution."""

    mean_seconds: float
    shape: float = 1.0

    @property
    def scale_seconds(self) -> float:
        """The age at which 63.2 % have failed."""
        return self.mean_seconds / math.gamma(1 + 1 / self.shape)

    def draw(self, numbers: random.Random) -> float:
        """The seconds of one life: the inverse of the distribution function at an even number."""
        return self.scale_seconds * math.pow(-math.log1p(-numbers.random()), 1 / self.shape)

    def chance(self, *, within_seconds: float) -> float:
        """The chance that a life ends within that time of its beginning."""
        return -math.expm1(-self.hazard(until_seconds=within_seconds))

    def hazard(self, *, until_seconds: float, from_seconds: float = 0.0) -> float:
        """The failures to be expected of what is watched between two ages, and watched no longer once it has failed.

        The cumulative hazard. Added up over everything that was watched, it is what the number of failures seen
        is on average (a martingale: Aalen, Borgan, Gjessing, Survival and Event History Analysis, 2008, 1.4).
        """
        scale = self.scale_seconds
        return math.pow(until_seconds / scale, self.shape) - math.pow(from_seconds / scale, self.shape)
