"""The node action killProcess, on processes of this computer, with pgrep and without."""

import asyncio
import os
import secrets
import shlex

import psutil
import pytest
from msgspec.structs import replace
from pydantic import ValidationError

from seatrial.actions.dead_man_timer import DISARMED, DeadManTimer
from seatrial.actions.machine_process_pauses import RESUME_PROCESSES
from seatrial.actions.machine_processes import Wanted, find_processes
from seatrial.actions.nodes.kill_process import KillProcess, guard, plan, run
from seatrial.errors import Halted, MachineError
from seatrial.kube.resources import NODES, PODS
from seatrial.runtime.context import Settings
from seatrial.runtime.events import (
    FaultCleared,
    FaultProven,
    MachineSkipped,
    MeasurementTaken,
    ProcessesSignalled,
    ProofMissing,
)
from seatrial.runtime.guardrails import Guardrails
from seatrial.runtime.journal import RunEntry
from seatrial.runtime.verdict import Verdict
from tests.actions.nodes.local_machine import LocalMachine, start, target


@pytest.fixture(params=[("pgrep",), ()], ids=["pgrep", "/proc alone"])
def machine(request, tmp_path):
    """This computer, with pgrep or without."""
    return LocalMachine(tmp_path, *request.param)


@pytest.fixture
def name():
    """A name that no other process has."""
    return f"st{secrets.token_hex(4)}"


@pytest.fixture
async def victim(machine, name):
    """A process of that name."""
    process = await start(machine, name)
    yield process
    if process.returncode is None:
        process.kill()
    await process.wait()


def on(recorder, machine, **given):
    return replace(recorder.context, executor=machine, **given)


async def told(recorder, kind):
    return [event for event in await recorder.events() if isinstance(event, kind)]


async def found(machine, recorder, **wanted):
    return await find_processes(Wanted(**wanted), "a", on(recorder, machine).world, timeout_seconds=60)


async def test_the_processes_of_a_name_are_killed_and_seen_to_be_gone(recorder, machine, name, victim):
    """By default at once; the event says who, the proof that they are gone."""
    outcome = await run(KillProcess(name=name), (target(),), on(recorder, machine))
    assert outcome.passed
    assert await victim.wait() == -9
    [sent] = await told(recorder, ProcessesSignalled)
    assert (sent.name, sent.signal, sent.processes) == ("a", "SIGKILL", (f"{victim.pid} {name}",))
    events = [record.event for record in recorder.records]
    [proof] = [event for event in events if isinstance(event, FaultProven)]
    assert proof.proof == f"gone: {victim.pid} {name}"
    assert [event.name for event in events if isinstance(event, MeasurementTaken)] == ["processesEnded"]


async def test_a_name_is_the_whole_name(recorder, machine, name, victim):
    """Neither its beginning nor a regular expression for it is one."""
    assert [each.pid for each in await found(machine, recorder, name=name)] == [victim.pid]
    for other in (name[:-1], f"{name[:-1]}.", f"{name}x"):
        assert await found(machine, recorder, name=other) == []


async def test_a_name_longer_than_the_kernels_is_told_apart_by_the_program(recorder, machine):
    """`kube-controller-manager` is `kube-controller` to the kernel."""
    stem = f"seatrial-{secrets.token_hex(3)}"
    first, second = await start(machine, f"{stem}-one"), await start(machine, f"{stem}-two")
    try:
        assert [each.pid for each in await found(machine, recorder, name=f"{stem}-two")] == [second.pid]
    finally:
        for each in (first, second):
            each.kill()
            await each.wait()


async def test_a_pattern_is_found_in_the_command_line_and_never_finds_who_looks(recorder, machine, name):
    """The shell that looks has the pattern in its own line, and so has whoever started it."""
    token = secrets.token_hex(8)
    process = await start(machine, name, arguments=(f"--id={token}",))
    try:
        assert [
            each.pid for each in await found(machine, recorder, pattern=f"id=[{token[0]}]{token[1:]}$|{token} *$")
        ] == [process.pid]
        assert [each.pid for each in await found(machine, recorder, pattern=token)] == [process.pid]
    finally:
        process.kill()
        await process.wait()


