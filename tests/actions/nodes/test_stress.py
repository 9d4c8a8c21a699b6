"""The node action stress, with a stress-ng that is the sandbox's own, on this computer."""

import shlex
import sys

import psutil
import pytest
from msgspec.structs import replace
from pydantic import ValidationError

from seatrial.actions.machine_loads import END_LOAD
from seatrial.actions.nodes.stress import Stress, guard, plan, run
from seatrial.errors import MachineError
from seatrial.runtime.context import Settings
from seatrial.runtime.events import FaultCleared, FaultProven, GuardrailHeld, StressStarted
from seatrial.runtime.guardrails import Guardrails
from seatrial.runtime.journal import RunEntry
from seatrial.runtime.verdict import Verdict
from tests.actions.nodes.local_machine import LocalMachine, target


@pytest.fixture(autouse=True)
async def _begun(recorder):
    """The run stands in the journal: undos belong to it."""
    await recorder.journal.begin(RunEntry(id="run-1", policy="p", seed="7", server="s"))


@pytest.fixture
def machine(tmp_path):
    """A machine with stress-ng, which writes down what it was told."""
    made = LocalMachine(tmp_path)
    program = f"{shlex.quote(sys.executable)} -P -m seatrial.sandbox.machine_tools stress-ng"
    made.write("stress-ng", f'#!/bin/sh\necho "$*" >> {tmp_path}/told\nexec {program} "$@"\n')
    return made


def on(recorder, machine, **given):
    return replace(recorder.context, executor=machine, **given)


def spec(**given):
    return Stress.model_validate({"duration": 60, **given})


def workers():
    """The processes of loads: those below a shell that holds a token."""
    shells = [
        each
        for each in psutil.process_iter(["cmdline"])
        if any(word.startswith(": seatrial-load-") for word in each.info["cmdline"] or [])
    ]
    return [*shells, *(child for each in shells for child in each.children(recursive=True))]


async def undo(recorder, machine):
    for written in recorder.context.journal.newer_than(0):
        assert await END_LOAD.run(written.undo.args, on(recorder, machine).world) == ""


async def told(recorder, kind):
    return [event for event in await recorder.events() if isinstance(event, kind)]


async def test_load_is_seen_to_run_and_seen_to_be_gone(recorder, machine):
    """It runs on when the command is over; clean-up ends all of it, and may be repeated."""
    outcome = await run(spec(cpu=1, memory="16Mi", io=1), (target(),), on(recorder, machine))
    try:
        assert outcome.passed
        assert len(workers()) == 5  # the shell, stress-ng, and three workers
    finally:
        await undo(recorder, machine)
    assert workers() == []
    await undo(recorder, machine)
    events = list(await recorder.events())
    [proof] = [event.proof for event in events if isinstance(event, FaultProven)]
    assert proof.startswith("stress-ng runs a second later; the machine's load average is ")
    assert [event.proof for event in events if isinstance(event, FaultCleared)] == [
        "stress-ng has ended",
        "there is no stress-ng of ours any more",
    ]
    [started] = [event for event in events if isinstance(event, StressStarted)]
    assert (started.name, started.load, started.seconds) == ("a", "cpu 1 worker, memory 16Mi, io 1 worker", 60)


async def test_load_ends_by_itself(recorder, machine):
    """Whatever becomes of us: stress-ng is told how long it may run."""
    assert (await run(spec(cpu=1, duration=2), (target(),), on(recorder, machine))).passed
    assert psutil.wait_procs(workers(), timeout=60)[1] == []
    await undo(recorder, machine)
    [cleared] = await told(recorder, FaultCleared)
    assert cleared.proof == "there is no stress-ng of ours any more"


@pytest.mark.parametrize(
    ("given", "arguments"),
    [
        ({"cpu": 2}, "--timeout 60s --cpu 2"),
        ({"cpu": "30%"}, "--timeout 60s --cpu 0 --cpu-load 30"),
        ({"memory": "8Mi"}, "--timeout 60s --vm 1 --vm-bytes 8192k --vm-keep"),
        ({"io": 1}, "--timeout 60s --io 1"),
    ],
)
async def test_stress_ng_is_told_what_the_policy_says(recorder, machine, given, arguments):
    """As its manual has the options; a percentage of processors is that share of each."""
    try:
        assert (await run(spec(**given), (target(),), on(recorder, machine))).passed
    finally:
        await undo(recorder, machine)
    assert (machine.directory / "told").read_text() == f"{arguments}\n"


