"""What a change means to a person, in words: `pod shop/web-1: Running → Terminating`. Most changes mean nothing."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from seatrial.by_hand.live.events import LiveEvent
from seatrial.by_hand.live.kind import Change
from seatrial.by_hand.live.nodes import LiveNamespace, LiveNode
from seatrial.by_hand.live.pods import LivePod
from seatrial.by_hand.live.services import LiveService
from seatrial.by_hand.live.workloads import LiveJob, LiveWorkload
from seatrial.kube.reduction import Reduced

_WORDS: dict[type[Reduced], str] = {
    LivePod: "pod", LiveNode: "node", LiveNamespace: "namespace", LiveService: "service",
}  # fmt: skip


class Telling(NamedTuple):
    """One line: of what, what, and the state that it is in since, where it has one. A Warning is its own state."""

    about: str
    words: str
    state: str = ""

    def __str__(self) -> str:
        return f"{self.about}: {self.words}"


def in_words(change: Change[Any]) -> Telling | None:
    """The change in words; None where it means nothing."""
    item = change.object
    if isinstance(item, LiveEvent):
        return _event(change)
    state = getattr(item, "status", "")
    if change.type == "DELETED":
        return Telling(_about(item), "gone", "gone")
    if change.earlier is None:
        return Telling(_about(item), ", ".join(filter(None, ("new", state))), state)
    words = ", ".join(_differences(change.earlier, item))
    return Telling(_about(item), words, state) if words else None


def kind_in_words(item: Reduced) -> str:
    """What an object is called: `pod`, `deployment`."""
    return _WORDS.get(type(item)) or str(getattr(item, "kind", "object")).lower()


def _about(item: Reduced) -> str:
    return (
        f"{kind_in_words(item)} {item.namespace}/{item.name}"
        if item.namespace
        else f"{kind_in_words(item)} {item.name}"
    )


def _differences(earlier: Any, item: Any) -> Iterator[str]:
    state = getattr(item, "status", "")
    if state != getattr(earlier, "status", ""):
        yield f"{earlier.status} → {state}"
    match item:
        case LivePod():
            yield from _of_pod(earlier, item)
        case LiveNode():
            yield from _of_node(earlier, item)
        case LiveWorkload():
            yield from _of_workload(earlier, item)
        case LiveJob():
            if (item.succeeded, item.failed) != (earlier.succeeded, earlier.failed):
                yield f"{item.succeeded} of {item.wanted} succeeded" + (
                    f", {item.failed} failed" if item.failed else ""
                )
        case LiveService():
            if (item.selector, item.ports) != (earlier.selector, earlier.ports):
                yield "selector or ports changed"


def _of_pod(earlier: LivePod, item: LivePod) -> Iterator[str]:
    if item.node and not earlier.node:
        yield f"placed on {item.node}"
    if item.is_ready != earlier.is_ready:
        yield "ready" if item.is_ready else "not ready"
    elif item.ready != earlier.ready:
        yield f"{earlier.ready} → {item.ready} containers ready"
    if item.restarts > earlier.restarts:
        yield f"restarted ({_times(item.restarts)} so far)"


def _of_node(earlier: LiveNode, item: LiveNode) -> Iterator[str]:
    for taint in item.taints:
        if taint not in earlier.taints:
            yield f"tainted {taint}"
    for taint in earlier.taints:
        if taint not in item.taints:
            yield f"no longer tainted {taint}"


def _of_workload(earlier: LiveWorkload, item: LiveWorkload) -> Iterator[str]:
    if item.wanted != earlier.wanted:
        yield f"{earlier.wanted} → {item.wanted} wanted"
    if item.ready != earlier.ready:
        yield f"{earlier.ready} → {item.ready} of {item.wanted} ready"


def _event(change: Change[LiveEvent]) -> Telling | None:
    event, earlier = change.object, change.earlier
    if change.type == "DELETED" or (earlier is not None and earlier.count == event.count):
        return None
    times = f" ({_times(event.count)})" if event.count > 1 else ""
    words = f"{event.reason}: {' '.join(event.message.split())}{times}"
    return Telling(about_in_words(event), words, "" if event.type == "Normal" else event.type)


def about_in_words(event: LiveEvent) -> str:
    """What an Event is about: `pod shop/web-1`."""
    name = f"{event.about_namespace}/{event.about}" if event.about_namespace else event.about
    return f"{event.about_kind.lower()} {name}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
