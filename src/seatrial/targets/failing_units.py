"""What may fail of itself at a moment: the nodes and pods that a policy's `failures` name and that are up.

A node that is down or a pod that has ended does not fail again; a pod that no node runs has not begun to live. Whether
a node is up says its machine where a matcher has the cloud asked, else whether its kubelet reports.
"""

from collections.abc import Sequence
from typing import cast

import msgspec
from msgspec.structs import replace

from seatrial.kube.objects import ZONE_LABEL, PartialObject
from seatrial.kube.resources import NODES
from seatrial.machines.driver import MachineState
from seatrial.policy.failures import Failure
from seatrial.runtime.context import Context
from seatrial.runtime.events import EventStream, PodRef
from seatrial.runtime.failed_units import FailedUnits
from seatrial.targets.node_selection import NodeTargetMatcher, select_nodes
from seatrial.targets.pods import PodMatcher, named_namespaces, pod_ref
from seatrial.targets.selection import select_pods


class Unit(msgspec.Struct, frozen=True):
    """One that may fail, by its name.

    `pod` is the very pod where it is one; `is_named` tells of a node whether a matcher names it exactly.
    """

    name: str
    zone: str = ""
    pod: PodRef | None = None
    is_named: bool = False


class Units(msgspec.Struct, frozen=True, kw_only=True):
    """All of one kind that may fail, in the order of their names; `empty_reason` where there are none."""

    units: tuple[Unit, ...]
    empty_reason: str = ""


async def list_units(kind: Failure, context: Context) -> Units:
    """Look which may fail; nobody is told of it.

    Raises:
        ClusterError: the API server refused or did not answer.
        MachineError: a matcher asks for what only the cloud knows, which refused or did not answer.
    """
    unheard = replace(context, events=EventStream(context.clock))
    return await (_nodes(_node_matchers(kind), unheard) if kind.nodes else _pods(_pod_matchers(kind), unheard))


def failed_units(kind: Failure, units: Sequence[Unit]) -> FailedUnits:
    """What a scenario is told of the units that fail."""
    if kind.nodes:
        named = frozenset(unit.name for unit in units if unit.is_named)
        return FailedUnits(kind="node", nodes=tuple(unit.name for unit in units), named=named)
    pods = tuple(unit.pod for unit in units if unit.pod is not None)
    return FailedUnits(kind="pod", pods=pods, named=named_namespaces(_pod_matchers(kind)))


def _node_matchers(kind: Failure) -> Sequence[NodeTargetMatcher]:
    """The model of a whole policy (`steps.registry`) has put these in."""
    return cast("Sequence[NodeTargetMatcher]", kind.nodes)


def _pod_matchers(kind: Failure) -> Sequence[PodMatcher]:
    return cast("Sequence[PodMatcher]", kind.pods)


async def _nodes(matchers: Sequence[NodeTargetMatcher], context: Context) -> Units:
    found = await select_nodes(matchers, (), context)
    up = [target for target in found.targets if target.state is MachineState.UP]
    reason = found.empty_reason or ("" if up else f"none of {len(found.targets)} matched nodes is up")
    units = (Unit(target.name, target.zone, is_named=target.name in found.named) for target in up)
    return Units(units=tuple(units), empty_reason=reason)


async def _pods(matchers: Sequence[PodMatcher], context: Context) -> Units:
    found = await select_pods(matchers, (), context)
    alive = [pod for pod in found.pods if pod.spec.node_name and not (pod.is_finished or pod.is_terminating)]
    reason = found.empty_reason or ("" if alive else f"none of {len(found.pods)} matched pods is alive")
    nodes = await context.cluster.list(NODES, type=PartialObject, metadata_only=True)
    zones = {node.metadata.name: (node.metadata.labels or {}).get(ZONE_LABEL, "") for node in nodes.items}
    units = (Unit(str(pod_ref(pod)), zones.get(pod.spec.node_name, ""), pod_ref(pod)) for pod in alive)
    return Units(units=tuple(units), empty_reason=reason)