async def test_a_percentage_of_memory_is_of_the_machines_own(recorder, machine):
    """1 % of all there is, in KiB."""
    try:
        assert (await run(spec(memory="1%"), (target(),), on(recorder, machine))).passed
    finally:
        await undo(recorder, machine)
    total = psutil.virtual_memory().total // 1024
    assert f"--vm-bytes {total // 100}k" in (machine.directory / "told").read_text()


async def test_a_machine_without_stress_ng_refuses_for_all(recorder, tmp_path):
    """Inconclusive, with what to install; nothing is written down."""
    outcome = await run(spec(cpu=1), (target("a"), target("b")), on(recorder, LocalMachine(tmp_path)))
    assert (outcome.verdict, outcome.ends_scenario) == (Verdict.INCONCLUSIVE, True)
    assert "there is no stress-ng on node" in outcome.reasons[0]
    assert "install" in outcome.reasons[0]
    assert recorder.context.journal.newer_than(0) == []


async def test_memory_that_would_leave_too_little_is_refused(recorder, machine):
    """With what is in use already: the kernel would begin to kill."""
    outcome = await run(spec(memory="1000Ti"), (target(),), on(recorder, machine))
    assert (outcome.verdict, outcome.ends_scenario) == (Verdict.INCONCLUSIVE, True)
    [held] = await told(recorder, GuardrailHeld)
    assert held.guardrail == "memory"
    assert "95 % is too much" in held.reason
    assert not (machine.directory / "told").exists()


async def test_a_load_that_ends_at_once_is_inconclusive(recorder, machine):
    """As of a stress-ng that does not know an option; its undo stays, and finds nothing."""
    machine.write("stress-ng", "#!/bin/sh\nexit 2\n")
    outcome = await run(spec(cpu=1), (target(),), on(recorder, machine))
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "stress-ng ended at once" in outcome.reasons[0]
    await undo(recorder, machine)


async def test_a_load_that_does_not_end_is_a_failed_undo(recorder, machine):
    """The way to the machine is gone: a person has to look, and is told the command."""
    try:
        assert (await run(spec(cpu=1), (target(),), on(recorder, machine))).passed
        [written] = recorder.context.journal.newer_than(0)
        assert "pkill -TERM -f 'seatrial-load-" in written.undo.manual
        machine.refuses = "no route to host"
        with pytest.raises(MachineError, match="no route to host"):
            await undo(recorder, machine)
    finally:
        machine.refuses = ""
        await undo(recorder, machine)
    assert workers() == []


async def test_the_nodes_count_for_the_guardrails_and_a_plan_says_what_is_needed(recorder):
    """As with any other command on machines."""
    context = replace(recorder.context, settings=Settings(guardrails=Guardrails(most_nodes=1)))
    [reason] = await guard(spec(cpu=1), (target("a"), target("b")), context)
    assert reason.startswith("maxNodes: ")
    planned = await plan(spec(cpu=1, memory="30%"), (target(),), context)
    assert planned.changes == ("put load on node a: cpu 1 worker, memory 30%, for 60 s at most",)
    assert "stress-ng" in planned.notes[0]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"cpu": 0},
        {"cpu": "0%"},
        {"cpu": "101%"},
        {"cpu": True},
        {"cpu": "two"},
        {"memory": "95%"},
        {"memory": "much"},
        {"memory": "0Mi"},
        {"memory": "100"},
        {"cpu": "050%"},
        {"memory": 100},
        {"io": 0},
        {"cpu": 1, "duration": 0},
        {"cpu": 1, "duration": None},
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_done(given):
    """At least one load, an end, and less than 95 % of a machine's memory."""
    with pytest.raises(ValidationError):
        Stress.model_validate({"duration": 60, **given})
