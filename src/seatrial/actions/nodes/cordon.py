"""The node action `cordon`: let no more pods be placed on the nodes, as `kubectl cordon` does."""

from seatrial.actions.created_objects import RUN_LABEL
from seatrial.actions.field_changes import change_fields
from seatrial.actions.field_differences import Object
from seatrial.actions.node_action_type import NodeActionType
from seatrial.kube.objects import Node
from seatrial.kube.resources import NODES
from seatrial.policy.base import Model
from seatrial.runtime.context import Context
from seatrial.runtime.events import FaultProven, NodeCordoned, ProofMissing
from seatrial.runtime.plan import ActionPlan
from seatrial.runtime.verdict import PASSED, Outcome, nothing_to_do
from seatrial.targets.guardrails import Reasons, guard_nodes
from seatrial.targets.nodes import NodeTarget
from seatrial.targets.permissions import Permission

PERMISSIONS = (Permission("get", NODES), Permission("patch", NODES))


class Cordon(Model):
    """Let no more pods be placed on the nodes; those that are there stay. Clean-up lets pods in again."""


async def run(spec: Cordon, targets: tuple[NodeTarget, ...], context: Context) -> Outcome:  # noqa: ARG001 -- every action gets it
    """Cordon the nodes."""
    ours = [await cordon(target, context) for target in targets]
    return PASSED if any(ours) else nothing_to_do("every node was cordoned already")


async def cordon(target: NodeTarget, context: Context) -> bool:
    """Cordon one node; tells whether this scenario did so, now or before, in which case clean-up uncordons it.

    Raises:
        ClusterError: the API server refused, or another run is at work on the node.
    """
    changes = await change_fields(
        NODES,
        target.name,
        _make_unschedulable,
        context,
        description=f"uncordon node {target.name}",
        manual=f"kubectl uncordon {target.name} && kubectl label node {target.name} {RUN_LABEL}-",
    )
    context.emit(NodeCordoned(node=target.ref, already=not changes))
    done = done_by_cordon(target.name)
    if changes:
        context.scope.did(done, instead_of=f"un{done}")
        await _prove(done, target, context)
    return context.scope.has_done(done)


def done_by_cordon(node: str) -> str:
    """What a scenario remembers of having cordoned a node."""
    return f"cordon of node {node}"


async def guard(spec: Cordon, targets: tuple[NodeTarget, ...], context: Context) -> Reasons:  # noqa: ARG001 -- every action gets it
    """No pod is disrupted, but the nodes count."""
    return await guard_nodes([target.node for target in targets], context, disrupts_pods=False)


async def plan(spec: Cordon, targets: tuple[NodeTarget, ...], context: Context) -> ActionPlan:  # noqa: ARG001 -- every action gets them
    """Which nodes it would cordon."""
    return plan_cordon(targets)


def plan_cordon(targets: tuple[NodeTarget, ...]) -> ActionPlan:
    """Which of the nodes would be cordoned, and which are already."""
    already = [each.name for each in targets if each.node.spec.unschedulable]
    return ActionPlan(
        changes=tuple(f"cordon node {each.name}" for each in targets if each.name not in already),
        notes=tuple(f"node {name} is cordoned already, and stays so" for name in already),
    )


def _make_unschedulable(node: Object) -> None:
    node["spec"]["unschedulable"] = True


async def _prove(subject: str, target: NodeTarget, context: Context) -> None:
    found = await context.cluster.get(NODES, target.name, type=Node)
    if found.spec.unschedulable:
        context.emit(FaultProven(subject=subject, proof="the API server has it as unschedulable"))
    else:
        context.emit(ProofMissing(subject=subject, reason="somebody made it schedulable again"))


ACTION = NodeActionType(
    key="cordon", model=Cordon, run=run, guard=guard, plan=plan, disrupts=True, permissions=PERMISSIONS
)