async def test_a_name_may_hold_anything(recorder, machine, name):
    """Also what a shell would take for more than a letter."""
    odd = f"{name}\\n)"
    process = await start(machine, odd)
    try:
        [seen] = await found(machine, recorder, name=odd)
        assert (seen.pid, seen.name) == (process.pid, odd)
    finally:
        process.kill()
        await process.wait()


async def test_what_sudo_says_itself_is_not_taken_for_an_answer(recorder, machine, name, victim):
    """On many machines it can't resolve the machine's own name, and says so each time."""
    machine.write("id", "#!/bin/sh\necho 1000\n")
    machine.write("sudo", '#!/bin/sh\necho "sudo: unable to resolve host a" >&2\nshift\nexec "$@"\n')
    assert [each.pid for each in await found(machine, recorder, name=name)] == [victim.pid]
    with pytest.raises(MachineError, match=r"node a: (grep: .*|pgrep does not take it)"):
        await found(machine, recorder, pattern="a[b")


async def test_a_pgrep_of_busybox_is_not_asked(recorder, tmp_path, name):
    """To it a process has its command's name, with the directory."""
    machine = LocalMachine(tmp_path)
    machine.write("pgrep", "#!/bin/sh\necho 'BusyBox v1.36.1 multi-call binary.' >&2\nexit 1\n")
    process = await start(machine, name)
    try:
        assert [each.pid for each in await found(machine, recorder, name=name)] == [process.pid]
    finally:
        process.kill()
        await process.wait()


async def test_timers_and_scripts_of_any_seatrial_are_never_hit(recorder, machine):
    """Killing what a timer waits for would end somebody's fault early."""
    seconds = 80_000 + secrets.randbelow(9_000)
    timer = DeadManTimer.of(seconds)
    assert not (await machine.run("a", shlex.join(timer.arming(["true"])))).exit_code
    script = ("sh", "-c", f"read -r go; : {seconds}", "seatrial-script")
    other = await asyncio.create_subprocess_exec(*script, stdin=asyncio.subprocess.PIPE)
    try:
        assert await found(machine, recorder, pattern=str(seconds)) == []
    finally:
        await other.communicate(b"\n")
        ended = await machine.run("a", shlex.join(timer.disarming(patience_seconds=30)))
    assert ended.output.strip() == DISARMED


async def test_a_process_of_another_user_is_left_alone(recorder, machine, name, victim):
    """By name or number; a user that isn't there is said."""
    own = os.getuid()
    assert [each.pid for each in await found(machine, recorder, name=name, user=str(own))] == [victim.pid]
    assert await found(machine, recorder, name=name, user=str(own + 1)) == []
    with pytest.raises(MachineError, match="there is no user nobody-at-all"):
        await found(machine, recorder, name=name, user="nobody-at-all")


async def test_a_pattern_that_is_none_is_said(recorder, machine):
    """What grep or pgrep says, or that it does not take it; nothing is killed."""
    outcome = await run(KillProcess(pattern="a[b"), (target(),), on(recorder, machine))
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.ends_scenario
    assert await told(recorder, ProcessesSignalled) == []


async def test_a_pattern_that_may_hit_etcd_counts_for_its_quorum(control, on_cluster):
    """Whether it names it or only matches it."""
    labels = {"component": "etcd", "tier": "control-plane"}
    for each in ("a", "b", "c"):
        await control.cluster.create(NODES, {"metadata": {"name": each}})
        body = {
            "metadata": {"name": f"etcd-{each}", "namespace": "kube-system", "labels": labels},
            "spec": {"nodeName": each, "containers": [{"name": "etcd", "image": "etcd"}]},
        }
        await control.cluster.create(PODS, body, namespace="kube-system")
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        await control.cluster.patch(
            PODS, f"etcd-{each}", {"status": status}, namespace="kube-system", subresource="status"
        )
    targets = (target("a"), target("b"))
    for pattern in ("etcd", "e.cd", "a[b"):
        [reason] = await guard(KillProcess(pattern=pattern), targets, on_cluster.context)
        assert reason.startswith("keepEtcdQuorum: 1 of 3 members")
    assert await guard(KillProcess(pattern="kubelet"), targets, on_cluster.context) == ()


