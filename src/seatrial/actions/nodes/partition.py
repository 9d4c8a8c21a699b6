"""The node action `partition`: cut machines off from the API server, from other nodes, or from everything.

To the cluster such a machine looks gone, while it lives on and its pods with it: what they do to each other then is
what a partition is about. `machine_partitions` has how it is done and undone.
"""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from pydantic import Field

from seatrial.actions.machine_partitions import MOST_SECONDS, cut_off
from seatrial.actions.node_action_type import NodeActionType
from seatrial.actions.parallel import in_parallel
from seatrial.actions.partition_peers import EVERYBODY, Peers, other_nodes, the_api_server
from seatrial.kube.objects import Pod
from seatrial.kube.resources import NODES, PODS
from seatrial.policy.base import Model, OneKey, option
from seatrial.policy.scalars import FilledItems, Integer
from seatrial.runtime.context import Context
from seatrial.runtime.plan import ActionPlan
from seatrial.runtime.verdict import Outcome, combine, nothing_to_do
from seatrial.targets.guardrails import Reasons, guard_nodes
from seatrial.targets.node_selection import NodeTargetMatcher
from seatrial.targets.nodes import NodeTarget, pods_on
from seatrial.targets.permissions import Permission


class FromApiServer(Model):
    """The cluster's API server, at its port, for the machine and its pods.

    Connections that the API server itself makes to the machine, as for `kubectl exec`, still get there.
    """


class FromNodes(Model):
    """Other nodes with the pods on them, in both directions, at all ports."""

    matches: FilledItems[NodeTargetMatcher]
    """Which nodes: those of all matchers. A machine is never cut off from itself."""


class FromEverything(Model):
    """All others, in both directions.

    Only the way of the SSH connection by which the command comes stays open. Where commands come by another way, the
    machine is out of reach until its timer ends the partition.
    """


class NodePartitionFrom(OneKey):
    """What machines are parted from."""

    api_server: FromApiServer = option()
    """The API server."""

    nodes: FromNodes = option()
    """Other nodes."""

    everything: FromEverything = option()
    """All others."""


class NodePartition(Model):
    """Cut the machines under the nodes off by their own firewalls (nftables or iptables), until clean-up."""

    from_: NodePartitionFrom = Field(alias="from")
    """What they are cut off from."""

    expires_after: Annotated[Integer, Field(ge=1, le=MOST_SECONDS)]
    """After how many seconds the partition ends by itself: a timer on each machine, started before it is cut off, ends
    it even where Seatrial or the way to the machine is gone. Give a little more than the scenario takes. Clean-up ends
    it at once, or waits for the timer where it can't reach the machine."""


async def run(spec: NodePartition, targets: tuple[NodeTarget, ...], context: Context) -> Outcome:
    """Cut the machines off."""
    cut = partial(_cut_off, spec=spec, context=context)
    return combine(await in_parallel(targets, cut, most=context.settings.max_parallel))


async def victims(spec: NodePartition, targets: tuple[NodeTarget, ...], context: Context) -> Sequence[Pod]:  # noqa: ARG001 -- every action gets it
    """What runs on the machines is cut off with them, and may be replaced elsewhere."""
    return [pod for target in targets for pod in await pods_on(target.name, context)]


async def guard(spec: NodePartition, targets: tuple[NodeTarget, ...], context: Context) -> Reasons:  # noqa: ARG001 -- every action gets it
    """What runs on the machines counts as lost to its owners and budgets."""
    return await guard_nodes([target.node for target in targets], context)


async def plan(spec: NodePartition, targets: tuple[NodeTarget, ...], context: Context) -> ActionPlan:
    """Which machines would be cut off from what."""
    changes, notes = [], []
    for target in targets:
        peers = await _peers(spec, target, context)
        if peers.nobody:
            notes.append(peers.nobody)
            continue
        changes.append(
            f"cut node {target.name} off from {peers.in_words} by its firewall, until clean-up or for"
            f" {spec.expires_after} s"
        )
        notes += _notes(spec, peers)
    return ActionPlan(changes=tuple(changes), notes=tuple(dict.fromkeys(notes)))


async def _cut_off(target: NodeTarget, *, spec: NodePartition, context: Context) -> Outcome:
    peers = await _peers(spec, target, context)
    if peers.nobody:
        return nothing_to_do(peers.nobody)
    return await cut_off(target, peers, context, expires_after=spec.expires_after)


async def _peers(spec: NodePartition, target: NodeTarget, context: Context) -> Peers:
    match spec.from_.spec:
        case FromNodes(matches=matches):
            return await other_nodes(matches, target, context)
        case FromEverything():
            return EVERYBODY
    return await the_api_server(context)


def _notes(spec: NodePartition, peers: Peers) -> list[str]:
    notes = ["network plugins that bypass the machine's firewall (eBPF) may carry its pods' traffic on"]
    if peers.silences:
        notes.append(
            f"where clean-up can't reach a machine it waits for its timer, {spec.expires_after} s from the start"
        )
    return notes


ACTION = NodeActionType(
    key="partition",
    model=NodePartition,
    run=run,
    guard=guard,
    victims=victims,
    plan=plan,
    runs_commands=True,
    disrupts=True,
    permissions=(Permission("watch", NODES), Permission("list", PODS)),
)
