"""How often machines fail and teams ship bugs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.errors import UsageError
from seatrial.policy.spans import DAY, HOUR, WEEK, YEAR
from seatrial.risk.failures import machine_failures, release_bugs


@pytest.mark.parametrize(
    ("years", "count", "percent"),
    [(5, 1, 0.05), (5, 20, 1), (5, 200, 10), (10, 1, 0.03)],
)
def test_the_chance_of_a_failure_today_is_what_the_size_of_the_fleet_says(years, count, percent):
    """A server that lasts five years fails today with 0.05 %; 20 of them with 1 %, 200 with 10 %."""
    chance = machine_failures(years * YEAR).chance(within_seconds=DAY, count=count)
    assert 100 * chance == pytest.approx(percent, rel=0.1)


def test_a_day_of_a_long_life_is_its_share():
    """1/1826 for five years: far below the mean time to failure the curve is straight."""
    assert machine_failures(5 * YEAR).chance(within_seconds=DAY) == pytest.approx(1 / 1826, rel=0.001)


def test_a_data_sheet_s_million_hours_are_its_annual_failure_rate():
    """0.88 % a year (Schroeder and Gibson, Disk failures in the real world, FAST 2007)."""
    assert machine_failures(1_000_000 * HOUR).expected(within_seconds=YEAR) == pytest.approx(0.0088, rel=0.005)


def test_ten_thousand_servers_lose_three_a_day():
    """Even where each lasts ten years."""
    expected = machine_failures(10 * YEAR).expected(within_seconds=DAY, count=10_000)
    assert round(expected) == 3


def test_a_careful_team_ships_a_bug_about_yearly():
    """98 % free of bugs, weekly: one bug in fifty releases."""
    bugs = release_bugs(0.98, every_seconds=WEEK)
    assert bugs.seconds_between() / YEAR == pytest.approx(1, rel=0.05)
    assert bugs.expected(within_seconds=YEAR) == pytest.approx(1, rel=0.05)
    assert bugs.chance(within_seconds=WEEK) == pytest.approx(0.02)


def test_many_careful_teams_ship_a_bug_every_other_week():
    """25 of them."""
    assert release_bugs(0.98, every_seconds=WEEK).seconds_between(count=25) == pytest.approx(2 * WEEK)


@pytest.mark.parametrize("bug_free", [0.0, 1.0])
def test_no_team_is_perfect(bug_free):
    """Nor without any release that works."""
    with pytest.raises(UsageError, match="can't be free of bugs"):
        release_bugs(bug_free, every_seconds=WEEK)


@given(st.floats(1e3, 1e12), st.integers(1, 10**6), st.floats(0.001, 0.999))
def test_the_time_until_a_failure_is_likely_has_just_that_chance(mttf, count, chance):
    """Both formulas are each other's inverse, whatever the numbers."""
    rate = machine_failures(mttf)
    assert rate.chance(within_seconds=rate.seconds_until(chance, count=count), count=count) == pytest.approx(chance)


@given(st.floats(0.01, 0.99), st.integers(1, 50), st.integers(1, 50))
def test_releases_are_independent_trials(bug_free, releases, teams):
    """All of them are free of bugs with the power of the chance for one; bugs expected are their sum."""
    rate = release_bugs(bug_free, every_seconds=WEEK)
    within = releases * WEEK
    assert 1 - rate.chance(within_seconds=within, count=teams) == pytest.approx(
        bug_free ** (releases * teams), abs=1e-12
    )
    assert rate.expected(within_seconds=within, count=teams) == pytest.approx((1 - bug_free) * releases * teams)
