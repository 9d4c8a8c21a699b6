"""The node actions stopService and startService, on a computer whose systemd is a few files."""

import asyncio

import psutil
import pytest
from msgspec.structs import replace
from pydantic import ValidationError

from seatrial.actions.machine_services import START_SERVICE
from seatrial.actions.nodes.start_service import StartService
from seatrial.actions.nodes.start_service import plan as plan_start
from seatrial.actions.nodes.start_service import run as start
from seatrial.actions.nodes.stop_service import StopService, guard, plan, run
from seatrial.errors import MachineError
from seatrial.kube.resources import NODES
from seatrial.runtime.context import Settings
from seatrial.runtime.events import (
    FaultCleared,
    FaultProven,
    MachineSkipped,
    MeasurementTaken,
    ProofMissing,
    ServiceStarted,
    ServiceStopped,
    TimerArmed,
)
from seatrial.runtime.guardrails import Guardrails
from seatrial.runtime.journal import RunEntry
from seatrial.runtime.verdict import Verdict
from tests.actions.nodes.local_machine import LocalMachine, target

CUT_OFF = {"ssh": "sshd", "node-shell": "kubelet", "other": "containerd.service"}


@pytest.fixture(autouse=True)
async def _begun(recorder):
    """The run stands in the journal: undos belong to it."""
    await recorder.journal.begin(RunEntry(id="run-1", policy="p", seed="7", server="s"))


@pytest.fixture
def machine(tmp_path):
    """A machine with systemd and one service."""
    made = LocalMachine(tmp_path)
    made.units = made.with_service()
    return made


def on(recorder, machine, **given):
    return replace(recorder.context, executor=machine, **given)


def spec(name="chronyd", **given):
    return StopService.model_validate({"name": name, **given})


def state(machine):
    return (machine.units / "active").read_text().strip()


def asked(machine):
    file = machine.units / "asked"
    return file.read_text().splitlines() if file.exists() else []


async def undo(recorder, machine):
    for written in recorder.context.journal.newer_than(0):
        assert await START_SERVICE.run(written.undo.args, on(recorder, machine).world) == ""


async def told(recorder, kind):
    return [event for event in await recorder.events() if isinstance(event, kind)]


def timers():
    found = []
    for each in psutil.process_iter(["cmdline"]):
        words = each.info["cmdline"] or []
        if "chronyd.service" in words and any("seatrial-timer-" in word for word in words):
            found.append(each)
    return found


async def test_a_service_is_stopped_and_started_again_by_clean_up(recorder, machine):
    """Proven both times by what systemd says; what a person would type stands with the undo."""
    assert (await run(spec(), (target(),), on(recorder, machine))).passed
    assert state(machine) == "inactive"
    [written] = recorder.context.journal.newer_than(0)
    assert written.undo.description == "start service chronyd on node a"
    assert "systemctl start chronyd.service" in written.undo.manual
    await undo(recorder, machine)
    assert state(machine) == "active"
    events = list(await recorder.events())
    assert [type(event) for event in events if isinstance(event, ServiceStopped | ServiceStarted)] == [
        ServiceStopped,
        ServiceStarted,
    ]
    assert [event.subject for event in events if isinstance(event, FaultProven | FaultCleared)] == [
        "stop of service chronyd on node a"
    ] * 2
    assert [event.name for event in events if isinstance(event, MeasurementTaken)] == ["serviceStopped"]


async def test_an_undo_of_a_stop_that_never_happened_is_safe(recorder, machine):
    """The process died between the journal and the stop: the service runs, and goes on."""
    assert (await run(spec(), (target(),), on(recorder, machine))).passed
    await undo(recorder, machine)
    await undo(recorder, machine)
    assert state(machine) == "active"


async def test_what_was_not_active_is_left_alone_and_not_started_by_clean_up(recorder, machine):
    """Nothing to do, and nothing written down."""
    (machine.units / "active").write_text("inactive\n")
    outcome = await run(spec(), (target(),), on(recorder, machine))
    assert (outcome.verdict, outcome.ends_scenario) == (Verdict.INCONCLUSIVE, False)
    assert outcome.reasons == ("service chronyd was active nowhere",)
    assert recorder.context.journal.newer_than(0) == []
    assert asked(machine) == []
    [skipped] = await told(recorder, MachineSkipped)
    assert skipped.reason == "service chronyd is inactive already"