async def test_no_such_process_is_nothing_to_do(recorder, machine, name):
    """Inconclusive, and said for each machine."""
    outcome = await run(KillProcess(name=name), (target("a"), target("b")), on(recorder, machine))
    assert (outcome.verdict, outcome.ends_scenario) == (Verdict.INCONCLUSIVE, False)
    assert outcome.reasons == (f"no process named {name} was there",)
    assert {event.name for event in await told(recorder, MachineSkipped)} == {"a", "b"}


async def test_a_process_that_does_not_end_is_inconclusive(recorder, machine, name):
    """It is named; with `expectEnd: false` it may go on."""
    process = await start(machine, name, deaf=True)
    try:
        spec = KillProcess(name=name, signal="SIGTERM", timeout=1)
        outcome = await run(spec, (target(),), on(recorder, machine))
        assert outcome.verdict is Verdict.INCONCLUSIVE
        assert f"{process.pid} {name} did not end within 1 s" in outcome.reasons[0]
        assert (
            await run(KillProcess(name=name, signal=15, expect_end=False), (target(),), on(recorder, machine))
        ).passed
        assert len(await told(recorder, ProofMissing)) == 1
    finally:
        process.kill()
        await process.wait()


async def test_a_way_that_goes_down_with_what_is_killed_is_waited_for(recorder, machine, name, victim):
    """The answers to the signal and to the first look are lost; the second look sees that it is gone."""
    machine.loses(2, 3)
    outcome = await run(KillProcess(name=name), (target(),), on(recorder, machine))
    assert outcome.passed
    assert len(await told(recorder, FaultProven)) == 1
    assert await victim.wait() == -9


async def test_a_way_that_does_not_come_back_is_inconclusive(recorder, machine, name, victim):
    """What became of the processes is not known, and that is said."""
    machine.loses(*range(2, 100))
    outcome = await run(KillProcess(name=name, timeout=1), (target(),), on(recorder, machine))
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "the connection was lost" in outcome.reasons[0]
    assert len(await told(recorder, ProofMissing)) == 1


async def test_a_pattern_of_kills_is_counted_and_spaced(recorder, machine, name):
    """Each kills what is there by then; the time between their beginnings is the policy's."""
    started = asyncio.Queue()

    async def supervise():
        while True:
            process = await start(machine, name)
            await started.put(process)
            try:
                await process.wait()
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()

    class Clock(type(recorder.clock)):
        pauses = ()

        async def sleep(self, seconds):
            """The pause is over when the next one was started."""
            self.pauses = (*self.pauses, seconds)
            await started.get()

    clock = Clock()
    supervisor = asyncio.create_task(supervise())
    try:
        await started.get()
        spec = KillProcess.model_validate({"name": name, "repeat": {"times": 3, "every": 20}})
        outcome = await run(spec, (target(),), on(recorder, machine, clock=clock))
    finally:
        supervisor.cancel()
        await asyncio.gather(supervisor, return_exceptions=True)
    assert outcome.passed
    sent = await told(recorder, ProcessesSignalled)
    assert [(event.number, event.times) for event in sent] == [(1, 3), (2, 3), (3, 3)]
    assert len({event.processes for event in sent}) == 3
    assert clock.pauses == (20, 20)


async def test_the_return_of_what_was_killed_is_measured_beside_the_next_steps(recorder, machine, name, victim):
    """Another process of that name is it, and the one that was killed is not."""
    context = on(recorder, machine)
    assert (await run(KillProcess(name=name, expect_return=True), (target(),), context)).passed
    successor = await start(machine, name)
    try:
        assert (await context.scope.settle(timeout_seconds=60)).passed
    finally:
        successor.kill()
        await successor.wait()
    events = list(await recorder.events())
    assert [event.name for event in events if isinstance(event, MeasurementTaken)] == [
        "processesEnded",
        "processesReturned",
    ]
    [cleared] = [event for event in events if isinstance(event, FaultCleared)]
    assert f"there again: {successor.pid} {name}" in cleared.proof


