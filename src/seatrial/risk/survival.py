"""Whether enough is left: k of n machines, spread over zones that fail as wholes.

A k-out-of-n system works while at least k of its n parts do; with independent parts of one kind the number that works
is binomially distributed (NIST/SEMATECH e-Handbook of Statistical Methods, 8.1.8.4, R out of N model,
https://www.itl.nist.gov/div898/handbook/apr/section1/apr184.htm). Zones make the parts dependent: given which zones
are up they are independent again, so the chances are added up over how many zones are (the law of total probability).
With repair, a part is up for MTTF / (MTTF + MTTR) of all time, its availability in the long run.

What is computed is the small chance, that of too few, and not one minus the large one: nine nines would drown in
rounding. The terms come from logarithms of the gamma function, and are right to nine digits for ten thousand machines.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Machines, dealt to zones as evenly as can be.

    `up` is the chance that a machine works while its zone does, `zone_up` that a zone does.
    """

    count: int
    up: float
    zones: int = 1
    zone_up: float = 1.0

    def chance_of_fewer(self, need: int) -> float:
        """The chance that fewer than `need` machines work."""
        return math.fsum(chance * binomial_below(need, alive, self.up) for alive, chance in self._alive())

    @property
    def left_without_a_zone(self) -> int:
        """How many machines are not in the largest zone."""
        return self.count - math.ceil(self.count / self.zones)

    def chance_of_fewer_without_a_zone(self, need: int) -> float:
        """The chance that fewer than `need` work while the largest zone is down and the others are up."""
        return binomial_below(need, self.left_without_a_zone, self.up)

    def _alive(self) -> Iterator[tuple[int, float]]:
        """How many machines are in zones that are up, with the chance of each number.

        Zones are of two sizes at most, so it is enough to count those of each size that are up.
        """
        size, larger = divmod(self.count, self.zones)
        for large, large_chance in enumerate(_binomial(larger, self.zone_up)):
            for small, small_chance in enumerate(_binomial(self.zones - larger, self.zone_up)):
                yield large * (size + 1) + small * size, large_chance * small_chance


def up_part(mttf_seconds: float, mttr_seconds: float) -> float:
    """The part of all time in which something is up that is repaired each time it fails."""
    return mttf_seconds / (mttf_seconds + mttr_seconds)


def binomial_below(limit: int, trials: int, chance: float) -> float:
    """The chance that fewer than `limit` of so many trials succeed."""
    if limit > trials:
        return 1.0
    return min(1.0, math.fsum(_term(successes, trials, chance) for successes in range(limit)))


def _binomial(trials: int, chance: float) -> list[float]:
    return [_term(successes, trials, chance) for successes in range(trials + 1)]


def _term(successes: int, trials: int, chance: float) -> float:
    """One term of the binomial distribution, by logarithms: the factors alone would overflow."""
    if chance in {0.0, 1.0}:
        return float(successes == trials * chance)
    ways = math.lgamma(trials + 1) - math.lgamma(successes + 1) - math.lgamma(trials - successes + 1)
    return math.exp(ways + successes * math.log(chance) + (trials - successes) * math.log1p(-chance))
