"""Whole runs that stop machines of a cloud, of each of the four."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys

import pytest

from seatrial.choice import write_choice
from seatrial.cli.machine_options import MachineChoice
from seatrial.cli.session import SessionOptions, run_session
from seatrial.kube.resources import NODES
from seatrial.machines.driver import MachineState
from seatrial.machines.pace import Pace
from seatrial.machines.registry import find_driver
from seatrial.runtime.events import StopRequested
from seatrial.runtime.verdict import Verdict
from seatrial.steps.registry import policy_model
from tests.cli.programs import seatrial
from tests.machines.clouds import CLOUDS, add, running
from tests.machines.conftest import moto_server  # noqa: F401 -- a fixture

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")

QUICK = Pace(first_seconds=0.01, most_seconds=0.01)
VICTIM = [{"property": {"name": "name", "value": "victim"}}]


def policy(**stop):
    step = {"nodeAction": {"matches": VICTIM, "actions": [{"stop": stop}]}}
    return {"config": {"runStrategy": {"runs": 1}}, "scenarios": [{"name": "stop", "steps": [step]}]}


@pytest.fixture(params=CLOUDS)
async def cloud(request, control, tmp_path, monkeypatch):
    """A cloud, its name, and its machines by the nodes on them: a victim and a bystander."""
    name = request.param
    monkeypatch.setattr(CLOUDS[name].module, "Pace", lambda: QUICK)
    async with running(name, tmp_path, request=request, environ=monkeypatch) as fake:
        machines = {node: await add(fake, f"vm-of-{node}") for node in ("victim", "bystander")}
        for node, id_ in machines.items():
            body = {"metadata": {"name": node}, "spec": {"providerID": f"{CLOUDS[name].provider}{id_}"}}
            await control.cluster.create(NODES, body)
        yield fake, name, machines


@pytest.fixture
def run(control, cloud):
    """Runs the policy on that cluster; gives the result."""

    async def carry_out(*listeners, restart=False):
        options = SessionOptions(
            policy=policy_model().model_validate(policy(autoRestart=restart)),
            policy_name="p.yml",
            kubeconfig=control.directory / "kubeconfig",
            state_directory=control.directory / "state",
            recovery_timeout_seconds=0,
            machines=MachineChoice(cloud=cloud[1]),
        )
        return await run_session(options, listeners)

    return carry_out


async def states(cloud, control, **settings):
    """What the cloud says of the machine of each node."""
    _, name, machines = cloud
    driver = await find_driver(write_choice(name, settings), control.cluster)
    seen = {node: (await driver.describe(id_)).state for node, id_ in machines.items()}
    await driver.close()
    return seen


async def test_the_machine_of_a_node_is_stopped_and_no_other(cloud, control, run):
    """Found by the node's provider id; a second run has nothing to do."""
    result = await run()
    assert (result.verdict, result.reasons) == (Verdict.PASSED, ())
    assert await states(cloud, control) == {"victim": MachineState.DOWN, "bystander": MachineState.UP}
    again = await run()
    assert again.verdict is Verdict.INCONCLUSIVE
    assert "down already" in again.reasons[0]


async def test_a_missing_permission_makes_a_run_inconclusive(cloud, control, run):
    """With what to grant among its reasons."""
    cloud[0].forbid("stop")
    result = await run()
    assert result.verdict is Verdict.INCONCLUSIVE
    assert re.search(r"grant|allow|needs the policy", result.reasons[0])
    assert set((await states(cloud, control)).values()) == {MachineState.UP}


async def test_a_stop_that_is_interrupted_is_undone(cloud, control, run):
    """Ctrl-C while the cloud is asked, again and again, whether the machine is down: it is started again."""
    fake, _, _ = cloud
    fake.never_end()
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    await control.cluster.patch(NODES, "victim", ready, subresource="status")

    def hear(record):
        if isinstance(record.event, StopRequested):
            fake.go_on()

    under_way = asyncio.create_task(run(hear, restart=True))
    await fake.gate.asked.wait()
    os.kill(os.getpid(), signal.SIGINT)
    result = await under_way
    assert result.verdict is Verdict.INCONCLUSIVE
    assert any("stopped by SIGINT" in reason for reason in result.reasons)
    assert (await states(cloud, control))["victim"] is MachineState.UP


async def test_what_is_written_suffices_to_clean_up_and_has_no_secrets(cloud, control, tmp_path, monkeypatch):
    """A start that was forbidden is made by `recover` later, in another directory; no key or token is anywhere."""
    fake, name, machines = cloud
    flag, variable = CLOUDS[name].flag
    said = {variable: fake.variables(tmp_path)[variable]}
    monkeypatch.delenv(variable)
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    await control.cluster.patch(NODES, "victim", ready, subresource="status")
    (tmp_path / "p.yml").write_text(json.dumps(policy()))
    state = control.directory / "state"
    fake.forbid("start")
    failed = await seatrial(
        "-vv", "autonomous", "--policy-file", tmp_path / "p.yml", f"--{name}", flag, said[variable],
        "--kubeconfig", control.directory / "kubeconfig", "--log-format", "json", "--output", "json",
        "--recovery-timeout", "0",
        SEATRIAL_STATE_DIR=str(state),
    )  # fmt: skip
    assert failed.code == 4
    assert (await states(cloud, control, **said))["victim"] is MachineState.DOWN
    kept = b"".join(path.read_bytes() for path in state.rglob("*") if path.is_file()).decode(errors="replace")
    fake.allow()
    monkeypatch.chdir(control.directory)
    recovered = await seatrial("-vv", "recover", SEATRIAL_STATE_DIR=str(state))
    assert recovered.code == 0, recovered.errors
    assert (await states(cloud, control, **said))["victim"] is MachineState.UP
    written = [failed.output, failed.errors, kept, recovered.output, recovered.errors]
    assert machines["victim"] in failed.errors
    assert "Warning" not in failed.errors  # of an SDK
    secrets = fake.secrets()
    assert min(map(len, secrets)) > 10
    assert [each for each in secrets if any(each in text for text in written)] == []


def test_no_sdk_is_loaded_before_its_cloud_is_asked_for():
    """Nor the drivers themselves, where nobody needs a machine; to look which of them recognizes a cluster is cheap."""
    code = """
import sys
import seatrial.cli.main, seatrial.cli.session, seatrial.steps.registry
from seatrial.machines.registry import driver_types
drivers = [f"seatrial.machines.{name}" for name in ("aws", "azure", "gcp", "openstack")]
assert {"aws", "azure", "gcp", "openstack"} <= set(driver_types())
assert not {*drivers} & {*sys.modules}, "drivers"
loaded = [driver_types()[name] for name in driver_types()]
heavy = {"boto3", "botocore", "azure", "google.auth", "openstack", "keystoneauth1", "requests"}
assert {*drivers} <= {*sys.modules}
assert not heavy & {*sys.modules}, heavy & {*sys.modules}
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
