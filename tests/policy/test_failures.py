"""What a policy may say of failures that come of themselves."""

from typing import Any

import pytest
from pydantic import ValidationError

from seatrial.policy.models import Policy
from seatrial.steps.registry import policy_model

NODES = [{"labels": {"selector": "pool=web"}}]
FAILS: dict[str, Any] = {"nodes": NODES, "mttf": "5y", "scenario": "one"}


def document(*failures: Any, scenarios: tuple[str, ...] = ("one", "two"), **strategy: Any) -> dict[str, Any]:
    said = {"strategy": "failures", "failures": list(failures), **strategy}
    return {"config": {"runStrategy": said}, "scenarios": [{"name": name, "steps": []} for name in scenarios]}


def check(given: dict[str, Any]) -> Policy:
    return policy_model().model_validate(given, by_alias=True, by_name=False)


def refusals(given: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        check(given)
    return [(".".join(map(str, each["loc"])), each["msg"]) for each in caught.value.errors()]


def test_what_is_left_out_is_the_plainest() -> None:
    """Exponential, independent, as slow as life, until stopped."""
    strategy = check(document(FAILS)).config.run_strategy
    [failure] = strategy.failures
    assert (failure.shape, failure.correlation, failure.pods) == (1.0, None, None)
    assert (strategy.accelerate, strategy.duration, strategy.runs) == (1.0, None, None)


def test_everything_that_can_be_said_is_understood() -> None:
    """Pods and nodes, the shape of their lives, what takes a zone together, how fast, how long."""
    pods = {"pods": [{"namespace": "shop"}], "mttf": "90d", "shape": 0.7, "scenario": "two"}
    nodes = {**FAILS, "correlation": {"by": "zone", "share": 0.1}}
    strategy = check(document(nodes, pods, accelerate=10000, duration="1y", runs=9)).config.run_strategy
    first, second = strategy.failures
    assert first.correlation is not None
    assert (first.correlation.by, first.correlation.share) == ("zone", 0.1)
    assert (second.pods[0].spec, second.mttf, second.shape, second.scenario) == ("shop", "90d", 0.7, "two")
    assert (strategy.accelerate, strategy.duration, strategy.runs) == (10000, "1y", 9)


@pytest.mark.parametrize(
    ("given", "place", "message"),
    [
        ({**FAILS, "mttf": "5"}, "mttf", "is '5', which is no span of time: a number and one of s, m, h, d, w, y"),
        ({**FAILS, "mttf": "0y"}, "mttf", "is no span of time"),
        ({**FAILS, "shape": 0}, "shape", "greater than or equal to 0.1"),
        ({**FAILS, "correlation": {"share": 0}}, "correlation.share", "greater than 0"),
        ({**FAILS, "correlation": {"by": "rack", "share": 0.1}}, "correlation.by", "'zone'"),
        ({**FAILS, "correlation": {}}, "correlation.share", "required"),
        ({**FAILS, "nodes": []}, "nodes", "is an empty list"),
        ({**FAILS, "nodes": [{"namespace": "x"}]}, "nodes.0", "unknown key"),
        ({**FAILS, "pods": [{"namespace": "x"}]}, "", "has both: nodes, pods; exactly one is allowed"),
        ({"mttf": "5y", "scenario": "one"}, "", "needs one of: nodes, pods"),
        ({**FAILS, "scenario": "tow"}, "scenario", "is 'tow', which no scenario is called; did you mean 'two'?"),
    ],
)
def test_mistakes_are_told_with_their_place(given: dict[str, Any], place: str, message: str) -> None:
    """Each at the key that is wrong."""
    path = ".".join(each for each in ("config.runStrategy.failures.0", place) if each)
    found = refusals(document(given))
    assert any(at.startswith(path) and message in said for at, said in found), found


@pytest.mark.parametrize(
    ("strategy", "place", "message"),
    [
        ({"strategy": "failures"}, "", "needs at least one item under: failures"),
        ({"strategy": "failures", "failures": []}, "", "needs at least one item under: failures"),
        (
            {"strategy": "failures", "failures": [FAILS], "minSecondsBetweenRuns": 1},
            "minSecondsBetweenRuns",
            "does not go",
        ),
        ({"failures": [FAILS]}, "failures", "goes only with the strategy 'failures'"),
        ({"strategy": "random", "accelerate": 5}, "accelerate", "goes only with the strategy 'failures'"),
        ({"duration": "1y"}, "duration", "goes only with the strategy 'failures'"),
        ({"strategy": "failures", "failures": [FAILS], "duration": "soon"}, "duration", "is no span of time"),
        ({"strategy": "failures", "failures": [FAILS], "accelerate": 0}, "accelerate", "or equal to 0.001"),
    ],
)
def test_each_key_goes_with_its_strategy(strategy: dict[str, Any], place: str, message: str) -> None:
    """What would have no effect is an error."""
    given = {"config": {"runStrategy": strategy}, "scenarios": [{"name": "one", "steps": []}]}
    path = ".".join(each for each in ("config.runStrategy", place) if each)
    assert any(at == path and message in said for at, said in refusals(given)), refusals(given)


def test_a_policy_with_failures_can_be_written_and_read_back() -> None:
    """Defaults that are written out are no contradiction."""
    policy = check(document(FAILS, {"pods": [{"namespace": "shop"}], "mttf": "1h", "scenario": "two"}))
    assert check(policy.model_dump(mode="json")) == policy


def test_the_matchers_are_loaded_where_failures_are_named() -> None:
    """The model that knows only what a file names reads its failures, too."""
    [failure] = policy_model().model_validate(document(FAILS)).config.run_strategy.failures
    assert failure.nodes[0].spec.selector == "pool=web"


@pytest.mark.parametrize("step", ["podAction", "nodeAction"])
def test_what_failed_is_matched_by_saying_so(step: str) -> None:
    """`failed: true`; there is no `failed: false`."""
    action = {"podAction": {"kill": {}}, "nodeAction": {"cordon": {}}}[step]

    def given(value: object) -> dict[str, Any]:
        steps = [{step: {"matches": [{"failed": value}], "actions": [action]}}]
        return {"scenarios": [{"name": "one", "steps": steps}]}

    [matcher] = check(given(True)).scenarios[0].steps[0].spec.matches
    assert (matcher.key, matcher.spec) == ("failed", True)
    [(place, _)] = refusals(given(False))
    assert place.endswith("matches.0.failed")
