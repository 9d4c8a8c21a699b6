"""The node action `uncordon`: let pods be placed on the nodes again, as `kubectl uncordon` does.

It takes back a cordon of this scenario before its end, or one that somebody else has made. Clean-up goes through both
in reverse, so that each node ends as it was before the scenario.
"""

from seatrial.actions.created_objects import RUN_LABEL
from seatrial.actions.field_changes import change_fields
from seatrial.actions.field_differences import Object
from seatrial.actions.node_action_type import NodeActionType
from seatrial.actions.nodes.cordon import PERMISSIONS, done_by_cordon
from seatrial.kube.objects import Node
from seatrial.kube.resources import NODES
from seatrial.policy.base import Model
from seatrial.runtime.context import Context
from seatrial.runtime.events import FaultCleared, NodeUncordoned, ProofMissing
from seatrial.runtime.plan import ActionPlan
from seatrial.runtime.verdict import PASSED, Outcome, nothing_to_do
from seatrial.targets.nodes import NodeTarget


class Uncordon(Model):
    """Let pods be placed on the nodes again. Clean-up cordons those again that were cordoned before the scenario."""


async def run(spec: Uncordon, targets: tuple[NodeTarget, ...], context: Context) -> Outcome:  # noqa: ARG001 -- every action gets it
    """Uncordon the nodes."""
    ours = [await _uncordon(target, context) for target in targets]
    return PASSED if any(ours) else nothing_to_do("no node was cordoned")


async def plan(spec: Uncordon, targets: tuple[NodeTarget, ...], context: Context) -> ActionPlan:  # noqa: ARG001 -- every action gets them
    """Which nodes it would uncordon."""
    cordoned = [each.name for each in targets if each.node.spec.unschedulable]
    return ActionPlan(
        changes=tuple(f"uncordon node {name}, put back at clean-up" for name in cordoned),
        notes=tuple(f"node {each.name} is not cordoned" for each in targets if each.name not in cordoned),
    )


async def _uncordon(target: NodeTarget, context: Context) -> bool:
    """Uncordon one node; tells whether this scenario did so, now or before."""
    changes = await change_fields(
        NODES,
        target.name,
        _make_schedulable,
        context,
        description=f"cordon node {target.name} again",
        manual=f"kubectl cordon {target.name} && kubectl label node {target.name} {RUN_LABEL}-",
    )
    context.emit(NodeUncordoned(node=target.ref, already=not changes))
    done, cordoned = f"uncordon of node {target.name}", done_by_cordon(target.name)
    if changes:
        context.scope.did(done, instead_of=cordoned)
        await _see(cordoned, target, context)
    return context.scope.has_done(done)


def _make_schedulable(node: Object) -> None:
    node["spec"].pop("unschedulable", None)


async def _see(subject: str, target: NodeTarget, context: Context) -> None:
    found = await context.cluster.get(NODES, target.name, type=Node)
    if found.spec.unschedulable:
        context.emit(ProofMissing(subject=f"end of the {subject}", reason="somebody made it unschedulable again"))
    else:
        context.emit(FaultCleared(subject=subject, proof="the API server has it as schedulable"))


ACTION = NodeActionType(key="uncordon", model=Uncordon, run=run, plan=plan, permissions=PERMISSIONS)
