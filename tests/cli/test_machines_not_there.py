"""A driver or a way to machines that Seatrial doesn't have: refused where it matters, and nowhere else."""

import pytest
from msgspec.structs import replace

from seatrial.cli.machine_options import MachineChoice
from seatrial.cli.session import SessionOptions, run_session
from seatrial.runtime.verdict import Verdict
from seatrial.steps.registry import policy_model

KILL = {
    "podAction": {
        "matches": [{"labels": {"selector": "app=web", "namespace": "default"}}],
        "actions": [{"kill": {"force": True}}],
    }
}
STOP_HOST = {"podAction": {**KILL["podAction"], "actions": [{"stopHost": {}}]}}
ALL_NODES = [{"property": {"name": "name", "value": ".*"}}]


def on_nodes(**action):
    return {"nodeAction": {"matches": ALL_NODES, "actions": [action]}}


@pytest.fixture
def options(control):
    return SessionOptions(
        policy=policy_model().model_validate({"scenarios": []}),
        policy_name="p.yml",
        kubeconfig=control.directory / "kubeconfig",
        state_directory=control.directory / "state",
        recovery_timeout_seconds=0,
    )


async def outcome(options, *steps, **machines):
    scenarios = [{"name": "an experiment", "steps": list(steps)}]
    policy = policy_model().model_validate({"config": {"runStrategy": {"runs": 1}}, "scenarios": scenarios})
    return await run_session(replace(options, policy=policy, machines=MachineChoice(**machines)), [])


@pytest.mark.parametrize(
    "step", [on_nodes(stop={}), on_nodes(start=None), STOP_HOST], ids=["stop", "start", "stopHost"]
)
async def test_a_driver_that_is_not_there_is_said_before_anything_is_touched(control, options, step):
    """The kill that comes first isn't done either; the verdict is inconclusive and names what was asked for."""
    await control.create_pods("a", app="web")
    result = await outcome(options, KILL, step, cloud="moon")
    assert (result.verdict, result.exit_code) == (Verdict.INCONCLUSIVE, 3)
    assert "there is no driver 'moon'" in result.reasons[0]
    assert await control.pod_names() == ["a"]


async def test_without_any_cloud_it_says_how_to_name_one(control, options):
    """On a cluster that no driver recognizes."""
    await control.create_pods("a", app="web")
    result = await outcome(options, KILL, on_nodes(stop={}))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "machines can't be stopped or started" in result.reasons[0]
    assert await control.pod_names() == ["a"]


async def test_a_way_to_machines_that_is_not_there_is_said(control, options):
    """Where a policy runs commands on machines."""
    await control.create_pods("a", app="web")
    result = await outcome(options, KILL, on_nodes(execute={"cmd": "true"}), executor="telnet")
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "'telnet'" in result.reasons[0]
    assert await control.pod_names() == ["a"]


async def test_who_needs_no_machine_is_not_bothered(control, options):
    """Pods are killed whatever cloud and way to machines were named."""
    await control.create_pods("a", app="web")
    result = await outcome(options, KILL, cloud="aws", executor="telnet")
    assert result.verdict is Verdict.PASSED
    assert await control.pod_names() == []
