"""A node of the cluster with the machine under it: what node actions act on.

Machines that no node runs on are hit only where the inventory is asked for from the cloud; then they are matched by the
cloud's own names, addresses, zones, groups and labels. The node or machine that Seatrial itself runs on is left out;
with an inventory file, so are those that it doesn't name.
"""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from seatrial.kube.errors import Forbidden, NotFound
from seatrial.kube.objects import ZONE_LABEL, Node, ObjectMeta, Pod
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
# Up to so many nodes are asked for their pods one by one; for more, all pods of the cluster are listed once.
_ASKED_ONE_BY_ONE = 5


class NodeTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A node, and the machine under it; `problem` says why none is known, where somebody asked.

    `inventory_groups` are those of the inventory file; None where there is none. Of a machine that no node runs on,
    `has_node` is False, and `node` stands in for one: it has the machine's name, id and labels.
    """

    node: Node
    machine: Machine | None = None
    problem: str = ""
    inventory_groups: tuple[str, ...] | None = None
    has_node: bool = True

    @property
    def name(self) -> str:
        """The node's name."""
        return self.node.metadata.name

    def __str__(self) -> str:
        return f"node {self.name}" if self.has_node else f"no node ({self.name})"

    @property
    def ref(self) -> NodeRef:
        """The node as events name it."""
        return NodeRef(name=self.name, uid=self.node.metadata.uid, zone=self.zone)

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
        return (self.node.metadata.labels or {}).get(ZONE_LABEL, "") or (self.machine.zone if self.machine else "")

    @property
    def addresses(self) -> list[str]:
        """The addresses that the node and its machine have."""
        ours = [each.address for each in self.node.status.addresses if each.type in {"InternalIP", "ExternalIP"}]
        theirs = self.machine.addresses if self.machine else ()
        return list(dict.fromkeys([*ours, *theirs]))

    @property
    def given_groups(self) -> list[str]:
        """The groups that somebody made: roles, node pool, the cloud's groups; with an inventory file its groups."""
        labels = self.node.metadata.labels or {}
        roles = [key.removeprefix(_ROLE_PREFIX) for key in labels if key.startswith(_ROLE_PREFIX)]
        pools = [labels[key] for key in _GROUP_LABELS if key in labels]
        clouds = self.machine.groups if self.machine else ()
        return list(dict.fromkeys([*roles, *pools, *clouds, *(self.inventory_groups or ())]))

    @property
    def groups(self) -> list[str]:
        """The groups that were given, and without an inventory file each label.

        A label is a group by `KEY=VALUE` and by its value alone, as in PowerfulSeal's inventory from Kubernetes.
        """
        if self.inventory_groups is not None:
            return self.given_groups
        labels = (self.node.metadata.labels or {}).items()
        by_label = [each for key, value in labels if value for each in (f"{key}={value}", value)]
        return list(dict.fromkeys([*self.given_groups, *by_label]))


def node_ref(node: Node) -> NodeRef:
    """The node as events name it."""
    labels = node.metadata.labels or {}
    return NodeRef(name=node.metadata.name, uid=node.metadata.uid, zone=labels.get(ZONE_LABEL, ""))


async def list_targets(context: Context, *, needs_machines: bool) -> tuple[list[NodeTarget], list[str]]:
    """All nodes that may be hit, by name, and notes on what is left out; with their machines where that is needed.

    Machines without a node follow them where the inventory comes from the cloud.

    Raises:
        ClusterError: the API server refused or did not answer.
        MachineError: the cloud refused or did not answer.
    """
    settings = context.settings
    listed = await context.cluster.list(NODES, type=Node)
    everything = sorted(listed.items, key=lambda node: node.metadata.name)
    asks = needs_machines or settings.inventory_cloud
    # Paired with all nodes, so that a machine which two of them claim is seen to be in doubt.
    pairing = pair_machines(everything, await context.machines.list()) if asks else Pairing(machines={}, problems={})
    strays = pairing.unclaimed if settings.inventory_cloud else ()
    targets = [_target(node, pairing, settings.inventory) for node in everything]
    targets += [_stray(machine, settings.inventory) for machine in strays]
    targets, notes = await _without_own(targets, context)
    if settings.inventory is not None:
        named = [target for target in targets if target.inventory_groups]
        if len(named) < len(targets):
            notes.append(f"{counted(len(targets) - len(named), 'node')} not in the inventory: left out")
        targets = named
    if settings.inventory_cloud and not await context.machines.capabilities():
        notes.append("--inventory-cloud: no cloud is configured whose machines could be matched")
    if pairing.unclaimed and not settings.inventory_cloud:
        machines = counted(len(pairing.unclaimed), "machine")
        notes.append(f"{machines} of the cloud without a node here: left alone (--inventory-cloud would match them)")
    return targets, notes


async def pods_on(node: str, context: Context) -> list[Pod]:
    """The pods that are assigned to a node and have not ended."""
    listed = await context.cluster.list(PODS, field_selector=f"spec.nodeName={node}", type=Pod)
    return [pod for pod in listed.items if not pod.is_finished]


async def pods_on_nodes(nodes: Collection[str], context: Context) -> list[Pod]:
    """The same for several nodes."""
    if len(nodes) <= _ASKED_ONE_BY_ONE:
        return [pod for node in nodes for pod in await pods_on(node, context)]
    listed = await context.cluster.list(PODS, type=Pod)
    return [pod for pod in listed.items if pod.spec.node_name in nodes and not pod.is_finished]


def _target(node: Node, pairing: Pairing, inventory: Mapping[str, Sequence[str]] | None) -> NodeTarget:
    name = node.metadata.name
    groups = groups_in({name, *(each.address for each in node.status.addresses)}, inventory)
    machine, problem = pairing.machines.get(name), pairing.problems.get(name, "")
    return NodeTarget(node=node, machine=machine, problem=problem, inventory_groups=groups)


def _stray(machine: Machine, inventory: Mapping[str, Sequence[str]] | None) -> NodeTarget:
    """A machine that no node runs on."""
    groups = groups_in({machine.name, *machine.addresses}, inventory)
    meta = ObjectMeta(name=machine.name or machine.id, uid=machine.id, labels=dict(machine.labels))
    return NodeTarget(node=Node(metadata=meta), machine=machine, inventory_groups=groups, has_node=False)


def groups_in(hosts: Collection[str], inventory: Mapping[str, Sequence[str]] | None) -> tuple[str, ...] | None:
    """The groups of an inventory file that one of these hosts is in; None without a file."""
    if inventory is None:
        return None
    known = {each.lower() for each in hosts}
    return tuple(group for group, members in inventory.items() if not known.isdisjoint(members))


async def _without_own(targets: Sequence[NodeTarget], context: Context) -> tuple[list[NodeTarget], list[str]]:
    """The nodes but the one that Seatrial itself runs on."""
    if not (context.identity.host_ip or context.identity.pod_name):
        return list(targets), []
    address, name = await _own_node(context)
    others = [each for each in targets if not _is_own(each, address=address, name=name)]
    if len(others) < len(targets):
        return others, ["the node that Seatrial itself runs on is left out"]
    return others, ["which node Seatrial itself runs on is not known: give its pod HOST_IP by the downward API"]


def _is_own(target: NodeTarget, *, address: str, name: str) -> bool:
    return (target.has_node and target.name == name) or address in target.addresses


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
