"""A share of samples that come in clusters: measured coverage, and what runs without a failure say."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.slo.clustered import ratio_bounds
from seatrial.slo.intervals import binomial_bounds, share_ruled_out
from seatrial.slo.series import Count
from tests.slo.simulations import is_plausible, kept_by_clusters

REPEATS = 250
COUNTS = st.lists(st.builds(Count, st.integers(0, 200), st.integers(0, 200), st.just(0.0)), min_size=1, max_size=30)


def counts_of(*pairs):
    return [Count(good, bad, 0.0) for good, bad in pairs]


def as_if_independent(counts):
    good = sum(each.good for each in counts)
    return binomial_bounds(good, good + sum(each.bad for each in counts), confidence=0.95)


@pytest.mark.parametrize("correlation", [0.001, 0.05, 0.3])
@pytest.mark.parametrize("bad_share", [0.1, 0.01])
@pytest.mark.parametrize("runs", [10, 40])
def test_bounds_hold_however_much_the_samples_of_a_run_resemble_each_other(runs, bad_share, correlation):
    """Each bound at 95 % holds in 92 of 100 series of runs at least, whether samples are correlated or hardly."""
    kept = kept_by_clusters(
        partial(ratio_bounds, confidence=0.95),
        runs=runs, samples=[50], bad_share=bad_share, correlation=correlation, repeats=REPEATS,
    )  # fmt: skip
    assert is_plausible(round(kept.lower * REPEATS), REPEATS, at_least=0.92)
    assert is_plausible(round(kept.upper * REPEATS), REPEATS, at_least=0.92)


def test_bounds_hold_for_runs_of_unequal_length():
    """Where some runs have forty times as many samples as others the bounds at 95 % hold in 90 of 100 series."""
    kept = kept_by_clusters(
        partial(ratio_bounds, confidence=0.95),
        runs=12, samples=[5, 20, 50, 200], bad_share=0.1, correlation=0.2, repeats=REPEATS,
    )  # fmt: skip
    assert is_plausible(round(kept.lower * REPEATS), REPEATS, at_least=0.9)
    assert is_plausible(round(kept.upper * REPEATS), REPEATS, at_least=0.9)


def test_bounds_hold_where_a_few_runs_are_nearly_all():
    """One run in five has fifty pods, the others one, and all pods of a run share its fate."""
    kept = kept_by_clusters(
        partial(ratio_bounds, confidence=0.95),
        runs=40, samples=[1, 1, 1, 1, 50], bad_share=0.1, correlation=0.98, repeats=REPEATS,
    )  # fmt: skip
    assert is_plausible(round(kept.lower * REPEATS), REPEATS, at_least=0.94)
    assert is_plausible(round(kept.upper * REPEATS), REPEATS, at_least=0.92)


def test_small_runs_do_not_tell_what_befalls_large_ones():
    """A few bad runs of one pod leave twenty good ones of fifty pods what they are: some twenty witnesses."""
    found = ratio_bounds(counts_of(*[(50, 0)] * 20, *[(1, 0)] * 76, *[(0, 1)] * 4), confidence=0.95)
    assert found.effective_samples == pytest.approx(1080**2 / (20 * 2500 + 80))


def test_one_bad_night_is_one():
    """Runs with a bad sample each don't tell how bad one may be: a run of which half failed is one among ten."""
    found = ratio_bounds(counts_of((500, 500), *[(999, 1)] * 9), confidence=0.95)
    assert found.effective_samples < 11


def test_taking_samples_as_independent_does_not_hold():
    """Bounds that take a run's samples for so many witnesses are wrong in a third of the series."""
    kept = kept_by_clusters(as_if_independent, runs=30, samples=[50], bad_share=0.1, correlation=0.2, repeats=REPEATS)
    assert kept.lower < 0.8
    assert kept.upper < 0.85


@given(st.integers(1, 200), st.integers(1, 10_000))
def test_runs_without_a_bad_sample_say_what_so_many_runs_say(runs, samples):
    """Where no sample was bad nothing is known of how they come together: a run is one witness."""
    found = ratio_bounds(counts_of(*[(samples, 0)] * runs), confidence=0.95)
    assert found.estimate == 1
    assert 1 - found.lower == pytest.approx(share_ruled_out(runs, confidence=0.95), rel=1e-9)
    assert found.upper == 1


def test_a_first_bad_sample_never_makes_it_look_better():
    """One bad sample among thousands leaves the lower bound where it was, or lower: not suddenly far better."""
    none = ratio_bounds(counts_of(*[(1000, 0)] * 50), confidence=0.95)
    one = ratio_bounds(counts_of((999, 1), *[(1000, 0)] * 49), confidence=0.95)
    assert one.lower <= none.lower
    assert one.lower == pytest.approx(none.lower, abs=0.001)


def test_one_bad_run_is_one_bad_run():
    """A run of which all samples failed among 50 says what one failed run in 50 says."""
    found = ratio_bounds(counts_of((0, 200), *[(200, 0)] * 49), confidence=0.95)
    expected = binomial_bounds(49, 50, confidence=0.95)
    assert (found.lower, found.upper) == pytest.approx((expected.lower, expected.upper))
    assert found.effective_samples == pytest.approx(50)


def test_runs_that_are_all_alike_say_as_much_as_their_samples():
    """Where each run has its few bad samples, all their samples are witnesses."""
    found = ratio_bounds(counts_of(*[(990, 10)] * 40), confidence=0.95)
    expected = binomial_bounds(39_600, 40_000, confidence=0.95)
    assert (found.lower, found.upper) == pytest.approx((expected.lower, expected.upper))
    assert found.samples == 40_000
    assert found.clusters == 40


@given(COUNTS)
def test_bounds_hold_the_share_between_them(counts):
    """The share seen lies between the bounds, and the samples say no more than as many independent ones."""
    found = ratio_bounds(counts, confidence=0.95)
    assert 0 <= found.lower <= found.upper <= 1
    if found.estimate is not None:
        assert found.lower - 1e-9 <= found.estimate <= found.upper + 1e-9
        assert found.effective_samples <= found.samples


@given(COUNTS)
def test_good_and_bad_are_alike(counts):
    """With good and bad exchanged the bounds are exchanged."""
    found = ratio_bounds(counts, confidence=0.95)
    other = ratio_bounds([Count(each.bad, each.good, 0.0) for each in counts], confidence=0.95)
    assert (found.lower, found.upper) == pytest.approx((1 - other.upper, 1 - other.lower), abs=1e-9)


def test_no_samples_say_nothing():
    """Runs without a sample are none, and without any nothing is known."""
    nothing = ratio_bounds(counts_of((0, 0)), confidence=0.95)
    assert (nothing.lower, nothing.estimate, nothing.upper, nothing.clusters) == (0, None, 1, 0)
    assert ratio_bounds(counts_of((0, 0), (5, 1)), confidence=0.95) == ratio_bounds(counts_of((5, 1)), confidence=0.95)


def test_a_single_run_says_hardly_anything():
    """However many samples one run has, it is one run."""
    found = ratio_bounds(counts_of((99_000, 1_000)), confidence=0.95)
    assert found.lower < 0.1
    assert found.effective_samples == 1


def test_even_odds_at_half_the_confidence():
    """At a confidence of one half there is no widening for a variance that is itself estimated."""
    found = ratio_bounds(counts_of((50, 50), (40, 60), (60, 40), (55, 45)), confidence=0.5)
    assert found.effective_samples == pytest.approx(102.79, abs=0.01)
