"""How many nodes may be out of service at once: in all, in a zone, of the control plane, of etcd.

What is out of service is what a step hits, what the cluster says is not Ready, and what this scenario has switched off:
that takes the cluster most of a minute to notice, and the next step may be quicker. Each check answers as those of
`guardrails` do.

Members of etcd are known by the labels of the static pods that kubeadm makes (`component=etcd` in `kube-system`). Where
etcd runs elsewhere, as on clusters whose control plane is somebody else's, there are none to look at. Sources:
Kubernetes documentation, "kubeadm: implementation details" and "Well-known labels"; etcd's FAQ on failure tolerance.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence

from seatrial.kube.errors import Forbidden
from seatrial.kube.objects import ZONE_LABEL, Node, Pod
from seatrial.kube.resources import NODES, PODS
from seatrial.policy.wording import counted
from seatrial.runtime.context import Context

CONTROL_PLANE_LABEL = "node-role.kubernetes.io/control-plane"
_ETCD_NAMESPACE = "kube-system"
_ETCD_LABELS = "component=etcd"
# 0.29 of 100 nodes is a little less than 29 to a computer.
_ROUNDING = 1e-9


def done_by_taking_down(node: str) -> str:
    """What a scenario remembers of having taken a node down."""
    return f"node {node} taken down"


def done_by_bringing_back(node: str) -> str:
    """What a scenario remembers of having brought a node back."""
    return f"node {node} brought back"


def check_count(nodes: Collection[Node], context: Context) -> list[str]:
    """`maxNodes`: how many nodes the step hits."""
    most = context.settings.guardrails.most_nodes
    if most is None or len(nodes) <= most:
        return []
    return [f"maxNodes: the step would hit {counted(len(nodes), 'node')}, at most {most} may be"]


async def check_zones(nodes: Sequence[Node], context: Context) -> list[str]:
    """`maxShareOfZone`: what share of each zone would be out of service."""
    most = context.settings.guardrails.most_of_zone
    if most is None or not nodes:
        return []
    try:
        listed = await context.cluster.list(NODES, type=Node)
    except Forbidden as error:
        return [f"maxShareOfZone: can't be checked: {error.message}"]
    # A machine that no node runs on is in no zone of the cluster's.
    hit = {node.metadata.uid for node in nodes}
    if astray := [node.metadata.name for node in listed.items if node.metadata.uid in hit and not _zone(node)]:
        return [f"maxShareOfZone: can't be checked: no label {ZONE_LABEL} on {', '.join(astray)}"]
    zones: dict[str, list[Node]] = defaultdict(list)
    for node in listed.items:
        zones[_zone(node)].append(node)
    return [
        f"maxShareOfZone: {len(out)} of {counted(len(there), 'node')} of zone {zone} would be out of service,"
        f" at most {most:.0%} may be"
        for zone, there in sorted(zones.items())
        if (out := _out_of_service(there, nodes, context)) and len(out) > most * len(there) + _ROUNDING
    ]


async def check_control_plane(nodes: Sequence[Node], context: Context) -> list[str]:
    """`maxControlPlane`: how many nodes of the control plane would be down.

    Where nobody says, never all, but where the policy names those that go exactly.
    """
    if not any(CONTROL_PLANE_LABEL in (node.metadata.labels or {}) for node in nodes):
        return []
    try:
        there = (await context.cluster.list(NODES, label_selector=CONTROL_PLANE_LABEL, type=Node)).items
    except Forbidden as error:
        return [f"maxControlPlane: can't be checked: {error.message}"]
    down, most = len(_out_of_service(there, nodes, context)), context.settings.guardrails.most_of_control_plane
    would = f"maxControlPlane: {down} of {counted(len(there), 'node')} of the control plane would be down"
    if most is None:
        if down < len(there) or _are_named(there, nodes, context):
            return []
        allow = f"to allow it set maxControlPlane to {len(there)}"
        return [f"{would}, which is never done unless a guardrail says so: {allow}"]
    return [f"{would}, at most {most} may be"] if down > most else []


async def check_etcd(nodes: Sequence[Node], context: Context) -> list[str]:
    """`keepEtcdQuorum`: whether a majority of etcd's members stays Ready.

    Where nobody asks for that, the policy may name those that go exactly.
    """
    limits = context.settings.guardrails
    if not nodes or not limits.keeps_etcd_quorum:
        return []
    is_asked_for = limits.etcd_quorum is True
    try:
        listed = await context.cluster.list(PODS, namespace=_ETCD_NAMESPACE, label_selector=_ETCD_LABELS, type=Pod)
    except Forbidden as error:
        # Members are static pods of the control plane: nobody who stops others has to be let see them.
        if is_asked_for or any(CONTROL_PLANE_LABEL in (node.metadata.labels or {}) for node in nodes):
            return [f"keepEtcdQuorum: can't be checked: {error.message}"]
        return []
    members = [pod for pod in listed.items if not pod.is_finished]
    ready = [pod for pod in members if pod.is_ready and not _is_taken_down(pod.spec.node_name, context)]
    hit = {node.metadata.name for node in nodes}
    left, quorum = sum(pod.spec.node_name not in hit for pod in ready), len(members) // 2 + 1
    if left == len(ready) or left >= quorum:
        return []
    if not is_asked_for and hit.intersection(pod.spec.node_name for pod in members) <= context.named_nodes:
        return []
    would = f"{left} of {counted(len(members), 'member')} of etcd would be left Ready"
    allow = "" if is_asked_for else ": to allow it set keepEtcdQuorum to false"
    return [f"keepEtcdQuorum: {would}, its quorum is {quorum}{allow}"]


def _out_of_service(there: Sequence[Node], hit: Sequence[Node], context: Context) -> Collection[str]:
    """Which of these nodes would be out of service; none where the step hits none that still serves."""
    names = {node.metadata.name for node in hit}
    serving = {
        node.metadata.name for node in there if node.is_ready and not _is_taken_down(node.metadata.name, context)
    }
    if names.isdisjoint(serving):
        return ()
    return {node.metadata.name for node in there} - (serving - names)


def _are_named(there: Sequence[Node], hit: Sequence[Node], context: Context) -> bool:
    """Whether the policy names each of these nodes that is hit exactly."""
    names = {node.metadata.name for node in there} & {node.metadata.name for node in hit}
    return names <= context.named_nodes


def _is_taken_down(node: str, context: Context) -> bool:
    return context.scope.has_done(done_by_taking_down(node))


def _zone(node: Node) -> str:
    return (node.metadata.labels or {}).get(ZONE_LABEL, "")
