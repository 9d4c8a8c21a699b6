"""The node action `stress`: put load on the machines under the nodes, by stress-ng where that is installed.

The load runs beside the steps that follow, until its time is over or clean-up ends it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from seatrial.actions.machine_loads import Memory, ended_by, look_at_memory, make_load, start_load
from seatrial.actions.node_action_type import NodeActionType
from seatrial.actions.parallel import in_parallel
from seatrial.errors import ClusterError, CommandNotStarted, MachineError
from seatrial.kube.quantity import parse_quantity
from seatrial.policy.base import Complaint, Model, complain
from seatrial.policy.scalars import Integer, WholeSeconds
from seatrial.policy.wording import counted
from seatrial.runtime.context import Context
from seatrial.runtime.events import FaultProven, StressStarted
from seatrial.runtime.plan import ActionPlan
from seatrial.runtime.verdict import PASSED, Outcome, combine, not_carried_out
from seatrial.targets.guardrails import Reasons, guard_nodes, refuse
from seatrial.targets.nodes import NodeTarget

_MOST_WORKERS = 1024
_MOST_MEMORY_PERCENT = 95
"""So much of a machine's memory may be in use with the load; beyond it the kernel begins to kill."""
_KIB = 1024
_AMOUNT = r"[1-9][0-9]*(\.[0-9]+)?[MGT]i?"


def _as_processors(value: Any) -> Any:
    if isinstance(value, str):
        if not 1 <= _percent(value) <= 100:
            raise complain("must be a number of workers or a percentage from 1% to 100%")
        return value
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MOST_WORKERS:
        raise complain(f"must be a number of workers from 1 to {_MOST_WORKERS}, or a percentage such as 80%")
    return value


def _as_memory(value: Any) -> Any:
    if isinstance(value, str) and value.endswith("%"):
        if not 1 <= _percent(value) < _MOST_MEMORY_PERCENT:
            raise complain(f"must be less than {_MOST_MEMORY_PERCENT}% of a machine's memory, and at least 1%")
    elif not isinstance(value, str) or not re.fullmatch(_AMOUNT, value, re.ASCII):
        raise complain("must be an amount of memory such as 512Mi, or a percentage such as 30%")
    return value


def _percent(text: str) -> int:
    return int(text[:-1]) if re.fullmatch(r"[1-9]\d{0,2}%", text, re.ASCII) else 0


Processors = Annotated[
    int | str,
    BeforeValidator(_as_processors),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": _MOST_WORKERS},
                {"type": "string", "pattern": "^([1-9][0-9]?|100)%$"},
            ]
        }
    ),
]
"""A number of workers, each of which takes a whole processor, or a percentage of all processors."""

MemoryAmount = Annotated[
    str,
    BeforeValidator(_as_memory),
    WithJsonSchema({"type": "string", "pattern": f"^(([1-9]|[1-8][0-9]|9[0-4])%|{_AMOUNT})$"}),
]
"""An amount of memory as Kubernetes writes it, in Mi or M and above, or a percentage of the machine's."""


class Stress(Model):
    """Put load on the machine under each node, with stress-ng, which has to be installed there.

    The load ends by itself after `duration`, and at clean-up.
    """

    cpu: Processors | None = None
    """Processor time: how many workers, or a percentage of all processors."""

    memory: MemoryAmount | None = None
    """Memory that is taken and touched: `512Mi`, or `30%` of the machine's. Where less than 5 % of the machine's memory
    would be left, nothing is done."""

    io: Annotated[Integer, Field(ge=1, le=_MOST_WORKERS)] | None = None
    """How many workers make the machine write to its disks."""

    duration: WholeSeconds
    """After how many seconds the load ends by itself, whatever becomes of Seatrial."""

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        """At least one kind of load."""
        if not any(given.get(key) is not None for key in ("cpu", "memory", "io")):
            yield Complaint("needs at least one of: cpu, memory, io")

    def __str__(self) -> str:
        parts = (
            f"cpu {counted(self.cpu, 'worker') if isinstance(self.cpu, int) else self.cpu}" if self.cpu else "",
            f"memory {self.memory}" if self.memory else "",
            f"io {counted(self.io, 'worker')}" if self.io else "",
        )
        return ", ".join(part for part in parts if part)


