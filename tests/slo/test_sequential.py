"""Wald's sequential test: its published chart, its chances of error counted exactly, its course by example."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.slo.sequential import Decision, SequentialTest
from tests.slo.simulations import course_of, fixed_size

ACCEPTABLE, UNACCEPTABLE = Decision.ACCEPTABLE, Decision.UNACCEPTABLE
TESTS = [
    SequentialTest(0.01, 0.1, confidence=0.95, power=0.9),
    SequentialTest(0.05, 0.1, confidence=0.95, power=0.95),
    SequentialTest(0.001, 0.01, confidence=0.95, power=0.95),
    SequentialTest(0.1, 0.3, confidence=0.98, power=0.97),
    SequentialTest(0.2, 0.5, confidence=0.9, power=0.99),
]
SHARES = st.tuples(st.floats(0.001, 0.4), st.floats(1.5, 2.4)).map(lambda it: (it[0], min(0.95, it[0] * it[1])))


def test_the_chart_is_that_of_the_nist_handbook():
    """With Wald's own limits the lines are those of the NIST/SEMATECH e-Handbook of Statistical Methods."""
    a, b = 0.05, 0.10
    # Wald's limits are (1 - b) / a and b / (1 - a), ours 1 / a and b.
    test = SequentialTest(0.01, 0.10, confidence=1 - a / (1 - b), power=1 - b / (1 - a))
    assert test.lines() == pytest.approx((0.0397, -0.939, 1.205), abs=5e-4)


@pytest.mark.parametrize("test", TESTS)
def test_each_chance_of_error_is_kept(test):
    """Counted over all courses, an acceptable share is rejected as seldom as said, as is the other accepted."""
    _, rejected, _ = course_of(test, test.acceptable, longest=20_000)
    accepted, _, _ = course_of(test, test.unacceptable, longest=20_000)
    assert rejected <= 1 - test.confidence
    assert accepted <= 1 - test.power


@pytest.mark.parametrize("test", TESTS)
def test_every_course_ends(test):
    """Whatever the share of bad runs, a series is decided sooner or later."""
    for share in (test.acceptable, test.lines()[0], test.unacceptable):
        accepted, rejected, _ = course_of(test, share, longest=20_000)
        assert accepted + rejected == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("test", TESTS)
def test_walds_approximations_are_near(test):
    """The operating characteristic and the mean number of runs are near what is counted, or a little below."""
    for share in (test.acceptable / 2, test.acceptable, test.lines()[0], test.unacceptable):
        accepted, _, mean = course_of(test, share, longest=20_000)
        assert test.chance_of_accepting(share) == pytest.approx(accepted, abs=0.07)
        assert 0.65 * mean < test.expected_runs(share) <= mean + 1


def test_it_takes_fewer_runs_than_a_test_of_fixed_size():
    """To tell 5 % from 10 % takes 167 or 143 runs on average, where a fixed number would have to be 298."""
    test = SequentialTest(0.05, 0.10, confidence=0.95, power=0.95)
    means = [round(course_of(test, share, longest=5000)[2]) for share in (0.05, 0.10)]
    assert (*means, fixed_size(test)) == (167, 143, 298)


@given(SHARES, st.sampled_from([0.8, 0.95, 0.99]), st.sampled_from([0.8, 0.95]))
def test_the_approximations_agree_with_the_limits(shares, confidence, power):
    """At the two shares the chance of accepting is what the limits make of it, and it falls in between."""
    acceptable, unacceptable = shares
    test = SequentialTest(acceptable, unacceptable, confidence=confidence, power=power)
    at = [test.chance_of_accepting(each) for each in (0, acceptable, test.lines()[0], unacceptable, 1)]
    assert at == sorted(at, reverse=True)
    assert (at[0], at[-1]) == (1, 0)
    assert at[1] >= confidence - 1e-6
    assert at[3] <= 1 - power + 1e-6
    slope = test.lines()[0]
    assert test.expected_runs(slope * (1 + 1e-5)) == pytest.approx(test.expected_runs(slope), rel=0.01)


@given(SHARES, st.integers(0, 20), st.integers(0, 200))
def test_so_many_more_good_runs_decide(shares, bad, good):
    """After so many more good runs the share is called acceptable, and with one fewer it isn't yet."""
    test = SequentialTest(*shares)
    more = test.more_runs_needed(bad, bad + good)
    assert test.decide(bad, bad + good + more) is ACCEPTABLE
    assert more == 0 or test.decide(bad, bad + good + more - 1) is not ACCEPTABLE


def test_a_series_by_example():
    """1 % bad runs are fine and 10 % are not: 25 good runs accept, two bad ones of the first three reject."""
    test = SequentialTest(0.01, 0.10, confidence=0.95, power=0.9)
    assert test.more_runs_needed(0, 0) == 25
    assert test.first_decision([False] * 24) is None
    assert test.first_decision([False] * 30) == (ACCEPTABLE, 25)
    assert test.first_decision([True, False, True]) == (UNACCEPTABLE, 3)
    assert test.decide(1, 10) is None


def test_a_decision_stands_whatever_comes_later():
    """The first decision on a series is the decision."""
    test = SequentialTest(0.01, 0.10, confidence=0.95, power=0.9)
    assert test.first_decision([False] * 25 + [True] * 25) == (ACCEPTABLE, 25)
