"""The judge of a run: what it publishes, what it remembers, and that nothing of it hurts the run."""

import asyncio
import threading
from typing import Any

import pytest
from msgspec.structs import replace

from seatrial.errors import StateError
from seatrial.policy.base import one_key
from seatrial.policy.models import Scenario
from seatrial.policy.objectives import Objective
from seatrial.runtime.events import ObjectiveJudged, ObjectiveStatus
from seatrial.runtime.verdict import Verdict
from seatrial.slo.digest import digest_of, series_key
from seatrial.slo.judge import ObjectivesJudge
from seatrial.slo.objective import unseen
from seatrial.slo.series import Count
from seatrial.steps.registry import policy_model
from tests.slo.conftest import NOW, Kept, points_of
from tests.slo.conftest import objective as any_objective

MET, VIOLATED, UNDECIDED = ObjectiveStatus.MET, ObjectiveStatus.VIOLATED, ObjectiveStatus.UNDECIDED


def objective(**said: Any) -> Objective:
    """95 % of the pods Ready within 30 seconds, unless something else is said."""
    return any_objective(**{"measurement": "timeToReady", "percentile": 95, "below": 30, **said})


def scenario(*objectives: Any, name: str = "one", **more: Any) -> Scenario:
    return Scenario(name=name, steps=(), objectives=objectives or (objective(),), **more)


def judge_of(kept: Kept, **options: Any) -> ObjectivesJudge:
    return ObjectivesJudge(kept, policy="p.yml", cluster="c", began=NOW - 60, **options)


def published(recorder: Any) -> list[ObjectiveJudged]:
    return [each.event for each in recorder.records if isinstance(each.event, ObjectiveJudged)]


async def judged_by(judge: ObjectivesJudge, recorder: Any, *scenarios: Scenario) -> list[ObjectiveJudged]:
    """What is published when these have ended, one after another."""
    before = len(published(recorder))
    for each in scenarios:
        await judge.after(each, recorder.context)
    await recorder.context.events.caught_up()
    return published(recorder)[before:]


async def test_each_objective_is_judged_after_its_scenario(kept: Kept, recorder: Any) -> None:
    """Published at the place in the run where it belongs, on the series of the scenario as it is."""
    kept.points_of = {"timeToReady": points_of([1.0] * 59), "passed": points_of([1.0] * 3)}
    judged = scenario(objective(), any_objective(measurement="passed", ratio=True, above=0.9))
    found = await judged_by(judge_of(kept), recorder, judged)
    assert [each.status for each in found] == [MET, UNDECIDED]
    assert {each.where.scenario for each in recorder.records} == {"one"}
    assert {asked[0] for asked in kept.asked} == {series_key(judged, policy="p.yml", cluster="c")}


async def test_a_scenario_without_objectives_costs_nothing(kept: Kept, recorder: Any) -> None:
    """Nothing is read, nothing published."""
    judge = judge_of(kept)
    plain = Scenario(name="one", steps=())
    assert await judged_by(judge, recorder, plain) == []
    assert kept.asked == []
    assert (judge.outcome([plain]).verdict, judge.is_decided([plain])) == (Verdict.PASSED, False)


async def test_what_was_said_before_is_told_along(kept: Kept, recorder: Any) -> None:
    """By this process, or by one before it: after a restart nobody is alerted anew."""
    kept.points_of["timeToReady"] = points_of([40.0] * 20)
    earlier = unseen(objective(), "")
    kept.judged = [
        (NOW - 9, replace(earlier, status=VIOLATED)),
        (NOW - 8, replace(earlier, objective="another", status=MET)),
        (NOW - 7, replace(earlier, status=UNDECIDED, problem="the disk is full")),
    ]
    judge = judge_of(kept)
    assert [each.previous for each in await judged_by(judge, recorder, scenario())] == [VIOLATED]
    kept.points_of["timeToReady"] = points_of([1.0] * 59)
    found = await judged_by(judge, recorder, scenario(), scenario())
    assert [(each.previous, each.status) for each in found] == [(VIOLATED, MET), (MET, MET)]


