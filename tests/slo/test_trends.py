"""Trends and change points: published examples, how often they are found where there are none, and what they cost."""

import math
import random
import time
from itertools import combinations
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.slo.trends import ChangePoint, Trend, _larger_less_smaller, change_point, development, trend

# Pettitt, Applied Statistics 28 (1979), table 1.
PETTITT = [
    -1.05, 0.96, 1.22, 0.58, -0.98, -0.03, -1.54, -0.71, -0.35, 0.66, 0.44, 0.91, -0.02, -1.42, 1.26, -1.02, -0.81,
    1.66, 1.05, 0.97, 2.14, 1.22, -0.24, 1.60, 0.72, -0.12, 0.44, 0.03, 0.66, 0.56, 1.37, 1.66, 0.10, 0.80, 1.29, 0.49,
    -0.07, 1.18, 3.29, 1.84,
]  # fmt: skip


def noise(count, *, seed=1):
    draws = random.Random(seed)
    return [draws.gauss(10, 1) for _ in range(count)]


def test_pettitts_own_example():
    """The change of Pettitt's table 1 is after the 17th value, with a chance of 0.0146 (he doesn't allow for ties)."""
    found = change_point(PETTITT, significance=0.05)
    assert found.place == 17
    assert found.p_value == pytest.approx(0.0146, abs=1e-4)
    assert (found.before, found.after) == (median(PETTITT[:17]), median(PETTITT[17:]))
    assert change_point(PETTITT, significance=0.01) is None


def test_looking_for_either_asks_more_of_each():
    """A trend with a chance of 0.0071 and a jump with 0.0145 are nothing at 0.014, where one alone would be."""
    assert trend(PETTITT, significance=0.014).p_value == pytest.approx(0.0071, abs=1e-4)
    assert development(PETTITT, significance=0.014) is None
    assert isinstance(development(PETTITT, significance=0.015), Trend)
    assert development(PETTITT, significance=0.03) is not None


def test_failures_that_are_all_at_the_end_are_a_change_point():
    """Five failures are few among sixty runs, but not as the last five: equal ranks are allowed for."""
    found = change_point([0.0] * 55 + [1.0] * 5, are_shares=True)
    assert (found.place, found.before, found.after) == (55, 0, 1)
    assert found.p_value == pytest.approx(2.4e-4, rel=0.05)


@given(st.lists(st.integers(0, 20), max_size=40))
def test_kendalls_score_is_that_of_all_pairs(values):
    """It is the number of pairs in which the later value is larger, less those in which it is smaller."""
    pairs = combinations(values, 2)
    assert _larger_less_smaller(values) == sum((later > earlier) - (later < earlier) for earlier, later in pairs)


def test_the_chance_of_a_trend_is_kendalls():
    """Ten values in order have a score of 45 and a chance of 0.000083 by the normal approximation (Kendall 1975)."""
    found = trend([float(each) for each in range(10)])
    assert found.p_value == pytest.approx(math.erfc(44 / math.sqrt(125) / math.sqrt(2)))
    assert found.slope == 1
    assert found.total == 9


@given(st.lists(st.integers(0, 1000).map(float), min_size=12, max_size=60))
def test_the_slope_is_the_median_of_all_slopes(values):
    """Theil and Sen's slope is the median of the slopes between all pairs."""
    found = trend(sorted(values), significance=1.0)
    if found is not None:
        pairs = combinations(enumerate(sorted(values)), 2)
        assert found.slope == pytest.approx(median((b - a) / (later - earlier) for (earlier, a), (later, b) in pairs))


def test_a_series_that_creeps_up_is_a_trend():
    """A hundredth of a second more each run is found, with its slope, and not taken for a jump."""
    found = development([each + 0.05 * place for place, each in enumerate(noise(200))])
    assert isinstance(found, Trend)
    assert found.slope == pytest.approx(0.05, abs=0.005)
    assert found.total == pytest.approx(10, abs=1)


