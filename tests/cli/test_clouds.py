"""Whole runs that stop machines of a cloud."""

import pytest

from seatrial.cli.machine_options import MachineChoice
from seatrial.cli.session import SessionOptions, run_session
from seatrial.kube.resources import NODES
from seatrial.machines import azure, gcp
from seatrial.machines.pace import Pace
from seatrial.runtime.verdict import Verdict
from seatrial.steps.registry import policy_model
from tests.fakes.azure import Azure
from tests.fakes.google_cloud import GoogleCloud

STOP = {
    "nodeAction": {
        "matches": [{"property": {"name": "name", "value": "victim"}}],
        "actions": [{"stop": {"autoRestart": False}}],
    }
}
CLOUDS = {
    "gcp": (GoogleCloud, gcp, "gce://", "compute.instances.stop"),
    "azure": (Azure, azure, "azure://", "virtualMachines/powerOff/action"),
}


@pytest.fixture(params=CLOUDS)
async def stopping(request, control, tmp_path, monkeypatch):
    """Runs the step on a cluster of two nodes whose machines are in a cloud; gives that, their ids, the result."""
    fake, module, scheme, permission = CLOUDS[request.param]
    monkeypatch.setattr(module, "Pace", lambda: Pace(first_seconds=0.01, most_seconds=0.01))
    async with fake().running(tmp_path) as cloud:
        for name, value in cloud.variables(tmp_path).items():
            monkeypatch.setenv(name, value)
        machines = {name: cloud.add(f"vm-of-{name}") for name in ("victim", "bystander")}
        for name, id_ in machines.items():
            spec = {"providerID": f"{scheme}{id_}"}
            node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": spec}
            await control.cluster.create(NODES, node)

        async def run(*, allowed=True):
            cloud.denied = set() if allowed else {permission}
            policy = {"config": {"runStrategy": {"runs": 1}}, "scenarios": [{"name": "stop", "steps": [STOP]}]}
            options = SessionOptions(
                policy=policy_model().model_validate(policy),
                policy_name="p.yml",
                kubeconfig=control.directory / "kubeconfig",
                state_directory=control.directory / "state",
                recovery_timeout_seconds=0,
                machines=MachineChoice(cloud=request.param),
            )
            return await run_session(options, [])

        yield cloud, machines, run


async def test_the_machine_of_a_node_is_stopped_and_no_other(stopping):
    """Found by the node's provider id; a second run has nothing to do."""
    cloud, machines, run = stopping
    result = await run()
    assert (result.verdict, result.reasons) == (Verdict.PASSED, ())
    assert {name: cloud.is_down(id_) for name, id_ in machines.items()} == {"victim": True, "bystander": False}
    again = await run()
    assert again.verdict is Verdict.INCONCLUSIVE
    assert "down already" in again.reasons[0]


async def test_a_missing_permission_makes_a_run_inconclusive(stopping):
    """With what to grant among its reasons."""
    cloud, machines, run = stopping
    result = await run(allowed=False)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "grant" in result.reasons[0]
    assert not cloud.is_down(machines["victim"])