async def test_what_does_not_return_is_inconclusive(recorder, machine, name, victim):
    """Nobody supervises it; what was seen last is the reason."""
    context = on(recorder, machine)
    assert (await run(KillProcess(name=name, expect_return=True), (target(),), context)).passed
    outcome = await context.scope.settle(timeout_seconds=5)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.reasons[0].endswith("were not back within 60 s: 0 of 1 are there")


async def test_with_a_recovery_timeout_of_0_nobody_waits_for_a_return(recorder, machine, name, victim):
    """That it was not looked for is said."""
    context = on(recorder, machine, settings=Settings(recovery_timeout_seconds=0))
    assert (await run(KillProcess(name=name, expect_return=True), (target(),), context)).passed
    assert (await context.scope.settle(timeout_seconds=5)).passed
    [missing] = await told(recorder, ProofMissing)
    assert "nobody waits" in missing.reason


def status(process):
    return psutil.Process(process.pid).status()


def timers(process):
    """Those that let this process go on."""
    lines = [(each, " ".join(each.info["cmdline"] or [])) for each in psutil.process_iter(["cmdline"])]
    return [each for each, line in lines if "seatrial-timer-" in line and f" {process.pid}:" in line]


async def test_a_paused_process_goes_on_at_clean_up(recorder, machine, name, victim):
    """Stopped, as its state says; a timer guards it until clean-up lets it go on, which may be repeated."""
    await recorder.journal.begin(RunEntry(id="run-1", policy="p", seed="7", server="s"))
    context = on(recorder, machine)
    spec = KillProcess(name=name, signal="SIGSTOP", resume_after=600)
    assert (await run(spec, (target(),), context)).passed
    assert status(victim) == psutil.STATUS_STOPPED
    assert len(timers(victim)) == 1
    [written] = context.journal.newer_than(0)
    assert written.undo.description == f"let {victim.pid} {name} on node a go on"
    for _ in range(2):
        assert await RESUME_PROCESSES.run(written.undo.args, context.world) == ""
        assert status(victim) == psutil.STATUS_SLEEPING
    assert timers(victim) == []
    events = list(await recorder.events())
    assert [event.signal for event in events if isinstance(event, ProcessesSignalled)] == ["SIGSTOP"]
    [proof] = [event.proof for event in events if isinstance(event, FaultProven)]
    assert proof == f"stopped (state T): {victim.pid}, for 600 s at most"
    assert {event.proof for event in events if isinstance(event, FaultCleared)} == {f"going on: {victim.pid}"}


async def test_a_paused_process_goes_on_by_itself(recorder, machine, name, victim):
    """Whatever becomes of us; clean-up that could not reach the machine before waits for that."""
    await recorder.journal.begin(RunEntry(id="run-1", policy="p", seed="7", server="s"))
    context = on(recorder, machine)
    assert (await run(KillProcess(name=name, signal="STOP", resume_after=1), (target(),), context)).passed
    await asyncio.to_thread(psutil.wait_procs, timers(victim), timeout=60)
    assert status(victim) == psutil.STATUS_SLEEPING
    machine.loses(1, 2)
    [written] = context.journal.newer_than(0)
    assert await RESUME_PROCESSES.run(written.undo.args, context.world) == ""
    assert "its timer was not there any more" in (await told(recorder, ProofMissing))[0].reason


async def test_a_process_that_is_gone_by_then_is_no_failure(recorder, machine, name, victim):
    """Another that got its id is left alone."""
    await recorder.journal.begin(RunEntry(id="run-1", policy="p", seed="7", server="s"))
    context = on(recorder, machine)
    assert (await run(KillProcess(name=name, signal=19, resume_after=600), (target(),), context)).passed
    victim.kill()
    await victim.wait()
    [written] = context.journal.newer_than(0)
    assert await RESUME_PROCESSES.run(written.undo.args, context.world) == ""
    [cleared] = await told(recorder, FaultCleared)
    assert cleared.proof == "going on: none is there any more"


