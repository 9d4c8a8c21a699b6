"""The node action `killProcess`: send a signal to processes on the machines under the nodes, and see them end.

Nothing undoes it: what supervises a process (systemd, the kubelet for static pods) starts it again, or nobody does. But
what is paused (SIGSTOP) goes on by itself, and at clean-up.

The way to a machine may go down with what is killed, as where commands go through the kubelet: so looking, signalling
and looking again are three commands, and only what the last one sees counts.
"""

import asyncio
import re
import signal as signals
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, WithJsonSchema

from seatrial.actions.machine_process_pauses import MOST_PAUSED_SECONDS, pause_processes
from seatrial.actions.machine_process_returns import expect_return
from seatrial.actions.machine_processes import Process, Wanted, find_processes, send_signal, wait_for_end
from seatrial.actions.machine_shell import COMMAND_SECONDS
from seatrial.actions.node_action_type import NodeActionType
from seatrial.actions.parallel import in_parallel
from seatrial.actions.repetition import ONCE, Repeat, repeated
from seatrial.errors import ClusterError, MachineError
from seatrial.policy.base import Complaint, Model
from seatrial.policy.scalars import Integer
from seatrial.runtime.context import Context
from seatrial.runtime.events import FaultProven, MachineSkipped, MeasurementTaken, ProcessesSignalled, ProofMissing
from seatrial.runtime.plan import ActionPlan
from seatrial.runtime.verdict import PASSED, Outcome, combine, not_carried_out, nothing_to_do
from seatrial.targets.guardrails import Reasons, guard_nodes
from seatrial.targets.nodes import NodeTarget

_LOOK_AGAIN_SECONDS = 1.0

SignalName = Literal[
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGABRT",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTOP",
]
_NUMBERS = {signals.Signals[name].value: name for name in get_args(SignalName)}


def _as_signal(value: Any) -> Any:
    """A signal's name from its number, or from the name as `kill -l` prints it."""
    if isinstance(value, int) and not isinstance(value, bool):
        return _NUMBERS.get(value, value)
    return f"SIG{value}" if isinstance(value, str) and f"SIG{value}" in get_args(SignalName) else value


Signal = Annotated[
    SignalName,
    BeforeValidator(_as_signal),
    WithJsonSchema(
        {"enum": [*get_args(SignalName), *(each.removeprefix("SIG") for each in get_args(SignalName)), *_NUMBERS]}
    ),
]
"""A signal by its name, with or without `SIG`, or by its number."""


class KillProcess(Model):
    """Send a signal to processes on the machine under each node, and see them end. Nothing undoes it but a pause."""

    name: Annotated[str, Field(min_length=1)] | None = None
    """The processes of exactly that name: `kubelet`, `kube-proxy`, `etcd`, `containerd`."""

    pattern: Annotated[str, Field(min_length=1)] | None = None
    """Or those in whose command line this extended regular expression is found."""

    user: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")] | None = None
    """Only processes of that user, a name or a number."""

    signal: Signal = "SIGKILL"
    """The signal, by its name or its number. SIGSTOP pauses the processes for `resumeAfter` seconds."""

    resume_after: Annotated[Integer, Field(ge=1, le=MOST_PAUSED_SECONDS)] | None = None
    """With SIGSTOP: after how many seconds the processes go on by themselves: a timer on the machine does it, whatever
    becomes of Seatrial. Clean-up lets them go on at once."""

    expect_end: bool = True
    """Whether the processes have to end of it. `false` is for signals that make a program reload or rotate its logs."""

    expect_return: bool = False
    """Whether something has to start them again. The scenario waits for that beside its other steps, at most as long as
    `--recovery-timeout` says, and how long it took is measured (`processesReturned`)."""

    timeout: Annotated[Integer, Field(ge=1, le=600)] = 10
    """How long to wait until all of them have ended, in seconds."""

    repeat: Repeat = ONCE
    """The same again, to the processes that are there by then."""

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        """One way of naming processes."""
        named = [key for key in ("name", "pattern") if given.get(key) is not None]
        if not named:
            yield Complaint("needs 'name' or 'pattern': which processes?")
        if len(named) > 1:
            yield Complaint("is a second way of naming processes beside 'name'", ("pattern",), at_key=True)
        if given.get("expectReturn") and given.get("expectEnd") is False:
            yield Complaint("can't be true with expectEnd: false", ("expectReturn",))
        yield from _rules_of_pauses(given)

    @property
    def wanted(self) -> Wanted:
        """Which processes."""
        return Wanted(name=self.name, pattern=self.pattern, user=self.user)


def _rules_of_pauses(given: Mapping[str, Any]) -> Iterator[Complaint]:
    """A pause has an end, and nothing else has one; it is no end of the process."""
    pauses, ends = _as_signal(given.get("signal")) == "SIGSTOP", given.get("resumeAfter") is not None
    if pauses and not ends:
        yield Complaint("needs 'resumeAfter': a pause ends by itself", ("signal",), at_key=True)
    if ends and not pauses:
        yield Complaint("is for the signal SIGSTOP only", ("resumeAfter",), at_key=True)
    for key in ("expectEnd", "expectReturn", "repeat") if pauses else ():
        if given.get(key):
            yield Complaint("can't be given with SIGSTOP: a paused process does not end", (key,), at_key=True)


async def run(spec: KillProcess, targets: tuple[NodeTarget, ...], context: Context) -> Outcome:
    """Send the signal on all machines, as often as the pattern says."""
    return await repeated(spec.repeat, partial(_kill_on_all, spec=spec, targets=targets, context=context), context)