async def test_what_an_earlier_try_stopped_counts_as_done(recorder, machine):
    """A retry finds it down, which is its own doing."""
    context = on(recorder, machine)
    assert (await run(spec(), (target(),), context)).passed
    assert (await run(spec(), (target(),), context)).passed
    assert len(recorder.context.journal.newer_than(0)) == 1


@pytest.mark.parametrize("missing", ["unit", "systemctl"])
async def test_what_is_not_there_is_inconclusive(recorder, tmp_path, missing):
    """No such service, or no systemd: said, and nothing is touched."""
    machine = LocalMachine(tmp_path)
    if missing == "unit":
        machine.with_service(load="not-found", active="inactive")
    outcome = await run(spec(), (target(),), on(recorder, machine))
    assert (outcome.verdict, outcome.ends_scenario) == (Verdict.INCONCLUSIVE, True)
    assert ("there is no such service" if missing == "unit" else "there is no systemctl") in outcome.reasons[0]
    assert recorder.context.journal.newer_than(0) == []


async def test_a_service_that_does_not_stop_is_inconclusive_and_its_undo_stays(recorder, machine):
    """Systemd says that it is active: no proof, and clean-up sees to it."""
    (machine.units / "stubborn").touch()
    outcome = await run(spec(), (target(),), on(recorder, machine))
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "could not be stopped: it is active" in outcome.reasons[0]
    assert len(recorder.context.journal.newer_than(0)) == 1


async def test_a_service_that_does_not_start_again_is_a_failed_undo(recorder, machine):
    """A person has to look at it."""
    assert (await run(spec(), (target(),), on(recorder, machine))).passed
    (machine.units / "broken").touch()
    with pytest.raises(MachineError, match=r"does not start: Job failed\."):
        await undo(recorder, machine)


async def test_a_timer_guards_a_stop_and_clean_up_ends_it(recorder, machine):
    """It is armed before the stop; afterwards there is none."""
    assert (await run(spec(expiresAfter=600), (target(),), on(recorder, machine))).passed
    [armed] = await told(recorder, TimerArmed)
    assert (armed.place, armed.seconds, armed.undo) == ("node a", 600, "systemctl start chronyd.service")
    assert len(timers()) == 1
    await undo(recorder, machine)
    assert timers() == []
    assert not [record for record in recorder.records if isinstance(record.event, ProofMissing)]


async def test_the_timer_starts_the_service_by_itself(recorder, machine):
    """Whatever became of us; clean-up says later that it was gone."""
    assert (await run(spec(expiresAfter=1), (target(),), on(recorder, machine))).passed
    await asyncio.to_thread(psutil.wait_procs, timers(), timeout=60)
    assert state(machine) == "active"
    await undo(recorder, machine)
    [missing] = await told(recorder, ProofMissing)
    assert "its timer was not there any more" in missing.reason


async def test_a_timer_that_can_not_be_armed_stops_nothing(recorder, machine):
    """There is no `sleep`: nothing was changed, so nothing is to be undone."""
    (machine.programs / "sleep").unlink()
    outcome = await run(spec(expiresAfter=600), (target(),), on(recorder, machine))
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "its timer could not be started" in outcome.reasons[0]
    assert state(machine) == "active"
    assert recorder.context.journal.newer_than(0) == []


async def test_a_pattern_stops_starts_and_stops_again(recorder, machine):
    """Each time counted, `downFor` seconds apart from its start, `every` from the next stop; one undo for all."""
    given = spec(downFor=5, repeat={"times": 3, "every": 20})
    begun = recorder.clock.monotonic()
    assert (await run(given, (target(),), on(recorder, machine))).passed
    assert recorder.clock.monotonic() - begun == pytest.approx(45)
    events = list(await recorder.events())
    assert [event.number for event in events if isinstance(event, ServiceStopped)] == [1, 2, 3]
    assert sum(isinstance(event, ServiceStarted) for event in events) == 3
    assert state(machine) == "active"
    assert len(recorder.context.journal.newer_than(0)) == 1


