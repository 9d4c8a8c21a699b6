from msgspec.structs import replace

from seatrial.runtime.events import (
    PauseStarted,
    PolicyReloaded,
    RoundStarted,
    RunFinished,
    ScenarioFinished,
    ScenarioStarted,
)
from seatrial.runtime.verdict import Verdict
from seatrial.telemetry.metrics.standing import OF_SCENARIOS, StandingLevels
from seatrial.telemetry.metrics.table import METRICS, Level
from tests.report.conftest import records_of
from tests.telemetry.meanings import EVENTS, JUDGED

KILL = "Kill half"  # the scenario that `records_of` has its records in
HEALING = replace(JUDGED, objective="healing")
SCALING = replace(JUDGED, objective="scaling")
FINISHED = ScenarioFinished(name=KILL, verdict=Verdict.FAILED, reasons=(), duration_ms=1)
PAUSE = PauseStarted(seconds=1)
ENDED = RunFinished(verdict=Verdict.FAILED, reasons=(), exit_code=1, duration_ms=1, rounds=1)


def reloaded(*scenarios):
    return PolicyReloaded(policy="p.yml", changes=("c",), policy_text="", digests=dict.fromkeys(scenarios, "d"))


def standing_after(*events):
    """The series of scenarios that stand after these events, by the names of objectives (or scenarios)."""
    levels = StandingLevels()
    stand = set()
    for record in records_of(events):
        for change in levels.changes_of(record):
            if isinstance(change, Level) and change.metric.name in OF_SCENARIOS:
                series = (change.metric.name, change.labels)
                stand.discard(series) if change.value is None else stand.add(series)
    return {labels[1] if "objective" in name or "budget" in name else labels[0] for name, labels in stand}


def test_a_scenario_that_is_taken_out_ends_at_once():
    """Its verdict and its objectives, though nothing of it ever runs again."""
    assert standing_after(FINISHED, HEALING, reloaded("another")) == set()


def test_what_is_still_there_stands_on():
    """No alert ends because the policy's file was changed somewhere else."""
    assert standing_after(FINISHED, HEALING, reloaded(KILL, "another")) == {KILL, "healing"}
    assert standing_after(FINISHED, HEALING, reloaded(KILL), RoundStarted(number=2)) == {KILL, "healing"}


def test_an_objective_that_is_taken_out_ends_when_its_scenario_was_judged_without_it():
    """At the next thing that happens after the judgements: the pause, the next scenario, the next round, the end."""
    before = (FINISHED, HEALING, SCALING, PAUSE, reloaded(KILL), RoundStarted(number=2))
    another_runs = (ScenarioStarted(name="another", description=""),)
    assert standing_after(*before, *another_runs) == {KILL, "healing", "scaling"}
    judged = (*before, FINISHED, SCALING)
    assert standing_after(*judged) == {KILL, "healing", "scaling"}
    for then in (PAUSE, RoundStarted(number=3), ENDED, *another_runs):
        assert standing_after(*judged, then) == {KILL, "scaling"}


def test_what_was_not_judged_anew_stands_where_its_policy_did_not_change():
    """An objective that some round does not judge is none that is gone."""
    assert standing_after(FINISHED, HEALING, PAUSE, FINISHED, PAUSE) == {KILL, "healing"}


def test_every_level_about_scenarios_is_one_that_may_end():
    """No metric that has a scenario's name and stands is forgotten when the scenario is."""
    levels = StandingLevels()
    changes = [change for record in records_of(EVENTS) for change in levels.changes_of(record)]
    of_scenarios = {
        change.metric.name
        for change in changes
        if isinstance(change, Level) and {"scenario", "name"} & set(change.metric.labels)
    }
    assert of_scenarios == OF_SCENARIOS
    assert all(metric.labels[0] in {"scenario", "name"} for metric in METRICS if metric.name in OF_SCENARIOS)