async def test_what_could_not_be_read_is_said_and_not_remembered(kept: Kept, recorder: Any) -> None:
    """Not enough evidence, with the reason; what was said before it still counts as the last word."""
    kept.points_of["timeToReady"] = points_of([1.0] * 59)
    judge = judge_of(kept)
    await judged_by(judge, recorder, scenario())
    kept.error = StateError("the disk is full")
    [blind] = await judged_by(judge, recorder, scenario())
    assert (blind.status, blind.problem, blind.previous) == (UNDECIDED, "the disk is full", MET)
    assert judge.outcome([scenario()]).verdict is Verdict.INCONCLUSIVE
    kept.error = None
    [seen] = await judged_by(judge, recorder, scenario())
    assert (seen.status, seen.previous) == (MET, MET)


async def test_a_violation_is_not_undone_by_dropping_its_objective(kept: Kept, recorder: Any) -> None:
    """A policy that is changed while the run lasts silences nothing; an objective that was met leaves nothing."""
    judge = judge_of(kept)
    kept.points_of["timeToReady"] = points_of([40.0] * 20)
    await judged_by(judge, recorder, scenario(), scenario(name="other"))
    looser = scenario(objective(below=60))
    await judged_by(judge, recorder, looser)
    found = judge.outcome([looser])
    assert found.verdict is Verdict.FAILED
    assert [each for each in found.reasons if "dropped" in each] == [
        f"{name}: {objective().label}: violated when the policy dropped it" for name in ("one", "other")
    ]
    assert judge.outcome([]).verdict is Verdict.FAILED
    kept.points_of["timeToReady"] = points_of([1.0] * 59)
    await judged_by(judge, recorder, scenario(), scenario(name="other"))
    assert judge.outcome([]).verdict is Verdict.PASSED


async def test_a_defect_does_not_end_the_experiment(kept: Kept, recorder: Any, caplog: Any) -> None:
    """It is logged, and the objective is open."""
    kept.error = ZeroDivisionError("a defect")
    [found] = await judged_by(judge_of(kept), recorder, scenario())
    assert (found.status, found.problem) == (UNDECIDED, "ZeroDivisionError: a defect")
    assert "the objectives could not be judged" in caplog.text


