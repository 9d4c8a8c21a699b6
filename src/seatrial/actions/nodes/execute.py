"""The node action `execute`: run a shell command on the machines under the nodes.

The undo is written down before. With `expiresAfter` a timer on the machine itself runs it too (`dead_man_timer`), so
that the fault ends without us.
"""

import asyncio
import shlex
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from seatrial.actions.dead_man_timer import DeadManTimer
from seatrial.actions.machine_timers import NotArmed, arm, disarm
from seatrial.actions.node_action_type import NodeActionType
from seatrial.actions.parallel import in_parallel
from seatrial.errors import ClusterError, CommandNotStarted, MachineError
from seatrial.policy.base import Complaint, Model
from seatrial.policy.scalars import WholeSeconds
from seatrial.remote.executor import CommandResult
from seatrial.runtime.context import Context
from seatrial.runtime.events import CommandExecuted, CommandOutput
from seatrial.runtime.journal import WrittenUndo
from seatrial.runtime.plan import ActionPlan
from seatrial.runtime.undo import Undo, UndoKind
from seatrial.runtime.verdict import PASSED, Outcome, combine, failed, not_carried_out
from seatrial.runtime.world import World
from seatrial.targets.guardrails import Reasons, guard_nodes
from seatrial.targets.nodes import NodeTarget

_MOST_OUTPUT = 4096


class Execute(Model):
    """Run a shell command on the machine under each node; one that ends with another code than 0 fails the step."""

    cmd: Annotated[str, Field(min_length=1)]
    """The command, as the machine's shell takes it."""

    undo: Annotated[str, Field(min_length=1)] | None = None
    """A command that undoes it, run at clean-up on each of the machines, also where `cmd` failed or how it ended is
    not known. It must be safe to repeat; without it nothing is undone."""

    timeout: Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)] = 60.0
    """How long the command may take, in seconds, before it is killed."""

    expires_after: WholeSeconds | None = None
    """After how many seconds the fault ends by itself: a timer on the machine, started before the command, runs `undo`
    even where Seatrial or the way to the machine is gone. Clean-up runs it at once and ends the timer."""

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        """A timer has to know what to run."""
        if given.get("expiresAfter") is not None and given.get("undo") is None:
            yield Complaint("needs 'undo': that is what its timer runs", ("expiresAfter",), at_key=True)


async def run(spec: Execute, targets: tuple[NodeTarget, ...], context: Context) -> Outcome:
    """Run the command on all machines."""
    execute = partial(_execute, spec=spec, context=context)
    return combine(await in_parallel(targets, execute, most=context.settings.max_parallel))


async def guard(spec: Execute, targets: tuple[NodeTarget, ...], context: Context) -> Reasons:  # noqa: ARG001 -- every action gets it
    """What a command does to pods is not known; the nodes count."""
    return await guard_nodes([target.node for target in targets], context, disrupts_pods=False)


async def plan(spec: Execute, targets: tuple[NodeTarget, ...], context: Context) -> ActionPlan:  # noqa: ARG001 -- every action gets it
    """Where the command would run."""
    timed = f" or after {spec.expires_after} s" if spec.expires_after else ""
    after = f", and at clean-up{timed}: {spec.undo}" if spec.undo else ", and undo nothing at clean-up"
    return ActionPlan(changes=tuple(f"run on node {each.name}: {spec.cmd}{after}" for each in targets))


async def _execute(target: NodeTarget, *, spec: Execute, context: Context) -> Outcome:
    where = _Where(id=target.node.metadata.uid, node=target.name)
    written: WrittenUndo | None = None
    try:
        if spec.undo:
            written = await _prepare_end(where, spec, spec.undo, context)
    except (MachineError, ClusterError) as error:
        return not_carried_out(f"the command was not run on node {target.name}: {error.in_full}")
    begun = context.clock.monotonic()
    try:
        result = await _run_on(where, spec.cmd, context.world, timeout_seconds=spec.timeout)
    except CommandNotStarted as error:
        # A timer that was armed is left to its undo.
        if written is not None and spec.expires_after is None:
            await context.journal.settle(written)
        return not_carried_out(f"the command could not be run on node {target.name}: {error.in_full}")
    except (MachineError, ClusterError) as error:
        return not_carried_out(f"the command could not be run on node {target.name}: {error.in_full}")
    context.mark_change(begun)
    if result.exit_code:
        return failed(f"the command ended with {result.exit_code} on node {target.name}{_last_line(result.output)}")
    return PASSED


