"""The node action `taint`: keep pods away from the nodes, or drive them off, unless they tolerate it."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from seatrial.actions.created_objects import RUN_LABEL
from seatrial.actions.field_changes import change_fields
from seatrial.actions.field_differences import Object
from seatrial.actions.node_action_type import NodeActionType
from seatrial.kube.objects import Node, Pod, Toleration
from seatrial.kube.resources import NODES
from seatrial.policy.base import Model
from seatrial.runtime.context import Context
from seatrial.runtime.events import FaultProven, NodeTainted, ProofMissing
from seatrial.runtime.plan import ActionPlan
from seatrial.runtime.verdict import PASSED, Outcome, nothing_to_do
from seatrial.targets.guardrails import Reasons, guard_nodes
from seatrial.targets.nodes import NodeTarget, pods_on
from seatrial.targets.permissions import Permission


class Taint(Model):
    """Put a taint on the nodes. Clean-up takes it away again, or gives it back the value that it had."""

    key: Annotated[str, Field(min_length=1)]
    """The taint's key."""

    value: str = ""
    """The taint's value."""

    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]
    """What happens to pods that don't tolerate it: none is placed there, none if it can be helped,
    or those that are there are evicted, too (by the cluster, which asks no PodDisruptionBudget)."""

    def __str__(self) -> str:
        return f"{self.key}{'=' if self.value else ''}{self.value}:{self.effect}"


async def run(spec: Taint, targets: tuple[NodeTarget, ...], context: Context) -> Outcome:
    """Taint the nodes."""
    ours = [await _taint(spec, target, context) for target in targets]
    return PASSED if any(ours) else nothing_to_do(f"every node had the taint {spec} already")


async def victims(spec: Taint, targets: tuple[NodeTarget, ...], context: Context) -> Sequence[Pod]:
    """With NoExecute, the pods that don't tolerate it for ever."""
    if spec.effect != "NoExecute":
        return ()
    pods = [pod for target in targets for pod in await pods_on(target.name, context)]
    return [pod for pod in pods if not any(_tolerates(each, spec) for each in pod.spec.tolerations)]


async def guard(spec: Taint, targets: tuple[NodeTarget, ...], context: Context) -> Reasons:
    """With NoExecute, what runs on the nodes may be lost to its owners and budgets."""
    nodes = [target.node for target in targets]
    return await guard_nodes(nodes, context, disrupts_pods=spec.effect == "NoExecute", takes_down=False)


async def plan(spec: Taint, targets: tuple[NodeTarget, ...], context: Context) -> ActionPlan:  # noqa: ARG001 -- every action gets it
    """Which nodes it would taint."""
    already = [each.name for each in targets if _has(each.node, spec)]
    return ActionPlan(
        changes=tuple(f"taint node {each.name} with {spec}" for each in targets if each.name not in already),
        notes=tuple(f"node {name} has the taint {spec} already, and keeps it" for name in already),
    )


async def _taint(spec: Taint, target: NodeTarget, context: Context) -> bool:
    """Taint one node; tells whether this scenario did so, now or before."""

    def put(node: Object) -> None:
        others = [each for each in node["spec"].get("taints") or [] if not _is_the_same(each, spec)]
        wanted = {"key": spec.key, "effect": spec.effect, **({"value": spec.value} if spec.value else {})}
        found = [each for each in node["spec"].get("taints") or [] if _is_the_same(each, spec)]
        if not found or found[0].get("value", "") != spec.value:
            node["spec"]["taints"] = [*others, wanted]

    changes = await change_fields(
        NODES,
        target.name,
        put,
        context,
        description=f"take the taint {spec} off node {target.name}",
        manual=(
            f"kubectl taint node {target.name} {spec.key}:{spec.effect}-"
            f" && kubectl label node {target.name} {RUN_LABEL}-"
        ),
    )
    context.emit(NodeTainted(node=target.ref, taint=str(spec), already=not changes))
    done = f"taint {spec} of node {target.name}"
    if changes:
        context.scope.did(done)
        await _prove(done, spec, target, context)
    return context.scope.has_done(done)


async def _prove(subject: str, spec: Taint, target: NodeTarget, context: Context) -> None:
    if _has(await context.cluster.get(NODES, target.name, type=Node), spec):
        context.emit(FaultProven(subject=subject, proof="the API server has the node with it"))
    else:
        context.emit(ProofMissing(subject=subject, reason="somebody took it off again"))


def _is_the_same(taint: dict[str, Any], spec: Taint) -> bool:
    """A node has one taint of each key and effect."""
    return bool(taint.get("key") == spec.key and taint.get("effect") == spec.effect)


def _has(node: Node, spec: Taint) -> bool:
    return any((each.key, each.value, each.effect) == (spec.key, spec.value, spec.effect) for each in node.spec.taints)


def _tolerates(toleration: Toleration, spec: Taint) -> bool:
    """Whether a pod with this toleration may stay for ever; an empty key with Exists tolerates everything."""
    if toleration.toleration_seconds is not None or toleration.effect not in {"", spec.effect}:
        return False
    if toleration.operator == "Exists":
        return toleration.key in {"", spec.key}
    return (toleration.key, toleration.value) == (spec.key, spec.value)


ACTION = NodeActionType(
    key="taint",
    model=Taint,
    run=run,
    guard=guard,
    victims=victims,
    plan=plan,
    disrupts=True,
    permissions=(Permission("get", NODES), Permission("patch", NODES)),
)
