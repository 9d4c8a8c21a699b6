"""What events of a run say about pods, their owners and nodes, in a sentence each.

Commands and their outputs stay out of it: whoever may read a namespace's Events may not be meant to see them.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec

from seatrial.runtime.events import (
    CommandExecuted,
    ContainerSignalled,
    Event,
    MachineDeleted,
    MachinePaused,
    MachineRebooted,
    MachineStarted,
    MachineStopped,
    NodeCordoned,
    NodeRef,
    NodeTainted,
    NodeUncordoned,
    PodCommandExecuted,
    PodEvicted,
    PodKilled,
    PodRecovered,
    PodRef,
    ProcessesSignalled,
    ServiceStarted,
    ServiceStopped,
    StressStarted,
)

Kind = Literal["Normal", "Warning"]


class NodeNamed(msgspec.Struct, frozen=True):
    """A node of which only the name is known."""

    name: str


class OwnerOf(msgspec.Struct, frozen=True):
    """What a pod belongs to: the Deployment above its ReplicaSet, and so on."""

    pod: PodRef


Subject = PodRef | NodeRef | NodeNamed | OwnerOf


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """Something to say about one object: `reason` and `action` in Kubernetes' camel case, `text` a sentence."""

    about: Subject
    reason: str
    action: str
    text: str
    kind: Kind = "Warning"


def notes_of(event: Event) -> Iterator[Note]:
    """What an event says about those that it hit."""
    yield from _pods(event)
    yield from _machines(event)
    yield from _nodes(event)


FAULTS: frozenset[type[Event]] = frozenset(
    {
        CommandExecuted, ContainerSignalled, MachineDeleted, MachinePaused, MachineRebooted, MachineStarted,
        MachineStopped, NodeCordoned, NodeTainted, NodeUncordoned, PodCommandExecuted, PodEvicted, PodKilled,
        PodRecovered, ProcessesSignalled, ServiceStarted, ServiceStopped, StressStarted,
    }
)  # fmt: skip
"""The events that `notes_of` has something to say about."""


def _pods(event: Event) -> Iterator[Note]:
    match event:
        case PodKilled(pod=pod, force=force, on_machine=node):
            how = "at once" if force else "with its grace period"
            where = f", by commands on node {node}" if node else ""
            yield from _pod_and_owner(pod, "SeatrialPodKilled", "KillPod", f"Killed pod {pod.name} {how}{where}")
        case PodEvicted(pod=pod):
            yield from _pod_and_owner(pod, "SeatrialPodEvicted", "EvictPod", f"Evicted pod {pod.name}")
        case PodRecovered(pod=pod, replacement=new, ready_ms=ms):
            text = f"Pod {new.name} took the place of {pod.name} and was Ready after {ms / 1000:.3g} s"
            yield Note(about=OwnerOf(pod), reason="SeatrialPodReplaced", action="KillPod", text=text, kind="Normal")
        case ContainerSignalled(pod=pod, container=container, signal=signal):
            text = f"Sent {signal} to container {container} of pod {pod.name}"
            yield from _pod_and_owner(pod, "SeatrialContainerSignalled", "SignalContainer", text)
        case PodCommandExecuted(pod=pod, container=container, exit_code=int(code)):
            text = f"Ran a command in container {container}, which exited with {code}"
            yield Note(about=pod, reason="SeatrialCommandExecuted", action="ExecuteCommand", text=text)


def _pod_and_owner(pod: PodRef, reason: str, action: str, text: str) -> Iterator[Note]:
    yield Note(about=pod, reason=reason, action=action, text=text)
    yield Note(about=OwnerOf(pod), reason=reason, action=action, text=text)


_DONE: dict[type[Event], tuple[str, str, str, Kind]] = {
    MachineStarted: ("Started", "StartMachine", "Started its machine again", "Normal"),
    MachineRebooted: ("Rebooted", "RebootMachine", "Rebooted its machine", "Warning"),
    MachinePaused: ("Paused", "PauseMachine", "Paused its machine", "Warning"),
    MachineDeleted: ("Deleted", "DeleteMachine", "Deleted its machine for good", "Warning"),
}


def _machines(event: Event) -> Iterator[Note]:
    match event:
        case MachineStopped(name=name, force=force):
            how = "by force" if force else "gracefully"
            yield _node(name, "SeatrialMachineStopped", "StopMachine", f"Stopped its machine {how}")
        case MachineStarted() | MachineRebooted() | MachinePaused() | MachineDeleted():
            what, action, text, kind = _DONE[type(event)]
            yield _node(event.name, f"SeatrialMachine{what}", action, text, kind=kind)
        case CommandExecuted(name=name, exit_code=int(code)):
            text = f"Ran a command on its machine, which exited with {code}"
            yield _node(name, "SeatrialCommandExecuted", "ExecuteCommand", text)
        case ProcessesSignalled(name=name, signal=signal, processes=processes):
            text = f"Sent {signal} to {len(processes)} processes on its machine"
            yield _node(name, "SeatrialProcessesSignalled", "SignalProcesses", text)
        case ServiceStopped(name=name, service=service):
            yield _node(name, "SeatrialServiceStopped", "StopService", f"Stopped {service} on its machine")
        case ServiceStarted(name=name, service=service):
            text = f"Started {service} on its machine again"
            yield _node(name, "SeatrialServiceStarted", "StartService", text, kind="Normal")
        case StressStarted(name=name, load=load, seconds=seconds):
            text = f"Put its machine under load ({load}) for {seconds} s at most"
            yield _node(name, "SeatrialStressStarted", "StressMachine", text)


def _node(name: str, reason: str, action: str, text: str, *, kind: Kind = "Warning") -> Note:
    return Note(about=NodeNamed(name), reason=reason, action=action, text=text, kind=kind)


def _nodes(event: Event) -> Iterator[Note]:
    match event:
        case NodeCordoned(node=node, already=False):
            yield Note(about=node, reason="SeatrialNodeCordoned", action="CordonNode", text="Cordoned the node")
        case NodeUncordoned(node=node, already=False):
            text = "Uncordoned the node"
            yield Note(about=node, reason="SeatrialNodeUncordoned", action="UncordonNode", text=text, kind="Normal")
        case NodeTainted(node=node, taint=taint, already=False):
            yield Note(about=node, reason="SeatrialNodeTainted", action="TaintNode", text=f"Tainted the node: {taint}")
