"""What the values in a window come to: each statistic, each verdict, in figures and in words."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from seatrial.runtime.events import ObjectiveJudged, ObjectiveStatus
from seatrial.slo.objective import Evidence, judge, unseen
from seatrial.slo.quantiles import quantile_bounds
from seatrial.slo.series import Count, Point
from tests.slo.conftest import NOW, objective, points_of

MET, VIOLATED, UNDECIDED = ObjectiveStatus.MET, ObjectiveStatus.VIOLATED, ObjectiveStatus.UNDECIDED


def judged(points: list[Any] | None = None, *, counts: Any = (), latest: Any = (), **said: Any) -> ObjectiveJudged:
    return judge(objective(**said), Evidence(now=NOW, points=points or [], counts=counts, latest=latest))


@pytest.mark.parametrize(("count", "status"), [(58, UNDECIDED), (59, MET)])
def test_a_percentile_is_met_from_as_many_good_runs_on_as_the_tables_say(count: int, status: ObjectiveStatus) -> None:
    """59 runs, none slower, show 95 % at 95 %; 58 don't, and one more would."""
    found = judged(points_of([1.0] * count))
    assert found.status is status
    assert found.more_needed == (None if status is MET else 1)
    assert found.samples == count


def test_a_percentile_is_violated_when_too_many_are_slower() -> None:
    """What is known is that more are slower than may be; how many is said."""
    found = judged(points_of([1.0] * 40 + [40.0] * 10))
    assert found.status is VIOLATED
    assert found.text == ("t: 95 % below 30 s: violated: 95 % of 50 within 40 s (at least 40 s, at 95 %), 10 slower")
    assert found.lower is not None
    assert found.lower >= 30


def test_between_the_two_there_is_not_enough_evidence() -> None:
    """And it is said how many more good runs it takes."""
    found = judged(points_of([1.0] * 57 + [31.0]))
    assert found.status is UNDECIDED
    assert found.text.endswith("1 slower; 35 more good runs needed")
    assert found.more_needed == 35


def test_nothing_measured_is_not_enough_evidence() -> None:
    """It says how many runs it takes at least."""
    found = judged([])
    assert (found.status, found.more_needed, found.estimate) == (UNDECIDED, 59, None)
    assert found.text == (
        "t: 95 % below 30 s: not enough evidence: nothing measured in the window yet; 59 more good runs needed"
    )


def test_a_time_exactly_at_the_limit_keeps_to_it() -> None:
    """`below` is met by what is no longer."""
    assert judged(points_of([30.0] * 59)).status is MET


@given(st.lists(st.floats(0.1, 60), min_size=1, max_size=200), st.sampled_from([50, 80, 90, 95]))
def test_a_percentile_is_judged_as_its_bounds_by_order_statistics(values: list[float], percentile: float) -> None:
    """Counting those that are slower and comparing the percentile's bounds with the limit is one and the same."""
    bounds = quantile_bounds(values, percentile / 100, confidence=0.95)
    if bounds.upper is not None and bounds.upper <= 30:
        expected = MET
    elif bounds.lower is not None and bounds.lower > 30:
        expected = VIOLATED
    else:
        expected = UNDECIDED
    found = judged(points_of(values), percentile=percentile, below=30)
    assert found.status is expected
    assert (found.estimate, found.samples) == (bounds.estimate, len(values))


def test_what_nobody_waited_for_counts_against_the_limit_only_when_it_is_beyond() -> None:
    """Waited for 31 s: too slow. Waited for 5 s: nobody knows, which is enough for no verdict."""
    good = [1.0] * 100
    assert judged(points_of(good)).status is MET
    assert judged(points_of(good, waited=[5.0] * 3)).status is UNDECIDED
    assert judged(points_of([1.0] * 40, waited=[5.0] * 10)).status is UNDECIDED
    assert judged(points_of([1.0] * 40, waited=[31.0] * 10)).status is VIOLATED
    assert "3 not seen to the end" in judged(points_of(good, waited=[5.0] * 3)).text


def test_a_wait_that_was_given_up_at_the_limit_took_longer() -> None:
    """Who waits just as long as the limit and sees nothing has seen that it takes longer."""
    assert judged(points_of([], waited=[30.0] * 60)).status is VIOLATED
    assert judged(points_of([1.0], waited=[30.0]), max=True, below=30).status is VIOLATED


