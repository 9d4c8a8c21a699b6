"""Which fails next, and when."""

import math
from collections import Counter
from itertools import pairwise

import pytest

from seatrial.engine.failure_sequence import FailureSequence
from seatrial.policy.failures import Correlation, Failure
from seatrial.policy.spans import DAY, YEAR
from seatrial.runtime.randomness import Randomness
from seatrial.targets.failing_units import Unit
from tests.risk.statistics import fits

FLEET = [Unit(f"node{number:02}", zone=f"zone-{number % 4}") for number in range(20)]


def kind(**given):
    return Failure.model_construct(**{"nodes": (), "mttf": "5y", "shape": 1.0, "scenario": "dies", **given})


def beginning(*kinds, seed=7, units=FLEET):
    sequence = FailureSequence(kinds or [kind()], Randomness(seed))
    sequence.see([units] * len(sequence.populations))
    return sequence


def strikes(sequence, count):
    """So many failures, one after the other."""
    seen = []
    for _ in range(count):
        strike = sequence.next()
        sequence.happen(strike)
        seen.append(strike)
    return seen


def shared(share):
    return kind(correlation=Correlation(share=share))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_fleet_fails_as_often_as_its_size_predicts(seed):
    """Twenty machines of five years: the times between failures are exponential with a mean of a quarter of a year."""
    times = [0.0, *(strike.at_seconds for strike in strikes(beginning(seed=seed), 2000))]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert fits(gaps, lambda gap: 1 - math.exp(-gap / (YEAR / 4)))


def test_all_machines_are_as_likely_to_fail():
    """Chi squared of 2000 failures over 20 machines stays below its 99.9 % quantile, 43.8 at 19 degrees of freedom."""
    counts = Counter(strike.units[0].name for strike in strikes(beginning(), 2000))
    assert len(counts) == 20
    assert sum((count - 100) ** 2 / 100 for count in counts.values()) < 43.8


@pytest.mark.parametrize("shape", [0.7, 3.0])
def test_each_life_has_the_shape_of_its_kind(shape):
    """From one failure of a machine to its next, it is Weibull's distribution with that mean."""
    sequence = beginning(kind(shape=shape))
    ends: dict[str, list[float]] = {unit.name: [0.0] for unit in FLEET}
    for strike in strikes(sequence, 3000):
        ends[strike.units[0].name].append(strike.at_seconds)
    # As many of each: what lasts long would be missing at the end.
    fewest = min(map(len, ends.values()))
    lives = [later - earlier for moments in ends.values() for earlier, later in pairwise(moments[:fewest])]
    scale = 5 * YEAR / math.gamma(1 + 1 / shape)
    assert fits(lives, lambda age: 1 - math.exp(-((age / scale) ** shape)))


def test_the_same_seed_makes_the_same_failures():
    """Units and moments; another seed makes others."""
    assert strikes(beginning(seed=7), 50) == strikes(beginning(seed=7), 50)
    assert strikes(beginning(seed=7), 50) != strikes(beginning(seed=8), 50)


def test_names_do_not_matter():
    """Pods are called otherwise in each run: the moments are the same, and so are the places that fail; as foretold."""

    def run(suffix):
        units = [Unit(f"web-{number}-{suffix}") for number in range(5)]
        sequence, seen = beginning(units=units), []
        for number in range(30):
            [strike] = strikes(sequence, 1)
            index = units.index(strike.units[0])
            seen.append((strike.at_seconds, index))
            units[index] = Unit(f"web-{index}-{suffix}-{number}")  # what has failed is replaced
            sequence.see([units])
        return seen

    assert run("a") == run("b")
    foretold = strikes(beginning(units=[Unit(f"web-{number}") for number in range(5)]), 30)
    assert [(strike.at_seconds, int(strike.units[0].name[-1])) for strike in foretold] == run("a")


