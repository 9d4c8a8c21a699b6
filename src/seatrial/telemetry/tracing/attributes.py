"""What stands in spans: attributes, and the events of a run that are events of a span.

Names begin with `seatrial.`, but for what OpenTelemetry's semantic conventions have names for.
"""

from collections.abc import Mapping

from seatrial.runtime.events import (
    CommandExecuted,
    CommandOutput,
    Event,
    MachineStarted,
    MachineStopped,
    NodeRef,
    ObjectiveJudged,
    PodRef,
    ProbeSampled,
    Record,
    RunStarted,
    SampleTaken,
    UndoWritten,
)
from seatrial.runtime.verdict import Verdict
from seatrial.telemetry.log import event_name

Value = str | int | float | bool | list[str]

_LONGEST = 500
_MOST_ITEMS = 20
_CONVENTIONS: Mapping[type[Event], Mapping[str, str]] = {
    MachineStopped: {"id": "host.id", "name": "k8s.node.name"},
    MachineStarted: {"id": "host.id", "name": "k8s.node.name"},
    CommandExecuted: {"id": "k8s.node.uid", "name": "k8s.node.name"},
}
_NO_EVENTS: tuple[type[Event], ...] = (CommandOutput, SampleTaken, UndoWritten)


def of_run(started: RunStarted) -> dict[str, Value]:
    """The attributes of the run's span."""
    return {
        "seatrial.run.id": started.run_id,
        "seatrial.policy": started.policy,
        "seatrial.seed": started.seed,
        "server.address": started.server,
    }


def of_resource(started: RunStarted, *, version: str) -> dict[str, Value]:
    """Who traces, and of which cluster."""
    found: dict[str, Value] = {"service.name": "seatrial", "service.version": version}
    if started.cluster:
        found["k8s.cluster.uid"] = started.cluster  # as the conventions have it, the UID of the namespace kube-system
    if started.context:
        found["k8s.cluster.name"] = started.context
    return found


def of_outcome(verdict: Verdict, reasons: tuple[str, ...]) -> dict[str, Value]:
    """What a step, a scenario, a run came to."""
    return {"seatrial.verdict": str(verdict), **({"seatrial.reasons": _texts(reasons)} if reasons else {})}


def of_objective(judged: ObjectiveJudged) -> dict[str, Value]:
    """What an objective came to, as attributes of its scenario's span."""
    prefix = f"seatrial.objective.{judged.objective}"
    numbers = {"samples": judged.samples, "estimate": judged.estimate, "lower": judged.lower, "upper": judged.upper}
    found: dict[str, Value] = {f"{prefix}.status": str(judged.status)}
    return found | {f"{prefix}.{name}": value for name, value in numbers.items() if value is not None}


def is_span_event(record: Record) -> bool:
    """Whether an event of a run is one of a span: not what comes a hundred times a second and says that all is well."""
    event = record.event
    if isinstance(event, ProbeSampled):
        return record.where.step is not None or not event.ok
    return not isinstance(event, _NO_EVENTS)


def of_event(event: Event) -> tuple[str, dict[str, Value]]:
    """The name and the attributes of a span's event; commands and their outputs are left out, as in no other record."""
    names = _CONVENTIONS.get(type(event), {})
    found: dict[str, Value] = {}
    for field in event.__struct_fields__:
        if field in {"command", "output"}:
            continue
        value = getattr(event, field)
        if isinstance(value, PodRef):
            found |= _of_pod(value, prefix="" if field == "pod" else f"seatrial.{field}.")
        elif isinstance(value, NodeRef):
            found |= {"k8s.node.name": value.name, "k8s.node.uid": value.uid}
        elif (plain := _plain(value)) is not None:
            found[names.get(field, f"seatrial.{field}")] = plain
    return event_name(type(event)), found


def _of_pod(pod: PodRef, *, prefix: str) -> dict[str, Value]:
    found: dict[str, Value] = {
        f"{prefix}k8s.namespace.name": pod.namespace,
        f"{prefix}k8s.pod.name": pod.name,
        f"{prefix}k8s.pod.uid": pod.uid,
    }
    return found | ({f"{prefix}k8s.node.name": pod.node} if pod.node else {})


def _plain(value: object) -> Value | None:
    match value:
        case None | "" | ():
            return None
        case bool() | int() | float():
            return value
        case str():
            return str(value)[:_LONGEST]
        case tuple():
            return _texts(value)
    return str(value)[:_LONGEST]


def _texts(values: tuple[object, ...]) -> list[str]:
    return [str(each)[:_LONGEST] for each in values[:_MOST_ITEMS]]