@pytest.mark.parametrize(
    ("values", "needed"),
    [
        ([1.0] * 57 + [31.0], 35),  # it may stay
        ([1.0] * 99 + [31.0] * 9, 99),  # all of them but one have to leave it
        ([31.0] * 9 + [1.0] * 91, 8),  # and are about to
        ([1.0] * 20 + [31.0] * 9 + [1.0] * 71, 28),
    ],
)
def test_a_window_of_so_many_runs_forgets_the_bad_ones(values: list[float], needed: int) -> None:
    """Each good run drives out the oldest: what is needed is said with that, and is true when they have come."""
    said = {"measurement": "t", "percentile": 95, "below": 30, "window": "100 runs"}

    def after(more: int) -> ObjectiveStatus:
        return judged(points_of([*values, *[1.0] * more][-100:]), **said).status

    found = judged(points_of(values[-100:]), **said)
    assert (found.status, found.more_needed) == (UNDECIDED, needed)
    assert (after(needed - 1), after(needed)) == (UNDECIDED, MET)


def test_a_window_that_is_too_short_for_every_look_says_so() -> None:
    """59 runs show it at one look, but never at every one: more of them don't help."""
    said = {"measurement": "t", "percentile": 95, "below": 30, "window": "60 runs", "everyLook": True}
    for points in ([], points_of([1.0] * 60)):
        found = judged(points, **said)
        assert (found.status, found.more_needed) == (UNDECIDED, None)
        assert found.text.endswith("; 60 runs are too few to ever show it")


def test_times_may_have_to_be_above() -> None:
    """The same the other way round: a time that was cut off beyond the limit is fine."""
    said = {"measurement": "t", "percentile": 95, "above": 2}
    assert judged(points_of([3.0] * 59), **said).status is MET
    assert judged(points_of([3.0] * 50, waited=[2.5] * 9), **said).status is MET
    assert judged(points_of([3.0] * 40 + [1.0] * 10), **said).status is VIOLATED
    assert "10 quicker" in judged(points_of([3.0] * 40 + [1.0] * 10), **said).text


def test_values_of_one_run_are_no_independent_witnesses() -> None:
    """59 pods of ten runs don't show what 59 runs do; the runs that are missing are said."""
    found = judged(points_of([1.0] * 60, per_run=6))
    assert found.status is UNDECIDED
    assert found.more_needed == 49
    assert judged(points_of([1.0] * 590, per_run=10)).status is MET


def test_runs_of_unequal_sizes_say_how_many_more_it_takes() -> None:
    """One run with most of the values counts for little more than one."""
    counts = [Count(1000, 0, NOW)] + [Count(1, 0, NOW)] * 70
    found = judged(counts=counts, measurement="availability", target="95 %")
    assert found.status is UNDECIDED
    assert found.more_needed is not None
    assert found.more_needed > 59


def test_the_mean_has_an_interval() -> None:
    """Met where even its upper bound is below; what was not seen to the end leaves no upper bound."""
    draw = random.Random(1)
    values = [draw.expovariate(1 / 3) for _ in range(200)]
    assert judged(points_of(values), mean=True, below=5).status is MET
    assert judged(points_of(values), mean=True, below=2).status is VIOLATED
    assert judged(points_of(values), mean=True, below=3).status is UNDECIDED
    assert judged(points_of(values), mean=True, above=2).status is MET
    few = judged(points_of([1.0] * 5), mean=True, below=5)
    assert few.text.endswith("the mean of 5 is 1 s; it takes 10 runs for bounds")
    assert few.more_needed == 5
    cut = judged(points_of(values, waited=[3.0]), mean=True, below=5)
    assert (cut.status, cut.upper) == (UNDECIDED, None)


def test_the_mean_of_runs_with_several_values_is_that_of_the_runs() -> None:
    """A hundred pods of five runs are five witnesses: too few for bounds."""
    found = judged(points_of([1.0] * 100, per_run=20), mean=True, below=5)
    assert (found.status, found.estimate, found.upper) == (UNDECIDED, 1.0, None)


def test_a_percentile_beyond_what_was_waited_for_is_said_so() -> None:
    """There is no estimate then, but a bound."""
    found = judged(points_of([1.0] * 10, waited=[31.0] * 20))
    assert found.estimate is None
    assert "95 % of 30 not within what was waited for (at least 31 s, at 95 %)" in found.text


def test_the_longest_is_a_fact_of_the_window() -> None:
    """One longer one violates it; none is met, and says what that rules out of further runs."""
    assert judged(points_of([1.0, 31.0]), max=True, below=30).text == (
        "t: max below 30 s: violated: 1 of 2 took longer, the longest 31 s"
    )
    met = judged(points_of([1.0] * 59), max=True, below=30)
    assert met.status is MET
    assert met.text.endswith("the longest of 59 is 1 s; 5 % of runs or more with a longer one are ruled out (at 95 %)")
    assert judged(points_of([1.0], waited=[2.0]), max=True, below=30).status is UNDECIDED