class _Where(NamedTuple):
    """A node, by its UID and its name."""

    id: str
    node: str


async def _run_on(where: _Where, command: str, world: World, *, timeout_seconds: float) -> CommandResult:
    """Run a command and publish what it came to."""
    begun = world.clock.monotonic()

    def hear(line: str) -> None:
        world.emit(CommandOutput(id=where.id, name=where.node, line=line))

    def publish(*, exit_code: int | None, output: str = "", error: str = "") -> None:
        duration_ms = (world.clock.monotonic() - begun) * 1000
        world.emit(
            CommandExecuted(
                id=where.id,
                name=where.node,
                command=command,
                exit_code=exit_code,
                output=output,
                duration_ms=duration_ms,
                error=error,
            )
        )

    try:
        result = await world.executor.run(where.node, command, timeout_seconds=timeout_seconds, heard=hear)
    except (MachineError, ClusterError) as error:
        publish(exit_code=None, error=error.message)
        raise
    except asyncio.CancelledError:
        publish(exit_code=None, error="interrupted; it may run on")
        raise
    publish(exit_code=result.exit_code, output=_shortened(result.output))
    return result


async def _prepare_end(where: _Where, spec: Execute, undo: str, context: Context) -> WrittenUndo:
    """Write the undo down, and arm a timer with it where one is asked for.

    Raises:
        MachineError: there is no timer, or it is not known whether there is one: the command must not be run.
        ClusterError: what a person would type could not be found out.
    """
    timer = DeadManTimer.of(spec.expires_after) if spec.expires_after else None
    by_hand = (
        f"{shlex.join(_in_shell(undo))} && {shlex.join(timer.disarming(patience_seconds=spec.timeout))}"
        if timer
        else undo
    )
    written = await context.write_undo(
        Undo(
            kind=RUN_COMMAND.kind,
            args={
                "id": where.id,
                "node": where.node,
                "command": undo,
                "timeout": spec.timeout,
                **({"timer": timer.as_json()} if timer else {}),
            },
            description=f"run on node {where.node}: {undo}",
            manual=await context.executor.by_hand(where.node, by_hand),
        )
    )
    if timer is None:
        return written
    try:
        await arm(timer, _in_shell(undo), where.node, context, in_words=undo, as_root=False)
    except NotArmed:
        await context.journal.settle(written)
        raise
    return written


async def _run_command(args: Mapping[str, Any], world: World) -> str:
    where = _Where(id=args["id"], node=args["node"])
    result = await _run_on(where, args["command"], world, timeout_seconds=args["timeout"])
    if result.exit_code:
        raise MachineError(f"it ended with {result.exit_code} on node {where.node}{_last_line(result.output)}")
    if timer := args.get("timer"):
        await disarm(
            DeadManTimer.from_json(timer),
            where.node,
            world,
            subject=f"the command on node {where.node}",
            patience_seconds=args["timeout"],
            as_root=False,
        )
    return ""


def _in_shell(command: str) -> list[str]:
    return ["sh", "-c", command]


def _shortened(output: str) -> str:
    """Its end says most: that is where errors are."""
    return output if len(output) <= _MOST_OUTPUT else f"[...]{output[-_MOST_OUTPUT:]}"


def _last_line(output: str) -> str:
    lines = output.strip().splitlines()
    return f": {lines[-1][:200]}" if lines else ""


# As long as the longest command, its timer's run of the same, and the way there.
RUN_COMMAND = UndoKind(kind="runCommand", run=_run_command, deadline_seconds=1320.0)
ACTION = NodeActionType(
    key="execute", model=Execute, run=run, guard=guard, plan=plan, runs_commands=True, disrupts=True
)
