"""Whether Kubernetes objects are in a state that somebody waits for: their own conditions, and three that they lack.

Most kinds report conditions (Kubernetes documentation, "Pod conditions", "Deployment status", ...). StatefulSets and
DaemonSets report only counts, and a Deployment is Available before all of its replicas are; `Ready` is worked out from
the counts for these. `Deleted` means that there is no such object.
"""

from collections.abc import Collection
from dataclasses import dataclass

import msgspec

from seatrial.kube.objects import Condition, ObjectMeta

READY = "Ready"
DELETED = "Deleted"
_COUNTED = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
_MOST_NAMED = 3


class _Spec(msgspec.Struct, frozen=True, rename="camel", gc=False):
    replicas: int | None = None


class _Status(msgspec.Struct, frozen=True, rename="camel", gc=False):
    observed_generation: int = 0
    conditions: tuple[Condition, ...] | None = None
    replicas: int = 0
    ready_replicas: int = 0
    updated_replicas: int = 0
    available_replicas: int = 0
    desired_number_scheduled: int = 0
    updated_number_scheduled: int = 0
    number_ready: int = 0


class Waited(msgspec.Struct, frozen=True, gc=False):
    """An object of any kind that is waited for, with what may say how far it is."""

    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: _Spec = msgspec.field(default_factory=_Spec)
    status: _Status = msgspec.field(default_factory=_Status)


@dataclass(frozen=True, slots=True)
class State:
    """Whether it holds, and how far it is in words."""

    holds: bool
    account: str


_UNSEEN = State(holds=False, account="its controller has not seen its last change")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What all the objects shall be; `negative`: shall not, or not any more."""

    kind: str
    condition: str
    negative: bool = False


def judge(objects: Collection[Waited], wanted: Wanted) -> State:
    """Whether there are such objects and all of them are as wanted."""
    if wanted.condition == DELETED:
        left = len(objects)
        return State(left == 0, f"{left} still there" if left else "all gone")
    if not objects:
        return State(holds=False, account="there is none")
    states = {each.metadata.name: _state(each, wanted) for each in objects}
    open_ones = {name: state for name, state in states.items() if not state.holds}
    named = ", ".join(f"{name}: {state.account}" for name, state in sorted(open_ones.items())[:_MOST_NAMED])
    more = ", ..." if len(open_ones) > _MOST_NAMED else ""
    done = f"{len(states) - len(open_ones)} of {len(states)}"
    return State(not open_ones, f"{done} ({named}{more})" if open_ones else done)


def count_ready(pods: Collection[Waited], wanted_count: int) -> State:
    """Whether so many pods are Ready, not counting those that are being deleted."""
    ready = sum(_state(pod, Wanted(kind="Pod", condition=READY)).holds for pod in pods)
    return State(ready >= wanted_count, f"{ready} of {wanted_count} ready")


def _state(thing: Waited, wanted: Wanted) -> State:
    if wanted.condition == READY and wanted.kind in _COUNTED:
        found = _counted(thing, wanted.kind)
        return State(found.holds is not wanted.negative, found.account)
    if wanted.kind in _COUNTED and thing.status.observed_generation < thing.metadata.generation:
        return _UNSEEN  # the conditions are those of what it was before, as `kubectl wait` sees it
    condition = next(
        (each for each in thing.status.conditions or () if each.type.lower() == wanted.condition.lower()), None
    )
    if condition is None:
        return State(holds=False, account=f"no condition {wanted.condition} yet")
    is_true = condition.is_true
    account = f"{condition.type} is {condition.status}" + (f", {condition.reason}" if condition.reason else "")
    if wanted.kind == "Pod" and wanted.condition == READY and thing.metadata.deletion_timestamp is not None:
        # Its containers may still answer, but no Service sends anything there.
        is_true, account = False, "being deleted"
    return State(is_true is not wanted.negative, account)


def _counted(thing: Waited, kind: str) -> State:
    """Ready in the sense of `kubectl rollout status`: seen by its controller, and every pod that it wants is ready."""
    status = thing.status
    if status.observed_generation < thing.metadata.generation:
        return _UNSEEN
    if kind == "DaemonSet":
        return _all_of(status.number_ready, status.desired_number_scheduled)
    replicas = 1 if thing.spec.replicas is None else thing.spec.replicas
    if kind == "StatefulSet":
        return _all_of(status.ready_replicas, replicas)
    if status.updated_replicas < replicas or status.replicas > status.updated_replicas:
        return State(holds=False, account=f"{status.updated_replicas} of {replicas} replicas updated")
    return _all_of(status.available_replicas, replicas)


def _all_of(ready: int, wanted: int) -> State:
    return State(ready >= wanted, f"{ready} of {wanted} replicas ready")