def test_a_ratio_of_runs_that_passed() -> None:
    """By Clopper and Pearson's bounds, as shares."""
    found = judged(points_of([1.0] * 96 + [0.0] * 4), measurement="passed", ratio=True, above=0.9)
    assert (found.status, found.unit, found.estimate) == (MET, "share", 0.96)
    assert found.lower == pytest.approx(0.9108, abs=1e-4)
    assert found.text == "passed: 90 %: met: 96.0 % of 100 runs passed (91.1 % to 98.6 %, each at 95 %)"
    assert judged(points_of([1.0, 0.0] * 20), measurement="passed", ratio=True, above=0.9).status is VIOLATED


def test_availability_is_judged_by_runs_not_by_samples() -> None:
    """A thousand samples of ten runs without a failure say what ten runs say."""
    few = judged(counts=[Count(100, 0, NOW)] * 10, measurement="availability", target="99 %")
    assert (few.status, few.samples, few.more_needed) == (UNDECIDED, 1000, 289)
    spread = judged(counts=[Count(999, 1, NOW)] * 300, measurement="availability", target="99 %")
    assert spread.status is MET
    down = judged(counts=[Count(100, 0, NOW), Count(0, 100, NOW)] * 20, measurement="availability", target="99 %")
    assert down.status is VIOLATED


def test_a_target_has_an_error_budget() -> None:
    """What may go wrong, what is left of it, in the sentence too."""
    found = judged(points_of([1.0] * 995 + [31.0] * 5), target="99 %", below=30)
    assert found.budget is not None
    assert (found.budget.good, found.budget.bad, found.budget.left) == (995, 5, pytest.approx(0.5))
    assert found.text.endswith("; 50 % of the error budget left")
    over = judged(points_of([1.0] * 97 + [31.0] * 3), target="99 %", below=30)
    assert over.text.endswith("; error budget overspent: 3 times what may go wrong")


@pytest.mark.parametrize(("count", "status"), [(59, UNDECIDED), (73, UNDECIDED), (74, MET)])
def test_bounds_for_every_look_take_more_runs(count: int, status: ObjectiveStatus) -> None:
    """74 without a slow one rather than 59; how many are missing is said by the same measure."""
    found = judged(points_of([1.0] * count), everyLook=True)
    assert (found.status, found.more_needed) == (status, 74 - count or None)
    [one_look] = [judged(points_of([1.0] * 50 + [40.0] * 5))]
    every_look = judged(points_of([1.0] * 50 + [40.0] * 5), everyLook=True)
    assert one_look.lower is not None
    assert every_look.lower is not None
    assert every_look.lower <= one_look.lower


def test_for_every_look_a_run_is_one_witness() -> None:
    """Bad where any of its values is before it is met, where all of them are before it is violated."""
    some = points_of([1.0, 1.0, 40.0] * 80, per_run=3)
    assert judged(some, everyLook=True).status is UNDECIDED
    assert judged(points_of([40.0] * 60, per_run=3), everyLook=True).status is VIOLATED
    assert judged(points_of([1.0] * 222, per_run=3), everyLook=True).status is MET


@given(st.lists(st.booleans(), min_size=1, max_size=150))
def test_what_every_look_says_one_look_says_too(good: list[bool]) -> None:
    """The bounds for all looks are never the tighter ones."""
    points = points_of([1.0 if each else 40.0 for each in good])
    every, one = judged(points, percentile=80, below=30, everyLook=True), judged(points, percentile=80, below=30)
    assert every.status in {one.status, UNDECIDED}


@pytest.mark.parametrize(("count", "status"), [(28, UNDECIDED), (40, MET)])
def test_a_sequential_test_decides_by_the_rounds_of_a_run(count: int, status: ObjectiveStatus) -> None:
    """It needs fewer runs than a window of fixed size, and says when it has its answer."""
    found = judged(points_of([1.0] * count), sequential={"acceptable": 0.001}, percentile=90, below=30)
    assert (found.status, found.is_decided, found.window) == (status, status is MET, "this run")


def test_a_sequential_test_sees_what_is_bad_soon() -> None:
    """Three bad rounds of the first three are enough."""
    found = judged(points_of([31.0] * 3), sequential={"acceptable": 0.01}, percentile=90, below=30)
    assert (found.status, found.is_decided) == (VIOLATED, True)


def test_rounds_that_were_cut_short_decide_nothing_for_sure() -> None:
    """They count as bad before it is met, and as good before it is violated."""
    found = judged(points_of([], waited=[1.0] * 10), sequential={"acceptable": 0.01}, percentile=90, below=30)
    assert found.status is UNDECIDED


