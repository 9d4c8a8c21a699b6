"""The step `nodeAction`: match nodes, filter them, act on what is left.

As in `podAction`, before each action the step asks whether experiments are halted and whether the guardrails let it hit
what it is about to hit. Whether there is a way to the machines is asked before the first.
"""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Annotated, Any

from msgspec.structs import replace

from seatrial.actions.machine_needs import unmet_needs
from seatrial.actions.node_action_type import NodeActionType
from seatrial.actions.node_shell_pods import planned_pods
from seatrial.actions.registry import node_actions
from seatrial.kube.objects import Pod
from seatrial.policy.base import Model, OneKey
from seatrial.policy.key_tables import KeyTable
from seatrial.policy.scalars import FilledItems, Items
from seatrial.runtime.context import Context
from seatrial.runtime.plan import ActionPlan, StepPlan
from seatrial.runtime.verdict import Outcome, combine, not_carried_out, nothing_to_do
from seatrial.steps.planned_actions import each_once, in_words
from seatrial.steps.retries import Retries, with_retries
from seatrial.steps.step_type import StepType
from seatrial.targets.guardrails import guard_nodes, refuse
from seatrial.targets.impact import budget_impacts, owner_impacts
from seatrial.targets.node_selection import NodeFilter, NodeSelection, NodeTargetMatcher, select_nodes
from seatrial.targets.nodes import NodeTarget
from seatrial.targets.permissions import missing_in
from seatrial.targets.pods import pod_ref

if TYPE_CHECKING:
    NodeActionChoice = OneKey
else:
    NodeActionChoice = Annotated[
        Any,
        KeyTable("NodeActionChoice", node_actions(), lambda each: each.model, doc="Does one thing to the nodes."),
    ]


class NodeAction(Model):
    """Match nodes, filter them, and act on what is left."""

    matches: FilledItems[NodeTargetMatcher]
    """Which nodes: those of all matchers, each node once."""

    filters: Items[NodeFilter] = ()
    """Which of the matched nodes stay; filters apply in order, each to what the one before left."""

    actions: FilledItems[NodeActionChoice]
    """What to do, in order; each action is done to all nodes that are left."""

    retries: Retries | None = None
    """How often to try the whole step again (match, filter, act) before it fails; without it, never."""

    empty_ok: bool = False
    """Skip the step where no node is left, instead of calling the scenario inconclusive."""


async def run(spec: NodeAction, context: Context) -> Outcome:
    """Match nodes, filter them, and act on what is left; again where the policy asks for retries."""
    if unmet := await _unmet_needs(spec, context):
        return not_carried_out("; ".join(unmet))
    hit: dict[str, NodeTarget] = {}

    async def attempt(number: int) -> Outcome:
        return await _attempt(spec, context.at(where=replace(context.where, attempt=number)), hit)

    return await with_retries(spec.retries, attempt, context.clock, halt=context.halt)


async def _attempt(spec: NodeAction, context: Context, hit: dict[str, NodeTarget]) -> Outcome:
    """Try once; `hit` has the nodes that the step has disrupted so far, by their UIDs."""
    selection = await _select(spec, context)
    outcomes = []
    for index, chosen in enumerate(spec.actions):
        if selection.targets or node_actions()[chosen.key].accepts_empty:
            here = _at_action(index, selection, context)
            outcomes.append(await _act(chosen, selection.targets, here, hit))
        elif not spec.empty_ok:
            outcomes.append(nothing_to_do(selection.empty_reason))
        if outcomes and outcomes[-1].ends_scenario:
            break
    return combine(outcomes)


def _at_action(index: int, selection: NodeSelection, context: Context) -> Context:
    return replace(context, where=replace(context.where, action=index), named_nodes=selection.named)


async def _act(
    chosen: OneKey, targets: tuple[NodeTarget, ...], context: Context, hit: dict[str, NodeTarget]
) -> Outcome:
    await context.halt.check()
    action = node_actions()[chosen.key]
    if problem := _without_node(action, targets):
        return not_carried_out(problem)
    if reasons := await _reasons_to_refuse(action, chosen, targets, context, earlier=hit.values()):
        return refuse(reasons, context)
    if action.disrupts:
        hit.update((target.node.metadata.uid, target) for target in targets)
    return await action.run(chosen.spec, targets, context)


def _without_node(action: NodeActionType, targets: Iterable[NodeTarget]) -> str:
    """Why the action can't be carried out on machines that no node runs on; empty where it can, or there are none."""
    names = [target.name for target in targets if not target.has_node]
    if action.takes_machines or not names:
        return ""
    return f"{action.key} needs nodes, and these machines have none: {', '.join(names)}"


