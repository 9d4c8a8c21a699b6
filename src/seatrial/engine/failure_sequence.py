"""Which fails next, and when: lives of units and zones, drawn from the seed, in a time that passes when it is told to.

Each unit (a node, a pod) has a life, and where failures are correlated each zone has one, too: the beta factor model,
in which a share of each unit's failures has a cause that it has in common with all others of its zone (IEC 61508-6,
annex D; https://www.weibull.com/hotwire/issue115/relbasics115.htm). What fails a times a year fails (1 - share) a times
alone and share a times with its zone: a times, as before.

Lives belong to places, not to names. Who comes takes the first place that somebody has left, with the life there, and
the n-th life of a place is the same wherever the seed is the same: pods that replace others have other names in each
run, and would make each run another one. Only a failure begins a life anew.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from seatrial.policy.failures import Failure
from seatrial.policy.spans import parse_span
from seatrial.risk.lifetimes import Lifetime
from seatrial.runtime.randomness import Randomness
from seatrial.targets.failing_units import Unit


class Strike(msgspec.Struct, frozen=True, kw_only=True):
    """A failure: of which kind (its index in the policy), when, of which units; of a whole zone, which one.

    `at_seconds` is in the cluster's life, counted from the beginning.
    """

    kind: int
    at_seconds: float
    units: tuple[Unit, ...]
    zone: str = ""


class FailureSequence:
    """The failures of all kinds, one after the other."""

    def __init__(self, failures: Sequence[Failure], randomness: Randomness) -> None:
        self.now = 0.0
        self.populations = tuple(Population(index, each, randomness) for index, each in enumerate(failures))

    def see(self, present: Sequence[Sequence[Unit]]) -> None:
        """Take in which units of each kind are there."""
        for population, units in zip(self.populations, present, strict=True):
            population.see(units, self.now)

    def next(self) -> Strike | None:
        """The first failure to come if those who are there stay; None where nobody is there."""
        to_come = (strike for population in self.populations for strike in population.strikes())
        return min(to_come, key=lambda strike: strike.at_seconds, default=None)

    def pass_time(self, until: float) -> None:
        """Let time pass in which nothing fails."""
        for population in self.populations:
            population.expected += population.hazard(self.now, until)
        self.now = until

    def happen(self, strike: Strike) -> None:
        """Let time pass until a failure, and that happen."""
        self.pass_time(strike.at_seconds)
        self.populations[strike.kind].happen(strike)


class Population:
    """All units of one kind with their zones, how many failures were seen of them, and how many were to be expected."""

    def __init__(self, index: int, failure: Failure, randomness: Randomness) -> None:
        self.failure = failure
        self.expected = 0.0
        self.seen = 0
        self._index = index
        self._share = failure.correlation.share if failure.correlation else 0.0
        self._mean_seconds = parse_span(failure.mttf)
        self._randomness = randomness
        self._places: list[_Place] = []
        self._zones: dict[str, _Life] = {}

    @property
    def units(self) -> list[Unit]:
        """Those that are there."""
        return [place.unit for place in self._places if place.is_taken]

    @property
    def rate(self) -> float:
        """The failures a second to be expected in the long run; one of a whole zone is one."""
        alone = math.fsum(self._share_alone(unit) for unit in self.units)
        return (alone + self._share * len(self._zones_there())) / self._mean_seconds

    def see(self, units: Sequence[Unit], now: float) -> None:
        """Take in who is there: those who stay keep their places, those who come take free ones."""
        coming = {unit.name: unit for unit in units}
        for place in self._places:
            unit = coming.pop(place.unit.name, None)
            place.is_taken = unit is not None
            if unit is not None:
                self._take(place, unit, now)
        free = (place for place in tuple(self._places) if not place.is_taken)
        for unit in coming.values():
            self._take(next(free, None) or self._new_place(unit), unit, now)
        for zone in self._zones_there():
            life = self._zones.setdefault(zone, _Life(self._randomness, self._index, "zone", zone))
            if life.is_over(now):
                life.begin(now, self._lifetime(self._share))

    def strikes(self) -> Iterator[Strike]:
        """The next failure of each unit and of each zone, were there no others."""
        for place in self._places:
            if place.is_taken and place.life.ends < math.inf:
                yield Strike(kind=self._index, at_seconds=place.life.ends, units=(place.unit,))
        for zone in self._zones_there():
            units = tuple(unit for unit in self.units if unit.zone == zone)
            yield Strike(kind=self._index, at_seconds=self._zones[zone].ends, units=units, zone=zone)

    def hazard(self, start: float, end: float) -> float:
        """The failures to be expected of those who are there between two moments."""
        alone = [place.life for place in self._places if place.is_taken]
        together = [self._zones[zone] for zone in self._zones_there()]
        return math.fsum(life.hazard(start, end) for life in (*alone, *together))

    def happen(self, strike: Strike) -> None:
        """Count a failure; what has failed is as good as new."""
        self.seen += 1
        if strike.zone:
            self._zones[strike.zone].begin(strike.at_seconds, self._lifetime(self._share))
            return
        place = next(each for each in self._places if each.is_taken and each.unit.name == strike.units[0].name)
        place.life.begin(strike.at_seconds, self._lifetime(self._share_alone(place.unit)))

    def _zones_there(self) -> list[str]:
        return sorted({unit.zone for unit in self.units if unit.zone}) if self._share else []

    def _share_alone(self, unit: Unit) -> float:
        return 1 - self._share if unit.zone else 1.0

    def _lifetime(self, share: float) -> Lifetime | None:
        """The lives of what has this share of the failures of a unit; None where it has none."""
        return Lifetime(mean_seconds=self._mean_seconds / share, shape=self.failure.shape) if share else None

    def _take(self, place: "_Place", unit: Unit, now: float) -> None:
        """Let a unit be in a place, and live the life there, or another where that is over or was another kind of."""
        is_other = bool(self._share) and bool(place.unit.zone) is not bool(unit.zone)
        place.unit, place.is_taken = unit, True
        if is_other or place.life.is_over(now):
            place.life.begin(now, self._lifetime(self._share_alone(unit)))

    def _new_place(self, unit: Unit) -> "_Place":
        self._places.append(_Place(unit, _Life(self._randomness, self._index, "unit", len(self._places))))
        return self._places[-1]


class _Life:
    """One life after the other: each ends at a moment that is drawn when it begins."""

    def __init__(self, randomness: Randomness, *names: object) -> None:
        self._randomness = randomness
        self._names = names
        self._lifetime: Lifetime | None = None
        self._born = 0.0
        self._number = 0
        self.ends = math.inf

    def is_over(self, now: float) -> bool:
        """Whether it has not begun, or should have ended while nobody was there."""
        return not self._number or self.ends < now

    def begin(self, now: float, lifetime: Lifetime | None) -> None:
        """As good as new, from now on."""
        self._number += 1
        self._born, self._lifetime, self.ends = now, lifetime, math.inf
        if lifetime is not None:
            self.ends = now + lifetime.draw(self._randomness.stream("failures", *self._names, self._number))

    def hazard(self, start: float, end: float) -> float:
        """The failures to be expected between two moments."""
        if self._lifetime is None:
            return 0.0
        return self._lifetime.hazard(from_seconds=start - self._born, until_seconds=end - self._born)


@dataclass(slots=True)
class _Place:
    """Where a unit is, or was until another one comes."""

    unit: Unit
    life: _Life
    is_taken: bool = True
