"""What a policy may say of objectives, and what of it could never be decided."""

import ast
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import seatrial
from seatrial.policy.measurement_names import BUILT_IN
from seatrial.policy.objectives import Objective, fewest_runs, share_of, window_runs, window_seconds
from seatrial.slo.intervals import runs_without_failure
from seatrial.slo.measurements import MEANINGS
from seatrial.steps.registry import policy_model

TIMES: dict[str, Any] = {"measurement": "timeToRecover", "percentile": 95, "below": 30}
PASSED: dict[str, Any] = {"measurement": "passed", "ratio": True, "above": 0.9}
AVAILABLE: dict[str, Any] = {"measurement": "availability", "target": "99.9 %"}


def objective(said: dict[str, Any]) -> Objective:
    return Objective.model_validate(said, by_alias=True, by_name=False)


def refusals(said: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        objective(said)
    return [(".".join(map(str, each["loc"])), each["msg"]) for each in caught.value.errors()]


def scenario_refusals(*objectives: dict[str, Any], **scenario: Any) -> list[tuple[str, str]]:
    steps = [{"waitFor": {"until": {"pod": {"name": "a", "namespace": "b"}}, "timeout": 5, "measurement": "answers"}}]
    document = {"scenarios": [{"name": "one", "steps": steps, "objectives": list(objectives), **scenario}]}
    with pytest.raises(ValidationError) as caught:
        policy_model().model_validate(document, by_alias=True, by_name=False)
    return [(".".join(map(str, each["loc"][2:])), each["msg"]) for each in caught.value.errors()]


@pytest.mark.parametrize(
    ("said", "label"),
    [
        (TIMES, "timeToRecover: 95 % below 30 s"),
        ({**TIMES, "percentile": 99.9, "window": "7d"}, "timeToRecover: 99.9 % below 30 s over 7d"),
        ({"measurement": "t", "mean": True, "above": 0.5}, "t: mean above 0.5 s"),
        ({"measurement": "t", "max": True, "below": 3}, "t: max below 3 s"),
        ({"measurement": "t", "target": "99.95 %", "below": 3}, "t: 99.95 % below 3 s"),
        (PASSED, "passed: 90 %"),
        ({**AVAILABLE, "probe": 1}, "availability of probe 1: 99.9 %"),
        ({**TIMES, "name": "heals in time"}, "heals in time"),
    ],
)
def test_an_objective_is_called_what_it_says(said: dict[str, Any], label: str) -> None:
    """Unless it has a name."""
    assert objective(said).label == label


def test_what_is_left_out_is_what_most_want() -> None:
    """Thirty days, 95 % sure, no sequential test."""
    said = objective(TIMES)
    assert (said.window, said.confidence, said.sequential, said.statistic) == ("30d", 0.95, None, "percentile")
    assert (said.share, said.limit) == (0.95, 30)
    assert (objective(AVAILABLE).share, objective(AVAILABLE).limit) == (0.999, 0.999)


def test_a_model_written_back_is_valid() -> None:
    """With every default, as plans and digests write it."""
    for said in (TIMES, PASSED, AVAILABLE, {**TIMES, "sequential": {"acceptable": 0.01}}):
        written = objective(said).model_dump(mode="json", by_alias=True)
        assert objective(written) == objective(said)


@pytest.mark.parametrize(
    ("said", "place", "message"),
    [
        ({"measurement": "t"}, "", "needs one of: percentile, mean, max, ratio, target"),
        ({**TIMES, "mean": True}, "", "has several of: percentile, mean, max, ratio, target"),
        ({"measurement": "t", "mean": False, "below": 3}, "mean", "is false; say true, or leave it out"),
        ({"measurement": "t", "percentile": 95}, "", "has percentile, which needs one of: below, above"),
        ({**TIMES, "above": 1}, "", "has both: below, above"),
        ({"measurement": "t", "max": True, "above": 3}, "above", "'above' does not go with 'max'"),
        ({"measurement": "t", "max": True}, "", "has max, which needs: below"),
        ({"measurement": "t", "target": "99 %"}, "", "has target, which needs: below"),
        ({**AVAILABLE, "below": 3}, "below", "'below' does not go with 'target'"),
        ({"measurement": "passed", "ratio": True, "above": 1}, "above", "no number of runs proves that none fails"),
        ({"measurement": "passed", "percentile": 95, "below": 1}, "percentile", "'passed' is yes or no: say ratio"),
        ({"measurement": "t", "ratio": True, "above": 0.9}, "ratio", "for times say percentile or target"),
        ({**TIMES, "probe": 0}, "probe", "'probe' goes with 'availability' only"),
        ({**TIMES, "window": "a while"}, "window", "is 'a while', which is neither a span of time"),
        ({**TIMES, "window": "0 runs"}, "window", "neither a span of time (24h, 30d) nor a number of runs"),
        ({**AVAILABLE, "target": "100 %"}, "target", "needs a percentage between 0 and 100"),
        ({**TIMES, "confidence": 1}, "confidence", "less than 1"),
        ({**TIMES, "window": "58 runs"}, "window", "it takes 59 runs without a bad one to show 95 % at a confidence"),
        ({"measurement": "t", "mean": True, "below": 1, "window": "9 runs"}, "window", "a mean takes 10 runs"),
        ({**TIMES, "sequential": {"acceptable": 0.05}}, "sequential.acceptable", "must be less than the share that"),
        ({**AVAILABLE, "sequential": {"acceptable": 1e-5}}, "sequential", "does not go with 'availability'"),
        ({**TIMES, "sequential": {"acceptable": 0.01}, "window": "24h"}, "window", "counts the rounds of one run"),
        ({**TIMES, "everyLook": True, "sequential": {"acceptable": 0.01}}, "everyLook", "with 'sequential'"),
        ({**AVAILABLE, "everyLook": True}, "everyLook", "'everyLook' does not go with 'availability'"),
        ({"measurement": "t", "mean": True, "below": 1, "everyLook": True}, "everyLook", "does not go with 'mean'"),
        ({"measurement": "t", "max": True, "below": 1, "sequential": {"acceptable": 0.01}}, "sequential", "'max'"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_said(said: dict[str, Any], place: str, message: str) -> None:
    """Each statistic has its limits; what could never be decided is an error that says how many runs it takes."""
    assert [(where, message) for where, text in refusals(said) if message in text] == [(place, message)]


def test_a_window_that_is_just_long_enough_is_fine() -> None:
    """59 runs for 95 % at 95 %, as the tables have it."""
    assert objective({**TIMES, "window": "59 runs"}).window == "59 runs"


@given(st.floats(0.5, 0.9999), st.floats(0.5, 0.9999))
def test_the_fewest_runs_are_those_of_the_statistics(share: float, confidence: float) -> None:
    """The rule is the same that judges, up to the last digit of a float."""
    exact = math.log1p(-confidence) / math.log(share)
    if abs(exact - round(exact)) > 1e-6:
        assert fewest_runs(share, confidence=confidence) == runs_without_failure(1 - share, confidence=confidence)


@pytest.mark.parametrize(
    ("given_", "place", "message"),
    [
        ([{**TIMES, "measurement": "answer"}], "objectives.0.measurement", "did you mean 'answers'?"),
        ([{**TIMES, "measurement": "timeToRecovr"}], "objectives.0.measurement", "did you mean 'timeToRecover'?"),
        ([{**TIMES, "measurement": "xyz"}], "objectives.0.measurement", "which neither a step of the scenario nor"),
        ([TIMES, TIMES], "objectives.1", "as objectives[0] is; give it a name"),
        ([AVAILABLE], "objectives.0.measurement", "needs a steadyState with probes to sample"),
    ],
)
def test_objectives_fit_their_scenario(given_: list[dict[str, Any]], place: str, message: str) -> None:
    """Measurements that are there, names of their own."""
    [(where, text)] = scenario_refusals(*given_)
    assert where == place
    assert message in text


@pytest.mark.parametrize(
    ("wait", "below", "refused"),
    [
        ({"timeout": 30}, 30.5, 1),
        ({"timeout": 30}, 30, 0),
        ({"timeout": 30, "until": {"probeHTTP": {"target": {"url": "http://h"}}}}, 30, 1),
        ({"timeout": 31, "until": {"probeHTTP": {"target": {"url": "http://h"}}}}, 30, 0),
        ({}, 61, 1),
        ({"timeout": 30, "since": "change"}, 40, 0),
    ],
)
def test_who_waits_must_wait_for_longer_than_the_limit(wait: dict[str, Any], below: float, refused: int) -> None:
    """Or nobody would ever see that it takes too long."""
    until = {"pod": {"name": "a", "namespace": "b"}}
    objective = {"measurement": "waitFor", "percentile": 95, "below": below}
    document = {
        "scenarios": [{"name": "one", "steps": [{"waitFor": {"until": until, **wait}}], "objectives": [objective]}]
    }
    try:
        policy_model().model_validate(document, by_alias=True, by_name=False)
        problems = []
    except ValidationError as error:
        problems = [(each["loc"][2:], each["msg"]) for each in error.errors()]
    assert [where for where, _ in problems] == [("objectives", 0, "below")] * refused
    assert all("nobody would see that it takes too long" in said for _, said in problems)


def test_a_probe_is_one_of_the_steady_state() -> None:
    """By its place, counted from 0."""
    steady = {"probes": [{"probeHTTP": {"target": {"url": "http://h"}}}]}
    [(where, text)] = scenario_refusals({**AVAILABLE, "probe": 1}, steadyState=steady)
    assert (where, text) == ("objectives.0.probe", "is 1; the steady state has 1 probe, counted from 0")


def test_a_name_that_a_step_gives_is_known() -> None:
    """`waitFor` names what it measures, or calls it `waitFor`."""
    until = {"until": {"pod": {"name": "a", "namespace": "b"}}}
    steps = [{"waitFor": until}, {"waitFor": {**until, "measurement": "answers"}}]
    objectives = [{**TIMES, "measurement": name} for name in ("waitFor", "answers", "timeToScale")]
    document = {"scenarios": [{"name": "one", "steps": steps, "objectives": objectives}]}
    policy = policy_model().model_validate(document, by_alias=True, by_name=False)
    assert [each.measurement for each in policy.scenarios[0].objectives] == ["waitFor", "answers", "timeToScale"]


def test_the_names_of_all_measurements_are_known() -> None:
    """Whatever a step or action of ours measures may stand in an objective."""
    root = Path(seatrial.__file__).parent
    named = set()
    texts = (file.read_text() for file in root.rglob("*.py"))
    for text in (each for each in texts if "MeasurementTaken(" in each or "Measured(" in each):
        for node in ast.walk(ast.parse(text)):
            is_one = isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"MeasurementTaken", "Measured"}
            for keyword in node.keywords if is_one and isinstance(node, ast.Call) else ():
                if keyword.arg == "name" and isinstance(keyword.value, ast.Constant):
                    named.add(keyword.value.value)
    assert named <= {*BUILT_IN, "passed"}
    assert set(BUILT_IN) == set(MEANINGS)


def test_windows_and_percentages_are_read() -> None:
    """Spans or runs; shares without the errors of binary fractions."""
    assert (window_runs("200 runs"), window_seconds("200 runs")) == (200, None)
    assert (window_runs("24h"), window_seconds("24h")) == (None, 86400.0)
    assert (share_of("99.9 %"), share_of("99.95%")) == (0.999, 0.9995)
