"""The step `podAction`: match pods, filter them, act on what is left.

Before each action the step asks whether experiments are halted and whether the guardrails let it hit what it is about
to hit; in between, no other code of a run decides about victims.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Annotated, Any

from msgspec.structs import replace

from seatrial.actions.action_type import ActionType
from seatrial.actions.registry import pod_actions
from seatrial.kube.objects import Pod
from seatrial.policy.base import Model, OneKey
from seatrial.policy.key_tables import KeyTable
from seatrial.policy.scalars import FilledItems, Items
from seatrial.runtime.context import Context
from seatrial.runtime.plan import ActionPlan, StepPlan
from seatrial.runtime.verdict import Outcome, combine, nothing_to_do
from seatrial.steps.planned_actions import each_once, in_words
from seatrial.steps.retries import Retries, with_retries
from seatrial.steps.step_type import StepType
from seatrial.targets.filters import PodFilter
from seatrial.targets.guardrails import Reasons, guard_pods, needs_status, refuse
from seatrial.targets.impact import budget_impacts, owner_impacts
from seatrial.targets.permissions import missing_permissions
from seatrial.targets.pods import PodMatcher, named_namespaces, pod_ref
from seatrial.targets.selection import select_pods

if TYPE_CHECKING:
    PodActionChoice = OneKey
else:
    PodActionChoice = Annotated[
        Any,
        KeyTable("PodActionChoice", pod_actions(), lambda each: each.model, doc="Does one thing to the pods."),
    ]


class PodAction(Model):
    """Match pods, filter them, and act on what is left."""

    matches: FilledItems[PodMatcher]
    """Which pods: the pods of all matchers, each pod once."""

    filters: Items[PodFilter] = ()
    """Which of the matched pods stay; filters apply in order, each to what the one before left."""

    actions: FilledItems[PodActionChoice]
    """What to do, in order; each action is done to all pods that are left."""

    retries: Retries | None = None
    """How often to try the whole step again (match, filter, act) before it fails; without it, never."""

    empty_ok: bool = False
    """Skip the step where no pod is left, instead of calling the scenario inconclusive."""


async def run(spec: PodAction, context: Context) -> Outcome:
    """Match pods, filter them, and act on what is left; again where the policy asks for retries."""
    hit: set[str] = set()

    async def attempt(number: int) -> Outcome:
        return await _attempt(spec, context.at(where=replace(context.where, attempt=number)), hit)

    return await with_retries(spec.retries, attempt, context.clock, halt=context.halt)


async def _attempt(spec: PodAction, context: Context, hit: set[str]) -> Outcome:
    """Try once; `hit` has the UIDs of the pods that the step has disrupted so far."""
    metadata_only = not (_reads_status(spec) or needs_status(context.settings.guardrails))
    selection = await select_pods(spec.matches, spec.filters, context, metadata_only=metadata_only)
    outcomes = []
    for index, chosen in enumerate(spec.actions):
        if selection.pods or pod_actions()[chosen.key].accepts_empty:
            here = context.at(where=replace(context.where, action=index))
            outcomes.append(await _act(spec, chosen, selection.pods, here, hit))
        elif not spec.empty_ok:
            outcomes.append(nothing_to_do(selection.empty_reason))
        if outcomes and outcomes[-1].ends_scenario:
            break
    return combine(outcomes)


async def _act(spec: PodAction, chosen: OneKey, pods: tuple[Pod, ...], context: Context, hit: set[str]) -> Outcome:
    await context.halt.check()
    action = pod_actions()[chosen.key]
    victims = action.victims(chosen.spec, pods, context)
    if reasons := await _reasons_to_refuse(spec, action, victims, context, earlier=hit):
        return refuse(reasons, context)
    hit.update(pod.metadata.uid for pod in victims)
    return await action.run(chosen.spec, pods, context)


async def _reasons_to_refuse(
    spec: PodAction, action: ActionType, victims: Sequence[Pod], context: Context, *, earlier: AbstractSet[str]
) -> Reasons:
    return await guard_pods(
        victims,
        context,
        named=named_namespaces(spec.matches, context.failed),
        earlier=earlier,
        honours_budgets=action.honours_budgets,
    )


async def plan(spec: PodAction, context: Context) -> StepPlan:
    """Which pods the step would choose, which of them it would disrupt, and what that means to others."""
    selection = await select_pods(spec.matches, spec.filters, context)
    victims: dict[str, Pod] = {}
    unasked: dict[str, Pod] = {}  # whose budgets nobody will ask
    parts: list[ActionPlan] = []
    for index, chosen in enumerate(spec.actions if selection.pods else ()):
        action = pod_actions()[chosen.key]
        here = context.at(where=replace(context.where, action=index))
        hit = action.victims(chosen.spec, selection.pods, here)
        refused = await _reasons_to_refuse(spec, action, hit, here, earlier=victims.keys())
        missing = await missing_permissions(selection.pods, context.cluster, needed=action.permissions)
        parts += [
            ActionPlan(refused=refused, missing_permissions=missing),
            await action.plan(chosen.spec, selection.pods, here),
        ]
        victims.update((pod.metadata.uid, pod) for pod in hit)
        unasked.update((pod.metadata.uid, pod) for pod in hit if not action.honours_budgets)
    hit = tuple(victims.values())
    return StepPlan(
        summary=", then ".join(in_words(chosen) for chosen in spec.actions),
        matched=selection.matched,
        notes=each_once(
            [(selection.empty_reason,) if selection.empty_reason else selection.notes, *(each.notes for each in parts)]
        ),
        targets=tuple(pod_ref(pod) for pod in selection.pods),
        victims=tuple(pod_ref(pod) for pod in hit),
        owners=await owner_impacts(hit, context.cluster),
        unowned=tuple(pod_ref(pod) for pod in hit if pod.metadata.controller is None),
        budgets=await budget_impacts(unasked.values(), context.cluster),
        changes=each_once(each.changes for each in parts),
        nodes=each_once(each.nodes for each in parts),
        refused=each_once(each.refused for each in parts),
        missing_permissions=each_once(each.missing_permissions for each in parts),
    )


async def _unmet_needs(spec: PodAction, context: Context) -> tuple[str, ...]:
    return each_once([await pod_actions()[chosen.key].unmet_needs(chosen.spec, context) for chosen in spec.actions])


def _reads_status(spec: PodAction) -> bool:
    return any(pod_actions()[chosen.key].reads_status for chosen in spec.actions)


STEP = StepType(key="podAction", model=PodAction, run=run, plan=plan, unmet_needs=_unmet_needs)
