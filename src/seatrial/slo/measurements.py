"""What each event means as a measurement: the one place that says so, for the store, the objectives and the reports.

`MEANINGS` is the table of those that are built in: what each one is, and where it begins and ends. A `waitFor` names
its own. What did not come while somebody looked is a lower bound (right-censored), never left out: a series without the
longest ones would look better than the system is.
"""

from collections.abc import Iterator, Mapping

import msgspec

from seatrial.runtime.events import (
    MeasurementTaken,
    MoveMissed,
    PodMoved,
    PodRecovered,
    Record,
    RecoveryMissed,
    ScenarioFinished,
)
from seatrial.runtime.verdict import Verdict

PASSED = "passed"
AVAILABILITY = "availability"


class Meaning(msgspec.Struct, frozen=True):
    """What a measurement is of, and the moments at which it begins and ends."""

    of: str
    begins: str
    ends: str


_KILLED = "a pod that was killed or evicted, or ran on a machine that was stopped"
_KILL = "the kill or eviction is sent; the machine is told to stop"

MEANINGS: Mapping[str, Meaning] = {
    "timeToGone": Meaning("a pod that was killed or evicted", "the kill or eviction is sent", "its object is gone"),
    "timeToReplace": Meaning(_KILLED, _KILL, "its replacement is created"),
    "timeToSchedule": Meaning("a pod that was killed or evicted", _KILL, "its replacement is bound to a node"),
    "timeToStart": Meaning("a pod that was killed or evicted", _KILL, "its replacement's phase is Running"),
    "timeToRecover": Meaning(_KILLED, _KILL, "its replacement is Ready"),
    "timeToEndpoint": Meaning(
        "a pod that was killed or evicted, and a Service that it was behind",
        "the kill or eviction is sent",
        "its replacement is a ready endpoint of the Service",
    ),
    "timeToServe": Meaning(
        "likewise, where a probe of the steady state asks that Service",
        "the kill or eviction is sent",
        "the answer to the first probe that began with the replacement among the endpoints, and passed",
    ),
    "timeToReady": Meaning(
        "a Pod, Deployment, StatefulSet, DaemonSet or Service that a step `kubectl` created",
        "the request that created it is sent",
        "it is Ready; a Service: it has a ready endpoint",
    ),
    "timeToScale": Meaning(
        "what `scale` scaled", "the new number is sent", "all replicas are Ready, and no others left"
    ),
    "timeToDetect": Meaning(
        "a pod that was killed, where `observe: goldpinger` watches its peers; a node whose machine went down",
        "the kill is sent; the machine goes down",
        "a peer's call to the pod is seen to fail; the node is not Ready",
    ),
    "timeToPartition": Meaning("a `partition`", "its rules are sent", "they are seen to hold"),
    "imagePull": Meaning(
        "an image that a kubelet pulled for a pod of the scenario",
        "the kubelet begins",
        "it is there, as its event says",
    ),
    "containerRestart": Meaning("a container that was ended", "the signal is sent", "it runs again, and is ready"),
    "podsRescheduled": Meaning(
        "all pods of an owner on machines that were stopped",
        "the machines are told to stop",
        "the last one's replacement is Ready",
    ),
    "drained": Meaning("nodes", "the first is cordoned", "the last pod is gone from them"),
    "machineStopped": Meaning("a machine", "it is told to stop", "its cloud says that it is down"),
    "machineStarted": Meaning("a machine", "it is told to start", "its cloud says that it is up"),
    "machineRebooted": Meaning("a machine", "it is told to reboot", "it is up with another boot id"),
    "machinePaused": Meaning("a machine", "it is told to pause", "its cloud says that it is paused"),
    "machineDeleted": Meaning("a machine", "it is told to go", "its cloud has it no more"),
    "nodeNotReady": Meaning("a node whose machine went down", "the machine goes down", "the node is not Ready"),
    "nodeReady": Meaning("a node whose machine came back", "the machine is told to start", "the node is Ready again"),
    "processesEnded": Meaning("processes on a node", "the signal is sent", "they are gone"),
    "processesReturned": Meaning("processes on a node", "they were ended", "they are there again"),
    "serviceStopped": Meaning("a service of a node's machine", "it is told to stop", "it is stopped"),
    "serviceStarted": Meaning("a service of a node's machine", "it is told to start", "it runs"),
    "steadyStateReturned": Meaning("a scenario with a `steadyState`", "clean-up is over", "all its probes hold"),
}
"""The built-in measurements by their names."""

_ALSO_DETECTION = "nodeNotReady"


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A value of a measurement: seconds, or 1 and 0 for yes and no; `of` says what was measured."""

    name: str
    of: str
    value: float
    is_lower_bound: bool = False


def measurements_of(record: Record) -> Iterator[Measured]:
    """What an event means as measurements; often nothing."""
    match record.event:
        case MeasurementTaken() as taken:
            yield _taken(taken, name=taken.name)
            if taken.name == _ALSO_DETECTION:
                yield _taken(taken, name="timeToDetect")
        case PodRecovered() as recovery:
            yield from _moments(str(recovery.pod), _recovery(recovery))
        case PodMoved(pod=pod, created_ms=created, ready_ms=ready):
            moments = {"timeToReplace": created, "timeToRecover": ready}
            yield from _moments(str(pod), moments)
        case RecoveryMissed(waited_ms=waited) as missed if waited is not None:
            yield from _moments(str(missed.pod), _recovery(missed), missing=waited)
        case MoveMissed(pod=pod, waited_ms=waited, created_ms=created):
            yield from _moments(str(pod), {"timeToReplace": created, "timeToRecover": None}, missing=waited)
        case ScenarioFinished(name=name, verdict=verdict) if verdict is not Verdict.INCONCLUSIVE:
            yield Measured(name=PASSED, of=name, value=float(verdict is Verdict.PASSED))


def _taken(event: MeasurementTaken, *, name: str) -> Measured:
    return Measured(name=name, of=event.of, value=event.seconds, is_lower_bound=event.is_lower_bound)


def _recovery(event: PodRecovered | RecoveryMissed) -> Mapping[str, float | None]:
    return {
        "timeToGone": event.gone_ms,
        "timeToReplace": event.created_ms,
        "timeToSchedule": event.scheduled_ms,
        "timeToStart": event.running_ms,
        "timeToRecover": event.ready_ms if isinstance(event, PodRecovered) else None,
    }


def _moments(of: str, moments: Mapping[str, float | None], *, missing: float | None = None) -> Iterator[Measured]:
    """The moments that were seen, in milliseconds, by their measurements; the others came later than `missing`."""
    for name, ms in moments.items():
        if ms is not None:
            yield Measured(name=name, of=of, value=ms / 1000)
        elif missing is not None:
            yield Measured(name=name, of=of, value=missing / 1000, is_lower_bound=True)