async def run(spec: Stress, targets: tuple[NodeTarget, ...], context: Context) -> Outcome:
    """Put the load on all machines, where every one of them can take it."""
    most = context.settings.max_parallel
    try:
        looked = await in_parallel(targets, lambda each: look_at_memory(each.name, context.world), most=most)
    except (MachineError, ClusterError) as error:
        return not_carried_out(f"no machine was put under load: {error.in_full}")
    memories = dict(zip((each.name for each in targets), looked, strict=True))
    if reasons := [reason for name, memory in memories.items() for reason in _too_much(spec, name, memory)]:
        return refuse(tuple(reasons), context)
    stress = partial(_stress, spec=spec, memories=memories, context=context)
    return combine(await in_parallel(targets, stress, most=most))


async def guard(spec: Stress, targets: tuple[NodeTarget, ...], context: Context) -> Reasons:  # noqa: ARG001 -- every action gets it
    """What load does to pods is not known; the nodes count."""
    return await guard_nodes([each.node for each in targets], context, disrupts_pods=False)


async def plan(spec: Stress, targets: tuple[NodeTarget, ...], context: Context) -> ActionPlan:  # noqa: ARG001 -- every action gets it
    """On which machines; whether stress-ng is there, and the memory, is looked at when it is done."""
    return ActionPlan(
        changes=tuple(f"put load on node {each.name}: {spec}, for {spec.duration} s at most" for each in targets),
        notes=("each machine needs stress-ng; where one has none, nothing is done",),
    )


async def _stress(target: NodeTarget, *, spec: Stress, memories: Mapping[str, Memory], context: Context) -> Outcome:
    load = make_load(target.name)
    written = await context.write_undo(await ended_by(load, context.executor))
    try:
        average = await start_load(load, _arguments(spec, memories[target.name]), context.world)
    except CommandNotStarted as error:
        await context.journal.settle(written)
        return not_carried_out(error.in_full)
    except (MachineError, ClusterError) as error:
        return not_carried_out(error.in_full)
    uid = target.node.metadata.uid
    context.emit(StressStarted(id=uid, name=target.name, load=str(spec), seconds=spec.duration))
    proof = f"stress-ng runs a second later; the machine's load average is {average}"
    context.emit(FaultProven(subject=load.subject, proof=proof))
    return PASSED


def _arguments(spec: Stress, memory: Memory) -> Sequence[str]:
    """What stress-ng is told; see stress-ng(1)."""
    arguments = ["--timeout", f"{spec.duration}s"]
    if isinstance(spec.cpu, str):
        arguments += ["--cpu", "0", "--cpu-load", str(_percent(spec.cpu))]  # 0: as many as there are processors
    elif spec.cpu:
        arguments += ["--cpu", str(spec.cpu)]
    if spec.memory:
        arguments += ["--vm", "1", "--vm-bytes", f"{_kibibytes(spec.memory, memory)}k", "--vm-keep"]
    if spec.io:
        arguments += ["--io", str(spec.io)]
    return arguments


def _kibibytes(amount: str, memory: Memory) -> int:
    if amount.endswith("%"):
        return memory.total * _percent(amount) // 100
    return int(parse_quantity(amount).value) // _KIB


def _too_much(spec: Stress, node: str, memory: Memory) -> Iterator[str]:
    if not spec.memory:
        return
    used = memory.total - memory.available + _kibibytes(spec.memory, memory)
    if used * 100 >= memory.total * _MOST_MEMORY_PERCENT:
        percent = used * 100 // memory.total
        yield f"memory: {percent} % of node {node}'s memory would be in use, {_MOST_MEMORY_PERCENT} % is too much"


ACTION = NodeActionType(key="stress", model=Stress, run=run, guard=guard, plan=plan, runs_commands=True, disrupts=True)
