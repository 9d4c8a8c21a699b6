"""Intervals for a share: published examples, exact coverage, and how many runs it takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.slo.intervals import (
    Bounds,
    binomial_bounds,
    more_runs_needed,
    runs_without_failure,
    share_ruled_out,
    wilson_bounds,
)
from tests.slo.simulations import kept_by

CONFIDENCES = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99, 0.999])


@pytest.mark.parametrize(
    ("successes", "trials", "exact", "wilson"),
    [
        (81, 263, (0.2527, 0.3676), (0.2553, 0.3662)),
        (15, 148, (0.0578, 0.1617), (0.0624, 0.1605)),
        (0, 20, (0.0000, 0.1684), (0.0000, 0.1611)),
        (1, 29, (0.0009, 0.1776), (0.0061, 0.1718)),
    ],
)
def test_bounds_are_those_of_newcombes_table(successes, trials, exact, wilson):
    """Clopper-Pearson and Wilson give the figures of Newcombe (Statistics in Medicine 17, 1998, 857-872, table I)."""
    found = binomial_bounds(successes, trials, confidence=0.975)
    assert (found.lower, found.upper) == pytest.approx(exact, abs=5.1e-5)
    found = wilson_bounds(successes, trials, confidence=0.975)
    assert (found.lower, found.upper) == pytest.approx(wilson, abs=5.1e-5)


@pytest.mark.parametrize("trials", [1, 2, 7, 30, 100])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_clopper_pearson_is_never_wrong_more_often_than_it_says(trials, confidence):
    """Counted over all that may happen, each bound is right at least as often as the confidence, at 99 shares."""
    bounds = [binomial_bounds(each, trials, confidence=confidence) for each in range(trials + 1)]
    for percent in range(1, 100):
        kept = kept_by(bounds, percent / 100)
        assert kept.lower >= confidence - 1e-9
        assert kept.upper >= confidence - 1e-9


def test_wilson_is_right_on_average_only():
    """Averaged over shares Wilson's bounds are right as often as they say, at single shares they are not."""
    bounds = [wilson_bounds(each, 30, confidence=0.95) for each in range(31)]
    kept = [kept_by(bounds, percent / 100) for percent in range(1, 100)]
    assert sum(each.upper for each in kept) / len(kept) == pytest.approx(0.95, abs=0.01)
    assert min(each.upper for each in kept) < 0.9


@given(st.integers(0, 5000), st.integers(0, 5000), CONFIDENCES)
def test_bounds_hold_the_share_seen_between_them(good, bad, confidence):
    """The share that was seen lies between the bounds, and they lie between 0 and 1."""
    for bounds in (binomial_bounds, wilson_bounds):
        found = bounds(good, good + bad, confidence=confidence)
        share = good / (good + bad) if good + bad else 0.5
        assert 0 <= found.lower <= share + 1e-12
        assert share - 1e-12 <= found.upper <= 1


@given(st.integers(0, 300), st.integers(0, 300), CONFIDENCES)
def test_another_success_never_lowers_a_bound(good, bad, confidence):
    """With a success in place of a failure no bound is lower."""
    fewer = binomial_bounds(good, good + bad + 1, confidence=confidence)
    more = binomial_bounds(good + 1, good + bad + 1, confidence=confidence)
    assert fewer.lower <= more.lower
    assert fewer.upper <= more.upper


def test_nothing_seen_says_nothing():
    """Without any trial a share lies between 0 and 1."""
    assert binomial_bounds(0, 0, confidence=0.95) == Bounds(0, 1)
    assert wilson_bounds(0, 0, confidence=0.95) == Bounds(0, 1)
    assert share_ruled_out(0, confidence=0.95) == 1


@given(st.integers(1, 10**7), CONFIDENCES)
def test_no_failure_rules_out_what_clopper_pearson_does(runs, confidence):
    """The exact form of the rule of three is Clopper and Pearson's upper bound for no failure."""
    expected = binomial_bounds(0, runs, confidence=confidence).upper
    assert share_ruled_out(runs, confidence=confidence) == pytest.approx(expected, rel=1e-9)


def test_the_rule_of_three_is_its_approximation():
    """At 95 % it is nearly 3 of n; after 100 runs without a failure fewer than 1 in 33 fail."""
    assert share_ruled_out(1000, confidence=0.95) == pytest.approx(3 / 1000, rel=0.003)
    assert 1 / share_ruled_out(100, confidence=0.95) == pytest.approx(33.9, abs=0.05)


@pytest.mark.parametrize(
    ("share", "confidence", "runs"),
    [(0.5, 0.95, 5), (0.1, 0.9, 22), (0.1, 0.95, 29), (0.05, 0.95, 59), (0.05, 0.99, 90), (0.01, 0.9, 230),
     (0.01, 0.95, 299), (0.01, 0.99, 459), (0.001, 0.95, 2995)],
)  # fmt: skip
def test_runs_without_failure_are_the_published_numbers(share, confidence, runs):
    """So many runs without a failure are needed, as success-run tables say (Wilks 1941; Hahn & Meeker)."""
    assert runs_without_failure(share, confidence=confidence) == runs


@given(st.floats(1e-6, 0.999), CONFIDENCES)
def test_one_run_fewer_without_failure_is_too_few(share, confidence):
    """So many runs rule the share out, and one fewer does not."""
    runs = runs_without_failure(share, confidence=confidence)
    assert share_ruled_out(runs, confidence=confidence) <= share
    assert runs == 1 or share_ruled_out(runs - 1, confidence=confidence) > share


@given(st.integers(0, 12), st.integers(0, 400), st.floats(0.004, 0.9), CONFIDENCES)
def test_so_many_more_good_runs_are_enough_and_one_fewer_is_not(bad, good, share, confidence):
    """With so many more good runs the upper bound is at most the share, and with one fewer it is above."""
    runs = bad + good
    more = more_runs_needed(bad, runs, share=share, confidence=confidence)
    assert binomial_bounds(bad, runs + more, confidence=confidence).upper <= share + 1e-9
    assert more == 0 or binomial_bounds(bad, runs + more - 1, confidence=confidence).upper > share - 1e-9


def test_more_runs_needed_by_example():
    """None failed of none: 59; one of ten: 83 more; with 59 good ones none; never to show that nothing ever fails."""
    assert more_runs_needed(0, 0, share=0.05, confidence=0.95) == 59
    assert more_runs_needed(1, 10, share=0.05, confidence=0.95) == 83
    assert more_runs_needed(0, 59, share=0.05, confidence=0.95) == 0
    assert more_runs_needed(0, 10**6, share=0.0, confidence=0.95) is None
    assert more_runs_needed(10, 10, share=1.0, confidence=0.95) == 0
