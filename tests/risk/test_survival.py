"""Whether enough is left of a fleet, in zones."""

from fractions import Fraction
from itertools import product
from math import ceil, comb, isclose, prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.risk.survival import Fleet, binomial_below, up_part


def counted(count, up, zones, zone_up, need):
    """The same by counting every state of every zone and machine."""
    zone_of = [index % zones for index in range(count)]
    fewer = 0.0
    for zone_states in product([True, False], repeat=zones):
        for states in product([True, False], repeat=count):
            chance = prod(zone_up if it else 1 - zone_up for it in zone_states) * prod(
                up if it else 1 - up for it in states
            )
            works = sum(it and zone_states[zone] for it, zone in zip(states, zone_of, strict=True))
            fewer += chance if works < need else 0
    return fewer


@given(
    st.integers(1, 5), st.sampled_from([0.0, 0.3, 0.9, 1.0]), st.integers(1, 3), st.sampled_from([0.5, 0.99, 1.0]),
    st.integers(0, 6),
)  # fmt: skip
def test_the_chance_is_that_of_counting_all_states(count, up, zones, zone_up, need):
    """Also where zones are of unequal size."""
    fleet = Fleet(count=count, up=up, zones=zones, zone_up=zone_up)
    assert isclose(fleet.chance_of_fewer(need), counted(count, up, zones, zone_up, need), abs_tol=1e-12)


def test_a_quorum_of_three():
    """Two of three: 3 (1-p)^2 p + (1-p)^3 is the chance to lose it."""
    assert Fleet(count=3, up=0.99).chance_of_fewer(2) == pytest.approx(3 * 0.01**2 * 0.99 + 0.01**3)


def test_zones_fail_with_all_that_is_in_them():
    """Two replicas that never fail in one zone are as safe as the zone; in two, as both."""
    assert Fleet(count=2, up=1.0, zones=1, zone_up=0.9).chance_of_fewer(1) == pytest.approx(0.1)
    assert Fleet(count=2, up=1.0, zones=2, zone_up=0.9).chance_of_fewer(1) == pytest.approx(0.01)


@pytest.mark.parametrize(("need", "lost"), [(2, False), (3, True)])
def test_without_the_largest_zone(need, lost):
    """Five machines in three zones: two are gone with the largest."""
    assert Fleet(count=5, up=1.0, zones=3).chance_of_fewer_without_a_zone(need + 1) == float(lost)
    assert ceil(5 / 3) == 2


def test_small_chances_are_not_lost_in_rounding():
    """Ten of which one is enough: the tenth power of one in a thousand."""
    assert Fleet(count=10, up=0.999).chance_of_fewer(1) == pytest.approx(1e-30)


def test_many_machines_are_worked_out_too():
    """The factors of ten thousand machines are no numbers of a computer; their logarithms are."""
    assert binomial_below(9_900, 10_000, 0.99) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(("trials", "limit"), [(10_000, 9_995), (10_000, 9_940), (7_777, 7_700), (100, 99)])
def test_the_sum_is_right_to_nine_digits(trials, limit):
    """Against one minus the rest of the distribution in exact fractions, down to chances of 1e-29."""
    rest = sum(comb(trials, k) * 999**k for k in range(limit, trials + 1))
    wanted = float(1 - Fraction(rest, 1000**trials))
    assert binomial_below(limit, trials, 0.999) == pytest.approx(wanted, rel=1e-9, abs=0)


def test_repair_makes_up_for_failures():
    """Up for 99 hours, down for one."""
    assert up_part(99, 1) == pytest.approx(0.99)