class Stuck(Kept):
    """A store that does not answer until it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may = threading.Event()
        self.reached = threading.Event()

    def _answer(self, *asked: Any) -> None:
        super()._answer(*asked)
        self.reached.set()
        assert self.may.wait(30)


async def test_a_store_that_does_not_answer_holds_nobody_up(recorder: Any) -> None:
    """The round goes on without it; it is not asked a second time before it has answered the first."""
    kept = Stuck()
    judge = judge_of(kept, patience_seconds=0.05)
    [first] = await judged_by(judge, recorder, scenario())
    [second] = await judged_by(judge, recorder, scenario())
    assert first.problem == "the store did not answer within 0.05 s"
    assert (second.problem, len(kept.asked)) == ("the store has not answered yet", 1)
    kept.may.set()
    while True:
        [third] = await judged_by(judge_of(kept), recorder, scenario())
        if not third.problem:
            break
    assert third.samples == 0


async def test_who_stops_the_run_need_not_wait_for_the_judge(recorder: Any) -> None:
    """Ctrl-C while a store is being read ends it at once."""
    kept = Stuck()
    judging = asyncio.create_task(judge_of(kept).after(scenario(), recorder.context))
    await asyncio.to_thread(kept.reached.wait, 30)
    judging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await judging
    kept.may.set()
    assert published(recorder) == []


@pytest.mark.parametrize(
    ("values", "verdict", "reason"),
    [
        ([1.0] * 59, Verdict.PASSED, None),
        ([40.0] * 59, Verdict.FAILED, "one: timeToReady: 95 % below 30 s: violated"),
        (
            [1.0] * 9,
            Verdict.INCONCLUSIVE,
            "one: timeToReady: 95 % below 30 s: not enough evidence (50 more good runs needed",
        ),
    ],
)
async def test_the_latest_judgements_join_the_verdict_of_the_run(
    kept: Kept, recorder: Any, values: list[float], verdict: Verdict, reason: str | None
) -> None:
    """Violated is failed, not enough evidence is inconclusive."""
    kept.points_of["timeToReady"] = points_of(values)
    judge = judge_of(kept)
    await judged_by(judge, recorder, scenario())
    outcome = judge.outcome([scenario()])
    assert outcome.verdict is verdict
    assert [each.startswith(reason or "") for each in outcome.reasons] == ([] if reason is None else [True])


async def test_an_objective_that_was_never_judged_is_not_met(kept: Kept) -> None:
    """A scenario that did not run has shown nothing."""
    outcome = judge_of(kept).outcome([scenario()])
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.reasons == ("one: timeToReady: 95 % below 30 s: was not judged",)


async def test_an_edited_scenario_begins_a_new_series(kept: Kept, recorder: Any) -> None:
    """Other steps are another experiment; another name for an objective, or another description, is not."""
    judge = judge_of(kept)
    same = scenario(objective(name="in time"), description="in other words")
    watched = one_key("Observer", {"goldpinger": int}, doc="Watches.").model_validate({"goldpinger": 1})
    edited = scenario(observe=(watched,))
    assert digest_of(same) == digest_of(scenario())
    await judged_by(judge, recorder, same, edited)
    assert [asked[0].digest for asked in kept.asked if asked[1] == "timeToReady"] == [
        digest_of(same),
        digest_of(edited),
    ]
    assert digest_of(same) != digest_of(edited)


@pytest.mark.parametrize(
    ("one", "other", "are_same"),
    [
        ({"stop": {}}, {"stop": None}, True),
        ({"stop": {}}, {"stop": {"force": False}}, True),
        ({"stop": {}}, {"stop": {"force": True}}, False),
        ({"stop": {}}, {"start": {}}, False),
    ],
)
def test_what_is_as_it_would_be_anyway_makes_no_other_experiment(
    one: dict[str, Any], other: dict[str, Any], *, are_same: bool
) -> None:
    """So a later version that adds an option goes on with the series that are there."""

    def digest(action: dict[str, Any]) -> str:
        step = {"nodeAction": {"matches": [{"property": {"name": "name", "value": "a"}}], "actions": [action]}}
        document = {"scenarios": [{"name": "one", "steps": [step]}]}
        return digest_of(policy_model().model_validate(document, by_alias=True, by_name=False).scenarios[0])

    assert (digest(one) == digest(other)) is are_same


async def test_a_run_is_decided_when_all_objectives_of_all_scenarios_are(kept: Kept, recorder: Any) -> None:
    """One that is open, or has no sequential test, keeps the rounds going."""
    test = objective(sequential={"acceptable": 0.001}, percentile=90, below=30)
    context = recorder.context
    kept.points_of["timeToReady"] = [replace(each, run_id=context.run_id) for each in points_of([1.0] * 40)]
    judge = judge_of(kept)
    one, two = scenario(test), scenario(test, name="two")
    await judged_by(judge, recorder, one)
    assert judge.is_decided([one])
    assert not judge.is_decided([one, two])
    await judged_by(judge, recorder, two)
    assert judge.is_decided([one, two])
    both = scenario(test, objective())
    await judged_by(judge, recorder, both)
    assert not judge.is_decided([both])


async def test_availability_of_one_probe_is_that_of_its_name(kept: Kept, recorder: Any) -> None:
    """As samples are kept: by the probe's place and kind."""
    policy = policy_model().model_validate(
        {
            "scenarios": [
                {
                    "name": "one",
                    "steps": [],
                    "steadyState": {"probes": [{"probeHTTP": {"target": {"url": "http://h"}}}]},
                    "objectives": [{"measurement": "availability", "target": "90 %", "probe": 0}],
                }
            ]
        },
        by_alias=True,
        by_name=False,
    )
    kept.counts_of["probes[0] (probeHTTP)"] = [Count(10, 0, NOW)] * 29
    [found] = await judged_by(judge_of(kept), recorder, policy.scenarios[0])
    assert (found.status, found.samples) == (MET, 290)