async def guard(spec: KillProcess, targets: tuple[NodeTarget, ...], context: Context) -> Reasons:
    """What it does to pods is not known; the nodes count, and where it may be etcd that dies, its quorum."""
    quorum = "etcd" in (spec.name or "") or (spec.pattern is not None and _may_match(spec.pattern, "etcd"))
    return await guard_nodes([each.node for each in targets], context, disrupts_pods=False, takes_down=quorum)


def _may_match(pattern: str, name: str) -> bool:
    """Whether a pattern finds a program of that name; one that Python reads otherwise than `grep` may, too."""
    try:
        return re.search(pattern, f"/usr/local/bin/{name} ") is not None or name in pattern
    except re.error:
        return True


async def plan(spec: KillProcess, targets: tuple[NodeTarget, ...], context: Context) -> ActionPlan:  # noqa: ARG001 -- every action gets it
    """On which machines; which processes are there is looked for when it is done."""
    often = f", {spec.repeat}" if spec.repeat.times > 1 else ""
    if spec.resume_after:
        often = f", and SIGCONT after {spec.resume_after} s or at clean-up"
    what = f"send {spec.signal} to every process {spec.wanted}"
    return ActionPlan(
        changes=tuple(f"{what} on node {each.name}{often}" for each in targets),
        notes=() if spec.resume_after else ("nothing undoes a killed process: what supervises it starts it again",),
    )


async def _kill_on_all(number: int, *, spec: KillProcess, targets: Sequence[NodeTarget], context: Context) -> Outcome:
    kill = partial(_kill, spec=spec, number=number, context=context)
    outcomes = await in_parallel(targets, kill, most=context.settings.max_parallel)
    hit = [each for each in outcomes if each is not None]
    if outcomes and not hit:
        which = f" ({number} of {spec.repeat.times})" if spec.repeat.times > 1 else ""
        return nothing_to_do(f"no process {spec.wanted} was there{which}")
    return combine(hit)


async def _kill(target: NodeTarget, *, spec: KillProcess, number: int, context: Context) -> Outcome | None:
    """Kill on one machine; None where there is no such process."""
    node, wanted, world = target.name, spec.wanted, context.world
    subject = f"{spec.signal} to processes {wanted} on node {node}"
    try:
        found = await find_processes(wanted, node, world, timeout_seconds=COMMAND_SECONDS)
        if not found:
            context.emit(MachineSkipped(id=target.node.metadata.uid, name=node, reason=f"no process {wanted} is there"))
            return None
        begun = context.clock.monotonic()
        if spec.resume_after:
            await pause_processes(found, node, context, seconds=spec.resume_after, subject=subject)
        problem = "" if spec.resume_after else await _send(spec, found, node, context)
    except (MachineError, ClusterError) as error:
        return not_carried_out(f"{subject} could not be sent: {error.in_full}")
    if problem:
        return not_carried_out(f"{subject} was not let through: {problem}")
    context.mark_change(begun, repetition=number)
    context.emit(
        ProcessesSignalled(
            id=target.node.metadata.uid,
            name=node,
            signal=spec.signal,
            processes=tuple(str(each) for each in found),
            number=number,
            times=spec.repeat.times,
        )
    )
    if spec.resume_after or not spec.expect_end:
        return PASSED
    outcome = await _see_the_end(found, target, spec, context, begun=begun)
    if outcome.passed and spec.expect_return and number == spec.repeat.times:
        expect_return(found, wanted, target.name, context, since=begun)
    return outcome


async def _send(spec: KillProcess, found: Sequence[Process], node: str, context: Context) -> str:
    """Send the signal; a way that went down with what was killed is no problem, where the end is to be seen."""
    try:
        return await send_signal(spec.signal, found, node, context.world)
    except (MachineError, ClusterError):
        if not spec.expect_end:
            raise
        return ""


async def _see_the_end(
    found: Sequence[Process], target: NodeTarget, spec: KillProcess, context: Context, *, begun: float
) -> Outcome:
    node, subject = target.name, f"{spec.signal} to processes {spec.wanted} on node {target.name}"
    try:
        left = await _left(found, node, spec, context)
    except (MachineError, ClusterError) as error:
        context.emit(ProofMissing(subject=subject, reason=error.message))
        return not_carried_out(f"whether they ended of {subject} could not be seen: {error.in_full}")
    if left:
        still = ", ".join(map(str, left))
        context.emit(ProofMissing(subject=subject, reason=f"still there after {spec.timeout} s: {still}"))
        return not_carried_out(f"{subject}: {still} did not end within {spec.timeout} s")
    seconds = context.clock.monotonic() - begun
    context.emit(MeasurementTaken(name="processesEnded", of=node, seconds=seconds))
    context.emit(FaultProven(subject=subject, proof=f"gone: {', '.join(map(str, found))}"))
    return PASSED


async def _left(found: Sequence[Process], node: str, spec: KillProcess, context: Context) -> list[Process]:
    """Those that have not ended in time; asked again while the way to the machine is down."""
    end = asyncio.get_running_loop().time() + spec.timeout
    while True:
        left = max(1, round(end - asyncio.get_running_loop().time()))
        try:
            return await wait_for_end(
                found, node, context.world, patience_seconds=left, timeout_seconds=left + COMMAND_SECONDS
            )
        except (MachineError, ClusterError):
            if asyncio.get_running_loop().time() > end:
                raise
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


ACTION = NodeActionType(
    key="killProcess", model=KillProcess, run=run, guard=guard, plan=plan, runs_commands=True, disrupts=True
)
