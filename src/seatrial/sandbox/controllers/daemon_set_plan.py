"""What a DaemonSet's pods should be: which nodes lack one, which pods have to go, and how an update moves on.

Pure functions over JSON; `daemon_set.py` carries the plan out. First every node that should have a pod gets one and
every other loses its; only when nothing of that is outstanding does an update replace pods, at most `maxUnavailable` at
a time, or with `maxSurge` by starting the new pod beside the old one. Behaviour: Kubernetes documentation, "DaemonSet"
and "Perform a Rolling Update on a DaemonSet".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from seatrial.sandbox.api import Object
from seatrial.sandbox.controllers.daemon_set_pods import belongs_on, is_updated, oldest
from seatrial.sandbox.controllers.deployment_sizes import scaled
from seatrial.sandbox.controllers.objects import is_available, is_ready, is_terminating, name_of

PodsByNode = Mapping[str, Sequence[Object]]


@dataclass
class Plan:
    """What is to be done at once.

    Attributes:
        create_on: names of the nodes that need a pod.
        delete: pods that have to go.
        failed: pods among `delete`, or waiting to be, that ended by themselves, with their nodes.
    """

    create_on: list[str] = field(default_factory=list)
    delete: list[Object] = field(default_factory=list)
    failed: list[tuple[str, Object]] = field(default_factory=list)


@dataclass(frozen=True)
class View:
    """What a plan is made from.

    Args:
        daemon_set: whose pods.
        nodes: all nodes.
        pods: each node's pods, the oldest first.
        revision_hash: of the present template.
        now: to tell how long pods have been ready.
    """

    daemon_set: Object
    nodes: Sequence[Object]
    pods: PodsByNode
    revision_hash: str
    now: datetime

    def is_available(self, pod: Object) -> bool:
        """The pod has been ready for `minReadySeconds`."""
        seconds = int(self.daemon_set["spec"].get("minReadySeconds", 0))
        return is_available(pod, min_ready_seconds=seconds, now=self.now)

    def is_updated(self, pod: Object) -> bool:
        """The pod was made of the present template."""
        return is_updated(pod, self.revision_hash)

    @property
    def wanted(self) -> int:
        """How many nodes should have a pod."""
        return sum(belongs_on(self.daemon_set, node)[0] for node in self.nodes)

    def allowed(self, name: str) -> int:
        """`maxUnavailable` or `maxSurge` in pods."""
        rolling = (self.daemon_set["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}
        asked = rolling.get(name, 1 if name == "maxUnavailable" else 0)
        count = scaled(asked, self.wanted, round_up=True)
        if name == "maxUnavailable" and not count and not self.allowed("maxSurge"):
            return 1
        return count


def coverage(view: View) -> Plan:
    """One pod on each node that should have one, none on others."""
    plan = Plan()
    known = {name_of(node) for node in view.nodes}
    for node in view.nodes:
        starts, stays = belongs_on(view.daemon_set, node)
        pods = view.pods.get(name_of(node)) or ()
        if not pods:
            if starts:
                plan.create_on.append(name_of(node))
        elif stays:
            _cover_one(view, name_of(node), pods, plan)
        else:
            plan.delete += [pod for pod in pods if not is_terminating(pod)]
    for node_name, pods in view.pods.items():
        if node_name not in known:  # it never got there, and nothing else will ever end it
            plan.delete += [pod for pod in pods if not pod["spec"].get("nodeName") and not is_terminating(pod)]
    return plan


def _cover_one(view: View, node: str, pods: Sequence[Object], plan: Plan) -> None:
    running = []
    for pod in pods:
        if is_terminating(pod):
            continue
        if (pod.get("status") or {}).get("phase") in {"Failed", "Succeeded"}:
            plan.failed.append((node, pod))
        else:
            running.append(pod)
    if len(running) <= 1:
        return
    if not view.allowed("maxSurge"):
        plan.delete += _surplus(running)
        return
    new = [pod for pod in running if view.is_updated(pod)]
    old = [pod for pod in running if not view.is_updated(pod)]
    plan.delete += [*new[1:], *old[1:]]
    newest, former = oldest(new), oldest(old)
    if newest is not None and former is not None and (not is_ready(former) or view.is_available(newest)):
        plan.delete.append(former)


def _surplus(running: Sequence[Object]) -> list[Object]:
    # One that has a node is kept before one that is still to get there, the older before the younger.
    ranked = sorted(running, key=lambda pod: not pod["spec"].get("nodeName"))
    return ranked[1:]


def update(view: View) -> Plan:
    """The next pods of a rolling update."""
    return _surging(view) if view.allowed("maxSurge") else _replacing(view)


def _pair(view: View, pods: Sequence[Object]) -> tuple[Object | None, Object | None] | None:
    """The node's new and old pod; None where there are several of one, which coverage settles first."""
    present = [pod for pod in pods if not is_terminating(pod)]
    new = [pod for pod in present if view.is_updated(pod)]
    old = [pod for pod in present if not view.is_updated(pod)]
    return (oldest(new), oldest(old)) if len(new) <= 1 and len(old) <= 1 else None


def _replacing(view: View) -> Plan:
    unavailable = 0
    at_once: list[Object] = []
    candidates: list[Object] = []
    for pods in view.pods.values():
        pair = _pair(view, pods)
        new, old = pair or (None, None)
        if new is not None and old is None:
            unavailable += not view.is_available(new)
        elif new is None and old is not None:
            (candidates if view.is_available(old) else at_once).append(old)
        else:
            unavailable += 1
    room = max(0, view.allowed("maxUnavailable") - unavailable)
    return Plan(delete=[*at_once, *candidates[:room]])


def _surging(view: View) -> Plan:
    surging = 0
    at_once: list[str] = []
    candidates: list[str] = []
    replaced: list[Object] = []
    for node, pods in view.pods.items():
        pair = _pair(view, pods)
        if pair is None:
            surging += 1
            continue
        new, old = pair
        if old is None:
            continue
        if new is None:
            (candidates if view.is_available(old) else at_once).append(node)
        elif view.is_available(new):
            replaced.append(old)
        else:
            surging += 1
    room = max(0, view.allowed("maxSurge") - surging)
    return Plan(create_on=[*at_once, *candidates[:room]], delete=replaced)


def counted_status(view: View) -> Object:
    """The status that these nodes and pods make."""
    desired = current = misplaced = ready = available = updated = 0
    for node in view.nodes:
        pods = view.pods.get(name_of(node)) or ()
        if not belongs_on(view.daemon_set, node)[0]:
            misplaced += bool(pods)
            continue
        desired += 1
        pod = oldest(pods)
        if pod is not None:
            current += 1
            ready += is_ready(pod)
            available += view.is_available(pod)
            updated += view.is_updated(pod)
    status: Object = {
        "currentNumberScheduled": current,
        "numberMisscheduled": misplaced,
        "desiredNumberScheduled": desired,
        "numberReady": ready,
    }
    counts = {
        "updatedNumberScheduled": updated,
        "numberAvailable": available,
        "numberUnavailable": desired - available,
    }
    return {**status, **{name: count for name, count in counts.items() if count}}