async def test_a_service_that_comes_up_during_the_pattern_is_started_by_clean_up_too(recorder, machine):
    """It was down at the first time, so the second is the first that stops it."""
    (machine.units / "active").write_text("inactive\n")
    carry_out = machine.run

    async def run_and_come_up(*args, **given):
        machine.run = carry_out
        result = await carry_out(*args, **given)
        (machine.units / "active").write_text("active\n")
        return result

    machine.run = run_and_come_up
    given = spec(downFor=5, repeat={"times": 2, "every": 20})
    await run(given, (target(),), on(recorder, machine))
    assert [event.number for event in await told(recorder, ServiceStopped)] == [2]
    assert len(recorder.context.journal.newer_than(0)) == 1


async def test_what_systemd_stops_along_with_it_is_started_again_with_it(recorder, machine):
    """Units that require it go with it; whoever may start it again is said."""
    (machine.units / "others").write_text("RequiredBy=a.service multi-user.target\nTriggeredBy=chronyd.socket\n")
    assert (await run(spec(expiresAfter=600), (target(),), on(recorder, machine))).passed
    [proven] = await told(recorder, FaultProven)
    assert "not active; stopped along with it: a.service; chronyd.socket may start it again" in proven.proof
    [armed] = await told(recorder, TimerArmed)
    assert armed.undo == "systemctl start chronyd.service a.service"
    [written] = recorder.context.journal.newer_than(0)
    assert "systemctl start chronyd.service a.service" in written.undo.manual
    await undo(recorder, machine)
    assert [line for line in asked(machine) if line.startswith("start")] == ["start chronyd.service a.service"]


async def test_what_would_take_our_own_way_along_is_not_stopped(recorder, machine):
    """Whatever its name is."""
    machine.name = "ssh"
    (machine.units / "others").write_text("BoundBy=sshd.service\n")
    outcome = await run(spec(), (target(),), on(recorder, machine))
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "systemd would stop sshd.service along with it, which carries our own way" in outcome.reasons[0]
    assert state(machine) == "active"
    assert recorder.context.journal.newer_than(0) == []


@pytest.mark.parametrize(("way", "service"), CUT_OFF.items())
async def test_what_carries_our_own_way_is_not_stopped_without_a_timer(recorder, machine, way, service):
    """Refused before anything is touched, and by the plan: with SSH its daemon, through Kubernetes the kubelet."""
    machine.name = way
    context = on(recorder, machine)
    for given, why in ((spec(service), "that needs expiresAfter"), (spec(service, expiresAfter=900), "at most 600")):
        outcome = await run(given, (target(),), context)
        assert (outcome.verdict, outcome.ends_scenario) == (Verdict.INCONCLUSIVE, True)
        assert why in outcome.reasons[0]
        [refused] = (await plan(given, (target(),), context)).refused
        assert why in refused
    assert asked(machine) == []
    assert (await plan(spec("chronyd"), (target(),), context)).refused == ()


@pytest.mark.parametrize("way", ["local", "sandbox"])
async def test_what_does_not_carry_it_needs_none(recorder, machine, way):
    """A daemon of SSH is one service among others where nobody comes by SSH."""
    machine.name = way
    assert (await plan(spec("sshd"), (target(),), on(recorder, machine))).refused == ()


@pytest.fixture
async def ready_node(control, on_cluster, tmp_path):
    """A Ready node whose machine is reached through its kubelet; the answer to the stop, the third command, is lost."""
    machine = LocalMachine(tmp_path, name="node-shell")
    machine.units = machine.with_service()
    await on_cluster.journal.begin(RunEntry(id="run-1", policy="p", seed="7", server="s"))
    await control.cluster.create(NODES, {"metadata": {"name": "a"}})
    await report(control, "True")
    machine.loses(3)
    return machine, on(on_cluster, machine, settings=Settings(recovery_timeout_seconds=30))


