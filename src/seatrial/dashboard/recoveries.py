"""How long owners take to bring a pod back: what the session measured, and what is seen to happen by itself.

A pod that was Ready and goes is waited for until another one of its owner is Ready. Times begin when its deletion was
seen. What the session measures itself begins with the kill, and replaces what was seen of the same pod.
"""

import statistics
from collections import deque
from collections.abc import Callable, Sequence
from itertools import count

import msgspec

from seatrial.by_hand.live.kind import Change
from seatrial.by_hand.live.pods import LivePod
from seatrial.runtime.events import Event, MeasurementTaken, PodRecovered

_KEPT = 60
# Controllers replace a pod as soon as it is going or gone; a pod that comes later is one more, not one instead.
_REPLACED_WITHIN_SECONDS = 10.0
# Each of a pod that is gone by then: together they tell something.
_OF_SINGLE_PODS = frozenset({"timeToGone", "timeToEndpoint", "timeToServe", "timeToDetect", "imagePull"})
_TEMPLATE_HASH = "pod-template-hash"


class Recoveries(msgspec.Struct, frozen=True, kw_only=True):
    """The recovery times of one owner in seconds, the last one last; no more than 60 are kept."""

    of: str
    seconds: Sequence[float]

    @property
    def last(self) -> float:
        """The last one."""
        return self.seconds[-1]

    @property
    def median(self) -> float:
        """The median of those that are kept."""
        return statistics.median(self.seconds)


class _Loss(msgspec.Struct):
    """A pod that goes or is gone; `heir` is the uid of the one that came instead of it."""

    uid: str
    since: float
    gone: float | None = None
    heir: str = ""


class RecoveryWatch:
    """Sees pods go and others come, told by `see` of each change of a pod and by `hear` of the session's events."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._losses: dict[str, deque[_Loss]] = {}
        self._times: dict[str, dict[str, float]] = {}
        self._names: dict[str, str] = {}
        self._measured: set[str] = set()
        self._measurements = count(1)

    def all(self) -> Sequence[Recoveries]:
        """All owners of which a recovery was seen, the one that was seen last first."""
        return [Recoveries(of=of, seconds=list(times.values())) for of, times in reversed(self._times.items())]

    def hear(self, event: Event) -> None:
        """Take in what the session measured."""
        match event:
            case PodRecovered(pod=pod, ready_ms=ms):
                self._measured.add(pod.uid)
                self._note(self._named(f"{pod.namespace}/{pod.owner}"), pod.uid, ms / 1000)
            case MeasurementTaken(name=name, of=of, seconds=seconds, is_lower_bound=False):
                whose = name if name in _OF_SINGLE_PODS else f"{name}: {of}"
                self._note(whose, f"measurement {next(self._measurements)}", seconds)

    def see(self, change: Change[LivePod]) -> None:
        """Take in what became of a pod."""
        pod, earlier = change.object, change.earlier
        if not pod.owner:
            return
        if earlier is not None and earlier.uid != pod.uid:  # nobody saw it go before its namesake came
            self._lose(earlier, was_ready=earlier.is_ready, is_gone=True)
            earlier = None
        if change.type == "DELETED" or pod.deleted is not None:
            self._lose(pod, was_ready=(earlier or pod).is_ready, is_gone=change.type == "DELETED")
            return
        if earlier is None:
            self._inherit(pod)
        if pod.is_ready and not (earlier and earlier.is_ready):
            self._find(pod)

    def _lose(self, pod: LivePod, *, was_ready: bool, is_gone: bool) -> None:
        losses = self._of(pod)
        for each in losses:
            if each.heir == pod.uid:
                each.heir = ""  # its own heir is theirs
        loss = next((each for each in losses if each.uid == pod.uid), None)
        if loss is None and was_ready:
            loss = _Loss(pod.uid, self._monotonic())
            losses.append(loss)
        if loss is not None and is_gone and loss.gone is None:
            loss.gone = self._monotonic()

    def _inherit(self, pod: LivePod) -> None:
        losses = self._of(pod)
        too_late = self._monotonic() - _REPLACED_WITHIN_SECONDS
        for loss in [each for each in losses if not each.heir]:
            if loss.gone is None or loss.gone >= too_late:
                loss.heir = pod.uid
                return
            losses.remove(loss)  # nobody came: the owner was scaled down

    def _find(self, pod: LivePod) -> None:
        losses = self._of(pod)
        loss = next((each for each in losses if each.heir == pod.uid), None)
        if loss is None:
            return
        losses.remove(loss)
        if loss.uid not in self._measured:
            self._note(self._named(_owner(pod)), loss.uid, self._monotonic() - loss.since)

    def _of(self, pod: LivePod) -> deque[_Loss]:
        owner = _owner(pod)
        suffix = f"-{pod.labels.get(_TEMPLATE_HASH, '')}"
        if pod.owner_kind == "ReplicaSet" and pod.owner.endswith(suffix):
            self._names[owner] = f"{pod.namespace}/{pod.owner.removesuffix(suffix)}"
        return self._losses.setdefault(owner, deque(maxlen=_KEPT))

    def _named(self, owner: str) -> str:
        """What people call an owner: that of a Deployment's ReplicaSet is the Deployment."""
        namespace, _, name = owner.partition("/")
        return self._names.get(owner) or f"{namespace}/{name.rpartition('/')[2]}"

    def _note(self, of: str, key: str, seconds: float) -> None:
        times = self._times.pop(of, {})
        times[key] = seconds
        while len(times) > _KEPT:
            times.pop(next(iter(times)))
        self._times[of] = times


def _owner(pod: LivePod) -> str:
    """An owner as events name it, after its namespace: `shop/ReplicaSet/cart-7d4b9c`."""
    return f"{pod.namespace}/{pod.owner_kind}/{pod.owner}"
