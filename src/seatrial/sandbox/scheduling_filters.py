"""Why a pod can't run on a node, in the words of Kubernetes' scheduler (they stand in Events and scripts read them).

Filters: unschedulable nodes, taints, `nodeSelector` and required node affinity, host ports, resources, required pod
affinity and anti-affinity. Behaviour: Kubernetes documentation, "Assigning Pods to Nodes".
"""

from collections.abc import Iterator, Mapping
from typing import Final

from seatrial.kube.selectors import LabelSelector, Requirement
from seatrial.sandbox.api import Object
from seatrial.sandbox.controllers.node_lifecycle import NOT_READY
from seatrial.sandbox.controllers.objects import condition, is_active, labels_of, name_of, namespace_of, uid_of
from seatrial.sandbox.controllers.tolerations import untolerated
from seatrial.sandbox.node_room import NodeRoom, Request

ZONE: Final = "topology.kubernetes.io/zone"
_OPERATORS: Final = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!", "Gt": ">", "Lt": "<"}

Rooms = Mapping[str, NodeRoom]
NodeLabels = Mapping[str, Mapping[str, str]]


def reasons_against(pod: Object, request: Request, node: Object, rooms: Rooms, node_labels: NodeLabels) -> list[str]:
    """Why the pod can't run there: what the first filter that objects has to say; empty if it can.

    Args:
        pod: to be placed.
        request: what it asks for.
        node: the candidate.
        rooms: what is on each node, by name.
        node_labels: each node's labels, by name, to tell which nodes share a zone.
    """
    room = rooms.get(name_of(node)) or NodeRoom()
    for found in _by_filter(pod, request, node, room):
        if found:
            return found
    return [reason] if (reason := _affinity_reason(pod, node, rooms, node_labels)) else []


def _by_filter(pod: Object, request: Request, node: Object, room: NodeRoom) -> Iterator[list[str]]:
    tolerations = pod["spec"].get("tolerations") or []
    if node["spec"].get("unschedulable") and untolerated([_UNSCHEDULABLE_TAINT], tolerations):
        yield ["node(s) were unschedulable"]
    taints = [taint for taint in node["spec"].get("taints") or () if taint["effect"] in {"NoSchedule", "NoExecute"}]
    if not taints and not _is_ready(node):
        taints = [_NOT_READY_TAINT]  # registered a moment ago; its taint is on its way
    taint = untolerated(taints, tolerations)
    if taint is not None:
        value = f": {taint['value']}" if taint.get("value") else ": "
        yield [f"node(s) had untolerated taint {{{taint['key']}{value}}}"]
    if not _selected(pod, node):
        yield ["node(s) didn't match Pod's node affinity/selector"]
    if room.ports_taken(request):
        yield ["node(s) didn't have free ports for the requested pod ports"]
    yield ["Too many pods" if name == "pods" else f"Insufficient {name}" for name in room.lacking(node, request)]


_UNSCHEDULABLE_TAINT: Final = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
_NOT_READY_TAINT: Final = {"key": NOT_READY, "effect": "NoSchedule"}


def _is_ready(node: Object) -> bool:
    ready = condition(node, "Ready")
    return ready is not None and ready["status"] == "True"


def _selected(pod: Object, node: Object) -> bool:
    labels = labels_of(node)
    wanted = pod["spec"].get("nodeSelector") or {}
    if not wanted.items() <= labels.items():
        return False
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is None:
        return True
    return any(_term_matches(term, node, labels) for term in required.get("nodeSelectorTerms") or ())


def _term_matches(term: Object, node: Object, labels: Mapping[str, str]) -> bool:
    expressions = term.get("matchExpressions") or []
    fields = term.get("matchFields") or []
    if not expressions and not fields:
        return False
    by_field = {"metadata.name": name_of(node)}
    return all(_requirement(item).matches(labels) for item in expressions) and all(
        _requirement(item).matches(by_field) for item in fields
    )


def _requirement(item: Object) -> Requirement:
    operator = _OPERATORS[item["operator"]]
    return Requirement(item["key"], operator, tuple(item.get("values") or ()))  # type: ignore[arg-type] # of the table


def _affinity_reason(pod: Object, node: Object, rooms: Rooms, node_labels: NodeLabels) -> str:
    affinity = pod["spec"].get("affinity") or {}
    for term in _required(affinity, "podAffinity"):
        alone = term_selects(term, pod, pod) and not _anywhere(term, pod, rooms)
        if not alone and not _near(term, pod, node, rooms, node_labels):
            return "node(s) didn't match pod affinity rules"
    for term in _required(affinity, "podAntiAffinity"):
        if _near(term, pod, node, rooms, node_labels):
            return "node(s) didn't match pod anti-affinity rules"
    if _kept_away(pod, node, rooms, node_labels):
        return "node(s) didn't satisfy existing pods anti-affinity rules"
    return ""


def _required(affinity: Object, kind: str) -> list[Object]:
    return (affinity.get(kind) or {}).get("requiredDuringSchedulingIgnoredDuringExecution") or []


def term_selects(term: Object, owner: Object, other: Object) -> bool:
    """The term of `owner`'s affinity speaks of `other`."""
    namespaces = term.get("namespaces") or [namespace_of(owner)]
    everywhere = term.get("namespaceSelector") == {}
    if not everywhere and namespace_of(other) not in namespaces:
        return False
    return LabelSelector.from_dict(term.get("labelSelector")).matches(labels_of(other))


def _same_place(term: Object, one: str, other: str, node_labels: NodeLabels) -> bool:
    key = term["topologyKey"]
    place = node_labels.get(one, {}).get(key)
    return place is not None and place == node_labels.get(other, {}).get(key)


def _near(term: Object, pod: Object, node: Object, rooms: Rooms, node_labels: NodeLabels) -> bool:
    return any(
        term_selects(term, pod, other)
        for name, room in rooms.items()
        if room.pods and _same_place(term, name_of(node), name, node_labels)
        for other, _ in room.pods.values()
        if is_active(other) and uid_of(other) != uid_of(pod)
    )


def _anywhere(term: Object, pod: Object, rooms: Rooms) -> bool:
    return any(term_selects(term, pod, other) for room in rooms.values() for other, _ in room.pods.values())


def _kept_away(pod: Object, node: Object, rooms: Rooms, node_labels: NodeLabels) -> bool:
    """A pod that is there already wants no such pod near it."""
    return any(
        term_selects(term, other, pod) and _same_place(term, name_of(node), name, node_labels)
        for name, room in rooms.items()
        for other in room.guarded.values()
        for term in _required(other["spec"]["affinity"], "podAntiAffinity")
        if is_active(other)
    )