async def test_a_pause_without_a_timer_is_none(recorder, machine, name, victim):
    """There is no `sleep`: nothing was stopped, and nothing is to be undone."""
    await recorder.journal.begin(RunEntry(id="run-1", policy="p", seed="7", server="s"))
    (machine.programs / "sleep").unlink()
    outcome = await run(KillProcess(name=name, signal="STOP", resume_after=60), (target(),), on(recorder, machine))
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "its timer could not be started" in outcome.reasons[0]
    assert status(victim) == psutil.STATUS_SLEEPING
    assert recorder.context.journal.newer_than(0) == []


async def test_a_halt_ends_the_pattern(recorder, machine, name, victim):
    """It is asked before each."""

    class Halt:
        asked = 0

        async def check(self):
            self.asked += 1
            if self.asked > 1:
                raise Halted("halted")

    spec = KillProcess.model_validate({"name": name, "repeat": {"times": 3}})
    with pytest.raises(Halted):
        await run(spec, (target(),), on(recorder, machine, halt=Halt()))
    assert len(await told(recorder, ProcessesSignalled)) == 1


async def test_a_time_that_finds_nothing_is_said(recorder, machine, name, victim):
    """Nobody started it again: the second time had nothing to kill."""
    spec = KillProcess.model_validate({"name": name, "repeat": {"times": 2}})
    outcome = await run(spec, (target(),), on(recorder, machine))
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.reasons == (f"no process named {name} was there (2 of 2)",)


async def test_a_machine_that_can_not_be_reached_is_inconclusive(recorder, tmp_path):
    """And ends the scenario: what follows would show nothing."""
    machine = LocalMachine(tmp_path)
    machine.refuses = "no route to host"
    outcome = await run(KillProcess(name="kubelet"), (target(),), on(recorder, machine))
    assert (outcome.verdict, outcome.ends_scenario) == (Verdict.INCONCLUSIVE, True)
    assert "no route to host" in outcome.reasons[0]


async def test_a_plan_names_the_processes_the_machines_and_the_pattern(recorder):
    """And that nothing undoes it."""
    spec = KillProcess.model_validate({"pattern": "java .*kafka", "user": "kafka", "repeat": {"times": 3, "every": 5}})
    planned = await plan(spec, (target(),), recorder.context)
    [change] = planned.changes
    assert change == (
        "send SIGKILL to every process whose command line matches java .*kafka of user kafka on node a,"
        " 3 times, every 5 s"
    )
    assert "nothing undoes" in planned.notes[0]


async def test_the_nodes_count_for_the_guardrails(recorder):
    """As with any other command on machines."""
    settings = Settings(guardrails=Guardrails(most_nodes=1))
    context = replace(recorder.context, settings=settings)
    [reason] = await guard(KillProcess(name="kubelet"), (target("a"), target("b")), context)
    assert reason.startswith("maxNodes: ")


@pytest.mark.parametrize(
    ("given", "signal"),
    [({}, "SIGKILL"), ({"signal": 15}, "SIGTERM"), ({"signal": "HUP"}, "SIGHUP"), ({"signal": "SIGUSR1"}, "SIGUSR1")],
)
def test_a_signal_is_a_name_or_a_number(given, signal):
    """As `kill` takes them."""
    assert KillProcess.model_validate({"name": "x", **given}).signal == signal


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"name": "a", "pattern": "b"},
        {"name": ""},
        {"name": "a", "signal": "SIGSTOP"},
        {"name": "a", "signal": 19},
        {"name": "a", "resumeAfter": 5},
        {"name": "a", "signal": "STOP", "resumeAfter": 5, "expectEnd": True},
        {"name": "a", "signal": "STOP", "resumeAfter": 5, "repeat": {"times": 2}},
        {"name": "a", "signal": "STOP", "resumeAfter": 601},
        {"name": "a", "signal": 99},
        {"name": "a", "signal": True},
        {"name": "a", "repeat": {"times": 0}},
        {"name": "a", "repeat": {}},
        {"name": "a", "user": "x; rm"},
        {"name": "a", "timeout": 0},
        {"name": "a", "expectEnd": False, "expectReturn": True},
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_done(given):
    """With the place in the file, as everywhere."""
    with pytest.raises(ValidationError):
        KillProcess.model_validate(given)