def test_who_is_replaced_without_a_failure_does_not_live_longer_for_it():
    """Pods that are evicted and made anew all the time fail as often as others."""
    sequence = beginning(kind(shape=3.0), units=[Unit("a-0")])
    due = sequence.next().at_seconds
    for number in range(1, 10):
        sequence.pass_time(due * number / 10)
        sequence.see([[Unit(f"a-{number}")]])
    assert sequence.next().at_seconds == due


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_share_of_failures_takes_the_whole_zone(share):
    """Each machine fails as often as alone: 20 machines for 500 years, one in five years; that share with its zone."""
    sequence = beginning(shared(share))
    alone, together = Counter(), Counter()
    while (strike := sequence.next()).at_seconds < 500 * YEAR:
        sequence.happen(strike)
        (together if strike.zone else alone).update(unit.name for unit in strike.units)
        assert len(strike.units) == (5 if strike.zone else 1)
        assert {unit.zone for unit in strike.units} == {strike.zone or strike.units[0].zone}
    expected_alone, expected_zones = 2000 * (1 - share), 400 * share
    assert alone.total() == pytest.approx(expected_alone, abs=4 * math.sqrt(expected_alone))
    assert together.total() / 5 == pytest.approx(expected_zones, abs=4 * math.sqrt(expected_zones))


def test_what_is_in_no_zone_fails_alone_and_as_often():
    """Also where all failures of the others are their zones'."""
    units = [Unit("a", zone="west"), Unit("b", zone="west"), Unit("stray")]
    counts = Counter(strike.units for strike in strikes(beginning(shared(1.0), units=units), 300))
    assert set(counts) == {(units[0], units[1]), (units[2],)}
    assert counts[units[2],] == pytest.approx(150, abs=4 * math.sqrt(75))


def test_what_is_to_be_expected_is_what_was_there_and_for_how_long():
    """Ten machines for a year, then twenty for two: ten failures of machines that last five years."""
    sequence = beginning(units=FLEET[:10])
    sequence.pass_time(YEAR)
    sequence.see([FLEET])
    sequence.pass_time(3 * YEAR)
    assert sequence.populations[0].expected == pytest.approx(10)


@pytest.mark.parametrize("shape", [0.7, 1.0, 3.0])
def test_what_is_seen_comes_to_what_is_expected(shape):
    """Over many runs the difference vanishes, also of what ages: each run is a fair game."""
    differences = []
    for seed in range(300):
        sequence = beginning(kind(shape=shape), seed=seed)
        while (strike := sequence.next()).at_seconds < 2 * YEAR:
            sequence.happen(strike)
        sequence.pass_time(2 * YEAR)
        [population] = sequence.populations
        differences.append(population.seen - population.expected)
    spread = math.sqrt(sum(each**2 for each in differences) / len(differences))
    assert 0.5 < spread < 6
    assert sum(differences) / len(differences) == pytest.approx(0, abs=4 * spread / math.sqrt(len(differences)))


def test_rates_add_up():
    """Failures a day: a tenth of each machine's with its zone, all those of a zone counted once."""
    assert beginning().populations[0].rate * DAY == pytest.approx(20 / 1826, rel=1e-3)
    rate = beginning(shared(0.1)).populations[0].rate
    assert rate * DAY == pytest.approx((20 * 0.9 + 4 * 0.1) / 1826, rel=1e-3)


def test_what_has_gone_does_not_fail():
    """The next one does; one that comes back when it should have failed begins another life."""
    sequence = beginning()
    first = sequence.next()
    left = [unit for unit in FLEET if unit not in first.units]
    sequence.see([left])
    second = sequence.next()
    assert second.at_seconds > first.at_seconds
    assert second.units != first.units
    sequence.pass_time(second.at_seconds - 1)
    sequence.see([FLEET])
    assert sequence.next() == second


def test_where_nobody_is_nothing_fails():
    """Nor is anything to be expected."""
    sequence = beginning(units=[])
    sequence.pass_time(YEAR)
    assert (sequence.next(), sequence.populations[0].expected) == (None, 0)


def test_who_comes_lives_from_then_on():
    """What ages is as good as new when it is first seen: a cluster that has grown old without it does not matter."""
    sequence = beginning(kind(shape=20.0), units=[])
    sequence.pass_time(100 * YEAR)
    sequence.see([FLEET[:1]])
    assert sequence.next().at_seconds / YEAR == pytest.approx(105, abs=2)


def test_kinds_have_lives_of_their_own():
    """The same units under two kinds fail as each kind does."""
    sequence = beginning(kind(), kind(mttf="30d"))
    by_kind = Counter(strike.kind for strike in strikes(sequence, 620))
    assert by_kind[0] == pytest.approx(10, abs=10)
    assert by_kind.total() == 620