def test_a_sequential_test_that_unknown_rounds_have_spoilt_says_so() -> None:
    """Taken as bad they decided it one way, taken as good they may yet decide it the other: good rounds don't help."""
    points = [*points_of([], waited=[1.0] * 10), *points_of([1.0] * 10)]
    points = [replace(each, round=place) for place, each in enumerate(points)]
    found = judged(points, sequential={"acceptable": 0.01}, percentile=90, below=30)
    assert (found.status, found.more_needed) == (UNDECIDED, None)
    assert found.text.endswith("; too many were not seen to the end for good runs to decide it")


RUNS = st.lists(
    st.lists(st.tuples(st.sampled_from([1.0, 5.0, 29.0, 30.0, 31.0, 50.0]), st.booleans()), min_size=1, max_size=4),
    min_size=1, max_size=60,
)  # fmt: skip


@given(
    RUNS,
    st.sampled_from(["below", "above"]),
    st.sampled_from([{}, {"everyLook": True}, {"sequential": {"acceptable": 0.001}}, {"window": "60 runs"}]),
    st.sampled_from([0.5, 0.8, 0.95]),
)
def test_the_bounds_and_the_status_never_contradict_each_other(
    runs: list[list[tuple[float, bool]]], side: str, more: dict[str, Any], confidence: float
) -> None:
    """The estimate lies between its bounds, and what isn't decided has no bound beyond the limit."""
    values = [(value, is_cut, number) for number, run in enumerate(runs) for value, is_cut in run]
    points = [Point(value, NOW + place, "r", number, cut) for place, (value, cut, number) in enumerate(values)]
    found = judged(points, **{"percentile": 80, side: 30, "confidence": confidence, **more})
    low, high = found.lower or 0.0, found.upper or 1e9
    assert found.estimate is None or low <= found.estimate <= high
    is_low_beyond, is_high_within = (low >= 30, high < 30) if side == "above" else (low > 30, high <= 30)
    if found.status is UNDECIDED:
        assert not is_low_beyond
        assert not is_high_within
        assert found.more_needed != 0
    elif "sequential" not in more:
        assert (low >= 30) if (found.status is MET) == (side == "above") else (high <= 30)


def test_what_gets_worse_is_warned_of() -> None:
    """A jump says since when, a creep by how much; neither changes the status. What gets better warns of nothing."""
    draw = random.Random(2)
    before, after = ([draw.uniform(low, low + 1) for _ in range(60)] for low in (1.0, 4.0))
    jumped = judged(points_of(before + after))
    assert jumped.status is MET
    assert jumped.warnings[0].startswith("worse since 2030-03-17 ")
    assert judged(points_of(after + before)).warnings == ()
    crept = judged(points_of([place / 100 + draw.uniform(0, 0.2) for place in range(200)]))
    assert crept.warnings[0].startswith("getting worse: by 2.0")
    assert judged(points_of([draw.uniform(1, 2) for _ in range(300)])).warnings == ()


def test_runs_that_failed_before_they_measured_anything_are_warned_of() -> None:
    """They change no status, but a series of those that came through looks better than the system is."""
    evidence = Evidence(now=NOW, points=points_of([1.0] * 59), failed_without=12)
    found = judge(objective(), evidence)
    assert found.status is MET
    assert found.warnings == ("12 runs failed before it was measured, and can't count here",)


def test_waiting_in_vain_ever_more_often_is_warned_of() -> None:
    """A slope has no figures where most was never seen to the end."""
    draw = random.Random(3)
    waited = [each for each in points_of([5.0] * 100) if draw.random() > each.round / 60]
    seen = {each.round for each in waited}
    points = [each if each.round in seen else replace(each, is_lower_bound=True) for each in points_of([5.0] * 100)]
    [warning] = judged(points).warnings
    assert warning.startswith(("getting worse: ever more often not seen to the end", "worse since"))


def test_runs_that_begin_to_fail_are_warned_of() -> None:
    """Yes and no have no slope, but a jump."""
    passed = points_of([1.0] * 60 + [0.0, 1.0, 0.0] * 20)
    assert "worse since" in judged(passed, measurement="passed", ratio=True, above=0.5).warnings[0]


def test_what_can_not_be_read_is_said() -> None:
    """No verdict, with the reason."""
    found = unseen(objective(), "the database is locked")
    assert (found.status, found.problem, found.samples) == (UNDECIDED, "the database is locked", 0)
    assert found.text == "t: 95 % below 30 s: not enough evidence: the database is locked"
