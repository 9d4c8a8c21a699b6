"""Whole runs whose commands go over SSH."""

from seatrial.choice import write_choice
from seatrial.cli.machine_options import MachineChoice
from seatrial.cli.session import SessionOptions, reconnect, run_session
from seatrial.runtime.events import CommandExecuted, CommandOutput
from seatrial.runtime.journal import RunEntry
from seatrial.runtime.verdict import Verdict
from seatrial.steps.registry import policy_model

EXECUTE = {
    "nodeAction": {
        "matches": [{"property": {"name": "name", "value": "n1"}}],
        "actions": [{"execute": {"cmd": "echo broken", "undo": "echo mended"}}],
    }
}
KILL = {
    "podAction": {
        "matches": [{"labels": {"selector": "app=web", "namespace": "default"}}],
        "actions": [{"kill": {"force": True}}],
    }
}


async def run(machines, step, **choice):
    records = []
    scenarios = [{"name": "an experiment", "steps": [step]}]
    options = SessionOptions(
        policy=policy_model().model_validate({"config": {"runStrategy": {"runs": 1}}, "scenarios": scenarios}),
        policy_name="p.yml",
        kubeconfig=machines.control.directory / "kubeconfig",
        state_directory=machines.home / "state",
        machines=MachineChoice(executor=way(machines), **choice),
    )
    return await run_session(options, [records.append]), [record.event for record in records]


def way(machines):
    return write_choice("ssh", {"PS_REMOTE_USER": "core", "SEATRIAL_SSH_PORT": str(machines.port)})


async def test_a_command_and_its_undo_go_over_one_connection(machines):
    """What the command writes is heard; the password is in no file that the run leaves."""
    server = await machines.add("n1", passwords={"core": "hunter2"})
    result, events = await run(machines, EXECUTE, secrets={"PS_SSH_PASSWORD": "hunter2"})
    assert result.verdict is Verdict.PASSED
    ran = [(each.command, each.exit_code) for each in events if isinstance(each, CommandExecuted)]
    assert ran == [("echo broken", 0), ("echo mended", 0)]
    assert [each.line for each in events if isinstance(each, CommandOutput)] == ["broken", "mended"]
    assert len(server.connections) == 1
    kept = b"".join(path.read_bytes() for path in (machines.home / "state").rglob("*") if path.is_file())
    assert b"PS_REMOTE_USER=core" in kept
    assert b"hunter2" not in kept


async def test_what_cleans_up_after_a_crash_goes_the_same_way(machines, monkeypatch):
    """By the journal, with the secrets of its own environment."""
    await machines.add("n1", passwords={"core": "hunter2"})
    control = machines.control
    entry = RunEntry(
        id="run-1",
        policy="p.yml",
        seed="7",
        server=control.cluster.server,
        kubeconfig=str(control.directory / "kubeconfig"),
        executor=way(machines),
    )
    monkeypatch.setenv("PS_SSH_PASSWORD", "hunter2")
    world = await reconnect(entry)
    assert (await world.executor.run("n1", "echo mended")).output == "mended\n"
    await world.executor.close()
    await world.cluster.close()


async def test_a_pod_that_can_not_be_killed_over_ssh_is_not_deleted_instead(machines):
    """What was asked for is done, or said not to be."""
    await machines.add("n1")
    await machines.control.create_pods("a", app="web")
    result, _ = await run(machines, KILL, kill_command="")
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "none of its containers runs" in result.reasons[0]
    assert await machines.control.pod_names() == ["a"]
