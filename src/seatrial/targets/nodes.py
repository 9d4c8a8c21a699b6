"""A node of the cluster with the machine under it: what node actions act on.

Machines that no node runs on are never hit. The node that Seatrial itself runs on is left out; with an inventory file,
so are the nodes that it doesn't name.
"""

from collections.abc import Mapping, Sequence

import msgspec

from seatrial.kube.errors import Forbidden, NotFound
from seatrial.kube.objects import ZONE_LABEL, Node, Pod
from seatrial.kube.resources import NODES, PODS
from seatrial.machines.driver import Machine, MachineState
from seatrial.machines.matching import Pairing, pair_machines
from seatrial.policy.wording import counted
from seatrial.runtime.context import Context
from seatrial.runtime.events import NodeRef

_ROLE_PREFIX = "node-role.kubernetes.io/"
# Where those who make nodes in groups write down which group it is.
_GROUP_LABELS = (
    "cloud.google.com/gke-nodepool",
    "eks.amazonaws.com/nodegroup",
    "karpenter.sh/nodepool",
    "kops.k8s.io/instancegroup",
    "kubernetes.azure.com/agentpool",
    "seatrial.io/group",
)


class NodeTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A node, and the machine under it; `problem` says why none is known, where somebody asked.

    `inventory_groups` are those of the inventory file.
    """

    node: Node
    machine: Machine | None = None
    problem: str = ""
    inventory_groups: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The node's name."""
        return self.node.metadata.name

    @property
    def ref(self) -> NodeRef:
        """The node as events name it."""
        return node_ref(self.node)

    @property
    def state(self) -> MachineState:
        """The machine's state; of a node without a known machine, UP while its kubelet reports, else UNKNOWN."""
        if self.machine is not None:
            return self.machine.state
        ready = next((each for each in self.node.status.conditions if each.type == "Ready"), None)
        reports = ready is not None and ready.status != "Unknown"
        return MachineState.UP if reports else MachineState.UNKNOWN

    @property
    def zone(self) -> str:
        """The availability zone, as the node's label or else the cloud says."""
        return self.ref.zone or (self.machine.zone if self.machine else "")

    @property
    def addresses(self) -> list[str]:
        """The addresses that the node and its machine have."""
        ours = [each.address for each in self.node.status.addresses if each.type in {"InternalIP", "ExternalIP"}]
        theirs = self.machine.addresses if self.machine else ()
        return list(dict.fromkeys([*ours, *theirs]))

    @property
    def groups(self) -> list[str]:
        """Roles, node pool, the cloud's groups and the inventory's."""
        labels = self.node.metadata.labels or {}
        roles = [key.removeprefix(_ROLE_PREFIX) for key in labels if key.startswith(_ROLE_PREFIX)]
        pools = [labels[key] for key in _GROUP_LABELS if key in labels]
        clouds = self.machine.groups if self.machine else ()
        return list(dict.fromkeys([*roles, *pools, *clouds, *self.inventory_groups]))


def node_ref(node: Node) -> NodeRef:
    """The node as events name it."""
    labels = node.metadata.labels or {}
    return NodeRef(name=node.metadata.name, uid=node.metadata.uid, zone=labels.get(ZONE_LABEL, ""))


async def list_targets(context: Context, *, needs_machines: bool) -> tuple[list[NodeTarget], list[str]]:
    """All nodes that may be hit, by name, and notes on what is left out; with their machines where that is needed.

    Raises:
        ClusterError: the API server refused or did not answer.
        MachineError: the cloud refused or did not answer.
    """
    listed = await context.cluster.list(NODES, type=Node)
    everything = sorted(listed.items, key=lambda node: node.metadata.name)
    # Paired with all nodes, so that a machine which two of them claim is seen to be in doubt.
    pairing = pair_machines(everything, await context.machines.list()) if needs_machines else None
    nodes, notes = await _without_own(everything, context)
    targets = [_target(node, pairing, context.settings.inventory) for node in nodes]
    if context.settings.inventory is not None:
        named = [target for target in targets if target.inventory_groups]
        if len(named) < len(targets):
            notes.append(f"{counted(len(targets) - len(named), 'node')} not in the inventory: left out")
        targets = named
    if pairing and pairing.unclaimed:
        notes.append(f"{counted(len(pairing.unclaimed), 'machine')} of the cloud without a node here: left alone")
    return targets, notes


async def pods_on(node: str, context: Context) -> list[Pod]:
    """The pods that are assigned to a node and have not ended."""
    listed = await context.cluster.list(PODS, field_selector=f"spec.nodeName={node}", type=Pod)
    return [pod for pod in listed.items if not pod.is_finished]


def _target(node: Node, pairing: Pairing | None, inventory: Mapping[str, Sequence[str]] | None) -> NodeTarget:
    name = node.metadata.name
    hosts = {name.lower(), *(each.address.lower() for each in node.status.addresses)}
    groups = tuple(group for group, members in (inventory or {}).items() if not hosts.isdisjoint(members))
    if pairing is None:
        return NodeTarget(node=node, inventory_groups=groups)
    machine, problem = pairing.machines.get(name), pairing.problems.get(name, "")
    return NodeTarget(node=node, machine=machine, problem=problem, inventory_groups=groups)


async def _without_own(nodes: Sequence[Node], context: Context) -> tuple[list[Node], list[str]]:
    """The nodes but the one that Seatrial itself runs on."""
    if not (context.identity.host_ip or context.identity.pod_name):
        return list(nodes), []
    address, name = await _own_node(context)
    others = [node for node in nodes if not (node.metadata.name == name or _has_address(node, address))]
    if len(others) < len(nodes):
        return others, ["the node that Seatrial itself runs on is left out"]
    return others, ["which node Seatrial itself runs on is not known: give its pod HOST_IP by the downward API"]


async def _own_node(context: Context) -> tuple[str, str]:
    """The address and the name of the node that Seatrial itself runs on, as far as they can be known."""
    identity = context.identity
    if identity.host_ip or not identity.pod_name:
        return identity.host_ip, ""
    try:
        pod = await context.cluster.get(PODS, identity.pod_name, namespace=identity.pod_namespace or None, type=Pod)
    except (NotFound, Forbidden):
        return "", ""
    return pod.status.host_ip, pod.spec.node_name


def _has_address(node: Node, address: str) -> bool:
    return bool(address) and any(each.address == address for each in node.status.addresses)
