import pytest

from seatrial.runtime.verdict import (
    PASSED,
    RunResult,
    Tally,
    Verdict,
    combine,
    failed,
    not_carried_out,
    nothing_to_do,
)


def test_worst_outcome_decides():
    """A failure outweighs an inconclusive outcome, which outweighs a pass."""
    assert combine([PASSED, nothing_to_do("empty"), failed("broken")]).verdict is Verdict.FAILED
    assert combine([PASSED, nothing_to_do("empty")]).verdict is Verdict.INCONCLUSIVE
    assert combine([PASSED, PASSED]).verdict is Verdict.PASSED


def test_nothing_is_passed_vacuously_only_within_a_scenario():
    """A scenario without outcomes has nothing against it; a run without scenarios has shown nothing."""
    assert combine([]).verdict is Verdict.PASSED
    assert Tally().verdict is Verdict.INCONCLUSIVE


def test_each_reason_is_told_once():
    """The same reason from two steps is said once, in the order in which reasons came."""
    assert combine([failed("b"), failed("a"), failed("b")]).reasons == ("b", "a")


def test_an_empty_set_lets_the_scenario_go_on_and_a_refusal_does_not():
    """After nothing to do the next steps still make sense; after a refusal or a failure they don't."""
    assert not nothing_to_do("empty").ends_scenario
    assert not_carried_out("403").ends_scenario
    assert failed("broken").ends_scenario


def test_a_tally_does_not_grow_with_the_run():
    """Ten thousand different reasons leave a bounded number behind, and every outcome counted."""
    tally = Tally()
    for number in range(10_000):
        tally.add(failed(f"reason {number}"))
    assert tally.counts[Verdict.FAILED] == 10_000
    assert len(tally.reasons) == 50


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (RunResult(verdict=Verdict.PASSED), 0),
        (RunResult(verdict=Verdict.FAILED), 1),
        (RunResult(verdict=Verdict.INCONCLUSIVE), 3),
        (RunResult(verdict=Verdict.PASSED, interrupted=True), 130),
        (RunResult(verdict=Verdict.FAILED, interrupted=True, undo_failures=("x",)), 4),
    ],
)
def test_exit_codes(result, code):
    """0 passed, 1 failed, 3 inconclusive, 130 interrupted; 4 when clean-up is incomplete, whatever else happened."""
    assert result.exit_code == code
