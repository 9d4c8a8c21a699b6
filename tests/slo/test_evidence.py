"""What is read of a series for an objective, and what is read once."""

from typing import Any

import pytest

from seatrial.errors import StateError
from seatrial.slo.evidence import EvidenceReader
from seatrial.slo.series import Count, Point
from tests.slo.conftest import KEY, NOW, Kept, objective, points_of


def test_a_window_in_time_reads_what_is_not_older(kept: Kept) -> None:
    """A day back from now."""
    kept.points_of["t"] = [Point(1.0, NOW - 90_000, "r", 1), Point(2.0, NOW - 80_000, "r", 2)]
    evidence = EvidenceReader(kept, KEY, now=NOW).of(objective(window="24h"))
    assert [each.value for each in evidence.points] == [2.0]
    assert kept.asked == [(KEY, "t", NOW - 86400, None), (KEY, "passed", NOW - 86400, None)]


def test_a_window_in_runs_reads_the_last_so_many(kept: Kept) -> None:
    """However long ago they were."""
    kept.points_of["t"] = points_of([float(each) for each in range(100)])
    evidence = EvidenceReader(kept, KEY, now=NOW).of(objective(window="60 runs"))
    assert [each.value for each in evidence.points] == [float(each) for each in range(40, 100)]
    assert kept.asked == [(KEY, "t", None, 60), (KEY, "passed", None, 60)]


def test_what_several_objectives_need_is_read_once(kept: Kept) -> None:
    """Three objectives on one measurement are one question, and one for which runs failed."""
    reader = EvidenceReader(kept, KEY, now=NOW)
    for said in ({}, {"percentile": 80, "below": 3}, {"target": "99 %", "below": 3}):
        reader.of(objective(**said))
    assert [each[1] for each in kept.asked] == ["t", "passed"]


@pytest.mark.parametrize("said", [{}, {"window": "60 runs"}, {"sequential": {"acceptable": 0.01}}])
def test_runs_that_failed_before_they_measured_anything_are_counted(kept: Kept, said: dict[str, Any]) -> None:
    """Not those that passed without, nor those that failed and have a value; `passed` itself has them all."""
    kept.points_of["t"] = [Point(1.0, NOW - 90, "r", 1), Point(2.0, NOW - 80, "r", 2)]
    kept.points_of["passed"] = [
        Point(float(passed), NOW - 90 + 10 * number, "r", number) for number, passed in [(1, 1), (2, 0), (3, 0), (4, 1)]
    ]
    assert EvidenceReader(kept, KEY, now=NOW, run_id="r").of(objective(**said)).failed_without == 1
    passed = objective(measurement="passed", ratio=True, above=0.9)
    assert EvidenceReader(kept, KEY, now=NOW).of(passed).failed_without == 0


def test_burn_rates_look_at_the_last_hours_whatever_the_window(kept: Kept) -> None:
    """A window of a few runs may be shorter; what is older than six hours is left out."""
    kept.points_of["t"] = [Point(1.0, NOW - 30_000, "r", 1), Point(9.0, NOW - 20_000, "r", 2), Point(1.0, NOW, "r", 3)]
    evidence = EvidenceReader(kept, KEY, now=NOW).of(objective(target="90 %", below=3, window="29 runs"))
    assert evidence.latest == [Count(0, 1, NOW - 20_000), Count(1, 0, NOW)]
    assert len(evidence.points) == 3


def test_availability_is_read_by_run_and_by_minute(kept: Kept) -> None:
    """Runs are the witnesses, minutes the burn rates; of one probe or of all."""
    kept.counts_of["probes[0] (probeTCP)"] = [Count(10, 0, NOW - 60)]
    kept.minutes_of["probes[0] (probeTCP)"] = [Count(5, 0, NOW - 60)]
    evidence = EvidenceReader(kept, KEY, now=NOW).of(
        objective(measurement="availability", target="99 %"), probe="probes[0] (probeTCP)"
    )
    assert (evidence.counts, evidence.latest) == ([Count(10, 0, NOW - 60)], [Count(5, 0, NOW - 60)])


@pytest.mark.parametrize(("run_id", "values"), [("new", [3.0]), ("old", [1.0, 2.0]), (None, [3.0])])
def test_a_sequential_test_counts_one_run(kept: Kept, run_id: str | None, values: list[float]) -> None:
    """That which is going on; the latest by default."""
    kept.points_of["t"] = [Point(1.0, NOW - 3, "old", 1), Point(2.0, NOW - 2, "old", 2), Point(3.0, NOW - 1, "new", 1)]
    reader = EvidenceReader(kept, KEY, now=NOW, run_id=run_id)
    evidence = reader.of(objective(sequential={"acceptable": 0.01}))
    assert [each.value for each in evidence.points] == values


def test_what_can_not_be_read_is_an_error(kept: Kept) -> None:
    """For whoever asked to say."""
    kept.error = StateError("the disk is full")
    with pytest.raises(StateError):
        EvidenceReader(kept, KEY, now=NOW).of(objective())


def test_a_sequential_test_asks_for_no_more_than_its_run(kept: Kept) -> None:
    """What a round costs doesn't grow with what was kept before; a day is left for clocks that are set back."""
    reader = EvidenceReader(kept, KEY, now=NOW, run_id="new", run_began=NOW - 60)
    reader.of(objective(sequential={"acceptable": 0.01}))
    assert set(kept.asked) == {(KEY, each, NOW - 60 - 86_400, None) for each in ("t", "passed")}