async def report(control, ready):
    status = {"conditions": [{"type": "Ready", "status": ready}]}
    await control.cluster.patch(NODES, "a", {"status": status}, subresource="status")


async def test_a_way_that_goes_with_its_service_is_proven_by_the_cluster(control, ready_node, on_cluster):
    """The answer to the stop is lost, the cluster misses the node; clean-up tries again until it is reached."""
    machine, context = ready_node
    stopping = asyncio.create_task(run(spec("kubelet", expiresAfter=60), (target(),), context))
    await machine.lost.wait()
    await report(control, "Unknown")
    assert (await stopping).passed
    assert (await context.scope.settle(timeout_seconds=60)).passed
    machine.loses(1)
    [written] = context.journal.newer_than(0)
    assert await START_SERVICE.run(written.undo.args, context.world) == ""
    assert state(machine) == "active"
    events = list(await on_cluster.events())
    assert {event.subject for event in events if isinstance(event, FaultProven)} == {
        "stop of service kubelet on node a",
        "node a not Ready",
    }
    assert [event for event in events if isinstance(event, ProofMissing)] == []


async def test_a_way_that_is_lost_while_the_node_stays_ready_is_no_proof(ready_node, on_cluster):
    """Nobody knows whether the service stopped: inconclusive, and its undo stays."""
    _, context = ready_node
    context = replace(context, settings=Settings(recovery_timeout_seconds=0.1))
    outcome = await run(spec("kubelet", expiresAfter=60), (target(),), context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "the connection was lost" in outcome.reasons[0]
    [written] = context.journal.newer_than(0)
    assert await START_SERVICE.run(written.undo.args, context.world) == ""
    assert "the connection was lost" in [event.reason for event in await told(on_cluster, ProofMissing)]


async def test_start_service_starts_what_is_down_and_is_not_undone(recorder, machine):
    """It mends; where it is active already there is nothing to do."""
    (machine.units / "active").write_text("failed\n")
    context = on(recorder, machine)
    assert (await start(StartService(name="chronyd"), (target(),), context)).passed
    assert state(machine) == "active"
    assert recorder.context.journal.newer_than(0) == []
    outcome = await start(StartService(name="chronyd"), (target(),), context)
    assert outcome.reasons == ("service chronyd was active everywhere already",)
    assert [event.name for event in await told(recorder, MeasurementTaken)] == ["serviceStarted"]
    assert (await plan_start(StartService(name="chronyd"), (target(),), context)).changes == (
        "start service chronyd on node a",
    )


async def test_start_service_says_what_is_not_there_and_what_does_not_start(recorder, machine):
    """Inconclusive, with what systemd says."""
    (machine.units / "active").write_text("failed\n")
    (machine.units / "broken").touch()
    outcome = await start(StartService(name="chronyd"), (target(),), on(recorder, machine))
    assert "does not start: Job failed." in outcome.reasons[0]
    (machine.units / "load").write_text("not-found\n")
    outcome = await start(StartService(name="chronyd"), (target(),), on(recorder, machine))
    assert outcome.reasons == ("service chronyd on node a was not started: there is no such service",)


async def test_the_nodes_count_for_the_guardrails(recorder):
    """As with any other command on machines."""
    context = replace(recorder.context, settings=Settings(guardrails=Guardrails(most_nodes=1)))
    [reason] = await guard(spec(), (target("a"), target("b")), context)
    assert reason.startswith("maxNodes: ")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"name": ""},
        {"name": "x; reboot"},
        {"name": "-x"},
        {"name": "x", "repeat": {"times": 2}},
        {"name": "x", "downFor": 0},
        {"name": "x", "expiresAfter": 0},
        {"name": "x", "expiresAfter": 60, "downFor": 60},
        {"name": "x", "expiresAfter": 40, "downFor": 5, "repeat": {"times": 3, "every": 20}},
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_done(given):
    """A name is a unit's, what is stopped several times is started in between, a timer lasts to the end."""
    with pytest.raises(ValidationError):
        StopService.model_validate(given)
