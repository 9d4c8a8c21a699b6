"""What lasted in a round: faults until they were seen to be gone, outages, a mesh that was not whole."""

from typing import Literal

import msgspec

from seatrial.report.run_report.model import Span
from seatrial.runtime.events import (
    ContainerRestarted,
    ContainerSignalled,
    Event,
    FaultCleared,
    FaultProven,
    MachineRebooted,
    MachineStarted,
    MachineStopped,
    MeshSampled,
    OutageSeen,
    PodEvicted,
    PodKilled,
    PodMoved,
    PodRecovered,
    RecoveryMissed,
    SteadyStateLost,
)

Kind = Literal["fault", "outage", "mesh"]

_MOST_SPANS = 100


class _Open(msgspec.Struct):
    kind: Kind
    label: str
    text: str
    start: float
    end: float | None = None


class Spans:
    """What lasted: begun by one event, ended by another one; `began_unix` is when the round began."""

    def __init__(self, began_unix: float) -> None:
        self._began_unix = began_unix
        self._all: list[_Open] = []
        self._open: dict[tuple[Kind, str], _Open] = {}
        self._machines: dict[str, str] = {}
        self._started: dict[str, _Open] = {}
        self.outage_seconds = 0.0
        self.slowest_seconds = 0.0

    def add(self, event: Event, at: float) -> None:
        """Take in one event, so many seconds after the round began."""
        self._pods(event, at)
        self._others(event, at)
        self._seen(event, at)

    def _pods(self, event: Event, at: float) -> None:
        match event:
            case PodKilled(pod=pod):
                self._begin("fault", str(pod), "killed", at)
            case PodEvicted(pod=pod):
                self._begin("fault", str(pod), "evicted", at)
            case PodRecovered(pod=pod, replacement=replacement, ready_ms=ms):
                self.slowest_seconds = max(self.slowest_seconds, ms / 1000)
                self._end("fault", str(pod), at, f"until {replacement.name} was Ready")
            case PodMoved(pod=pod, to_node=node):
                self._end("fault", str(pod), at, f"until it was Ready on {node}")
            case RecoveryMissed(pod=pod, reason=reason):
                self._note("fault", str(pod), reason)

    def _others(self, event: Event, at: float) -> None:
        match event:
            case MachineStopped(id=machine, name=name):
                self._machines[f"stop of machine {machine}"] = name
                self._begin("fault", f"machine of {name}", "stopped", at)
            case MachineStarted(name=name) | MachineRebooted(name=name):
                if span := self._open.get(("fault", f"machine of {name}")):
                    self._started[name] = span
                self._end("fault", f"machine of {name}", at, "until it was up")
            case ContainerSignalled(pod=pod, container=container, signal=signal):
                self._begin("fault", f"{pod}, container {container}", signal, at)
            case ContainerRestarted(pod=pod, container=container):
                self._end("fault", f"{pod}, container {container}", at, "until it was ready again")

    def _seen(self, event: Event, at: float) -> None:
        match event:
            case FaultProven(subject=subject, proof=proof):
                self._begin("fault", self._label(subject), proof, at)
            case FaultCleared(subject=subject, proof=proof):
                self._clear(self._label(subject), at, proof)
                self._node_is_back(self._machines.get(subject) or subject.rpartition(" ")[2], at, proof)
            case SteadyStateLost(probe=probe, reason=reason):
                self._begin("outage", probe, reason, at)
            case OutageSeen() as outage:
                self._outage(outage, at)
            case MeshSampled(failed=failed, error=error):
                self._mesh(failed, error, at)

    def _mesh(self, failed: tuple[str, ...], error: str, at: float) -> None:
        if error:
            return
        if failed:
            self._begin("mesh", "goldpinger's peers", f"failed: {', '.join(failed[:3])}", at)
        else:
            self._end("mesh", "goldpinger's peers", at, "")

    def _clear(self, subject: str, at: float, proof: str) -> None:
        """What ends a workload ends the faults in its pods, which are named after it (`NAMESPACE/NAME-...`)."""
        _, _, workload = subject.rpartition(" ")
        labels = [label for kind, label in self._open if kind == "fault"]
        for label in labels:
            if label == subject or (workload != subject and label.startswith(f"{workload}-")):
                self._end("fault", label, at, proof)

    def _node_is_back(self, node: str, at: float, proof: str) -> None:
        """A machine that is up is one thing, its node Ready another: what ends with that lasts until then."""
        if "Ready" not in proof:
            return
        self._end("fault", f"node {node} not Ready", at, proof)
        if span := self._started.pop(node, None):
            span.end, span.text = at, f"{span.text}; {proof}"

    def _label(self, subject: str) -> str:
        """What a proof is about, as other events call it: one lane for both."""
        if machine := self._machines.get(subject):
            return f"machine of {machine}"
        return subject.removeprefix("pod ")

    def _outage(self, outage: OutageSeen, at: float) -> None:
        """It is known to the sample when it began and ended; the events of its beginning and end come later."""
        self.outage_seconds += outage.seconds
        span = self._open.get(("outage", outage.probe))
        if span is None:
            self._begin("outage", outage.probe, "", at)
            span = self._open.get(("outage", outage.probe))
        if span is None:
            return
        span.start = max(0.0, outage.began - self._began_unix)
        if not outage.is_open:
            span.end = span.start + outage.seconds
            del self._open["outage", outage.probe]

    def _begin(self, kind: Kind, label: str, text: str, at: float) -> None:
        if (kind, label) in self._open:
            if kind == "fault":
                self._note(kind, label, text)
            return
        if len(self._all) < _MOST_SPANS:
            self._open[kind, label] = span = _Open(kind, label, text, at)
            self._all.append(span)

    def _end(self, kind: Kind, label: str, at: float, text: str) -> None:
        self._note(kind, label, text)
        if span := self._open.pop((kind, label), None):
            span.end = at

    def _note(self, kind: Kind, label: str, text: str) -> None:
        span = self._open.get((kind, label))
        if span and text and text not in span.text:
            span.text = f"{span.text}; {text}"

    def told(self) -> tuple[Span, ...]:
        """Each of them, in the order in which they began."""
        return tuple(
            Span(
                kind=each.kind,
                label=each.label,
                text=each.text,
                start_seconds=round(each.start, 3),
                end_seconds=None if each.end is None else round(each.end, 3),
            )
            for each in self._all
        )