async def _reasons_to_refuse(
    action: NodeActionType,
    chosen: OneKey,
    targets: tuple[NodeTarget, ...],
    context: Context,
    *,
    earlier: Iterable[NodeTarget],
) -> tuple[str, ...]:
    """What the action's own guard says, and that the step as a whole hits too many nodes."""
    reasons = await action.guard(chosen.spec, targets, context)
    if not action.disrupts:
        return reasons
    together = {each.node.metadata.uid: each.node for each in (*earlier, *targets)}
    in_all = await guard_nodes(list(together.values()), context, disrupts_pods=False)
    return tuple(dict.fromkeys([*reasons, *in_all]))


async def _let_through(
    action: NodeActionType,
    chosen: OneKey,
    selection: NodeSelection,
    context: Context,
    *,
    earlier: Iterable[NodeTarget],
    held: Collection[str],
) -> tuple[str, ...]:
    """What guardrails would hold back were it not named exactly, such as the last node of a control plane.

    Who names a node knows its name, and maybe not what it is.
    """
    if not selection.named:
        return ()
    unnamed = replace(context, named_nodes=frozenset())
    reasons = await _reasons_to_refuse(action, chosen, selection.targets, unnamed, earlier=earlier)
    # A reason is the guardrail's name, the fact, and after a comma the limit.
    facts = [reason.partition(": ")[2].partition(",")[0] for reason in reasons if reason not in held]
    return tuple(f"{fact}: done all the same, for the nodes are named" for fact in facts)


async def plan(spec: NodeAction, context: Context) -> StepPlan:
    """Which nodes the step would choose, what it would do to them, and what that means to the pods on them."""
    summary = ", then ".join(in_words(chosen) for chosen in spec.actions)
    if unmet := await _unmet_needs(spec, context):
        return StepPlan(summary=summary, refused=unmet)
    selection = await _select(spec, context)
    victims: dict[str, Pod] = {}
    parts: list[ActionPlan] = []
    hit: dict[str, NodeTarget] = {}
    for index, chosen in enumerate(spec.actions if selection.targets else ()):
        action = node_actions()[chosen.key]
        here = _at_action(index, selection, context)
        if problem := _without_node(action, selection.targets):
            parts.append(ActionPlan(refused=(problem,)))
            continue
        refused = await _reasons_to_refuse(action, chosen, selection.targets, here, earlier=hit.values())
        missing = await missing_in(None, action.permissions, context.cluster)
        names = [target.name for target in selection.targets] if action.runs_commands else []
        parts += [
            ActionPlan(changes=planned_pods(names, context.executor), refused=refused, missing_permissions=missing),
            ActionPlan(notes=await _let_through(action, chosen, selection, here, earlier=hit.values(), held=refused)),
            await action.plan(chosen.spec, selection.targets, here),
        ]
        pods = await action.victims(chosen.spec, selection.targets, here)
        victims.update((pod.metadata.uid, pod) for pod in pods)
        hit.update((target.node.metadata.uid, target) for target in selection.targets if action.disrupts)
    pods = tuple(victims.values())
    return StepPlan(
        summary=summary,
        matched=selection.matched,
        kind="node",
        notes=each_once(
            [(selection.empty_reason,) if selection.empty_reason else selection.notes, *(each.notes for each in parts)]
        ),
        victims=tuple(pod_ref(pod) for pod in pods),
        owners=await owner_impacts(pods, context.cluster),
        unowned=tuple(pod_ref(pod) for pod in pods if pod.metadata.controller is None),
        budgets=await budget_impacts(pods, context.cluster),
        changes=each_once(each.changes for each in parts),
        nodes=tuple(target.name for target in selection.targets),
        refused=each_once(each.refused for each in parts),
        missing_permissions=each_once(each.missing_permissions for each in parts),
    )


async def _select(spec: NodeAction, context: Context) -> NodeSelection:
    needs_machines = any(node_actions()[chosen.key].capabilities(chosen.spec) for chosen in spec.actions)
    return await select_nodes(spec.matches, spec.filters, context, needs_machines=needs_machines)


async def _unmet_needs(spec: NodeAction, context: Context) -> tuple[str, ...]:
    actions = [(node_actions()[chosen.key], chosen.spec) for chosen in spec.actions]
    capabilities = [each for action, given in actions for each in action.capabilities(given)]
    return await unmet_needs(context, capabilities, runs_commands=any(action.runs_commands for action, _ in actions))


STEP = StepType(key="nodeAction", model=NodeAction, run=run, plan=plan, unmet_needs=_unmet_needs)