def test_a_series_that_jumps_has_a_change_point():
    """Three seconds more from the 120th of 200 runs on are found there, and not taken for a trend."""
    found = development([each + 3 * (place >= 120) for place, each in enumerate(noise(200))])
    assert isinstance(found, ChangePoint)
    assert abs(found.place - 120) <= 2
    assert found.after - found.before == pytest.approx(3, abs=0.5)


def test_it_is_found_going_down_too():
    """What becomes quicker is a development, too."""
    assert trend([-0.05 * place + each for place, each in enumerate(noise(200))]).slope < 0
    jump = change_point([each - 3 * (place >= 120) for place, each in enumerate(noise(200))])
    assert jump.after < jump.before


@pytest.mark.parametrize("count", [15, 60])
@pytest.mark.parametrize("look", [trend, change_point, development])
def test_where_nothing_changes_hardly_anything_is_found(look, count):
    """In series without any change one is found no more often than the significance says."""
    found = sum(look(noise(count, seed=seed), significance=0.05) is not None for seed in range(500))
    assert found <= 44  # 25 on average where the test is exact; more by chance once in 10,000


@pytest.mark.parametrize("share", [0.03, 0.2, 0.5])
@pytest.mark.parametrize("look", [trend, change_point, development])
def test_failures_that_come_at_random_are_no_development(look, share):
    """In series of passes and failures that don't change one is found no more often than the significance says."""
    found = 0
    for seed in range(500):
        draws = random.Random(seed)
        runs = [float(draws.random() < share) for _ in range(80)]
        found += look(runs, significance=0.05, are_shares=True) is not None
    assert found <= 44


def test_failures_that_become_more_are_seen_though_most_runs_pass():
    """Where one run in fifty failed and then one in four does, the jump is found with both shares."""
    draws = random.Random(2)
    runs = [float(draws.random() < (0.02 if place < 150 else 0.25)) for place in range(300)]
    found = development(runs, are_shares=True)
    assert isinstance(found, ChangePoint)
    assert abs(found.place - 150) < 25
    assert (found.before, found.after) == pytest.approx((0.02, 0.25), abs=0.08)


def test_a_share_that_rises_has_a_slope():
    """Where failures become more frequent little by little the trend says by how much."""
    draws = random.Random(4)
    found = trend([float(draws.random() < place / 1000) for place in range(500)], are_shares=True)
    assert found.total == pytest.approx(0.5, abs=0.15)


def test_few_values_and_equal_values_show_nothing():
    """Nothing is found in fewer than ten values, nor where all are equal."""
    for look in (trend, change_point, development):
        assert look([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]) is None
        assert look([1.0] * 50) is None


def test_times_not_seen_to_the_end_are_the_longest():
    """A service that no longer answers at all from some run on has a change point there."""
    found = development([*noise(40), *[math.inf] * 40])
    assert isinstance(found, ChangePoint)
    assert found.place == 40
    assert found.after == math.inf


def test_a_rising_share_of_unseen_times_is_a_trend_without_a_slope():
    """Where more and more runs don't end that is found, and no slope in seconds is made up for it."""
    found = trend([each if place % 10 >= place // 20 else math.inf for place, each in enumerate(noise(200))])
    assert (found.slope, found.total) == (None, None)
    mostly_unseen = trend([math.inf if place % 3 else float(place) for place in range(300)])
    assert (mostly_unseen.slope, mostly_unseen.total) == (None, None)


def test_ten_thousand_values_cost_little():
    """Both tests on 10,000 values take less than 0.1 s of CPU, the slope from medians of blocks included."""
    values = [each + place / 5000 for place, each in enumerate(noise(10_000))]
    begin = time.process_time()
    rising, jump = trend(values), change_point(values)
    spent = time.process_time() - begin
    assert rising.slope == pytest.approx(1 / 5000, rel=0.1)
    assert jump is not None
    assert spent < 0.1
