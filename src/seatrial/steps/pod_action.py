"""The step `podAction`: match pods, filter them, act on what is left."""

from dataclasses import replace
from typing import TYPE_CHECKING

from seatrial.actions.registry import pod_actions
from seatrial.kube.objects import Pod
from seatrial.policy.base import Model, OneKey, one_key
from seatrial.policy.scalars import FilledItems, Items
from seatrial.runtime.context import Context
from seatrial.runtime.plan import StepPlan
from seatrial.runtime.verdict import Outcome, combine, nothing_to_do
from seatrial.steps.retries import Retries, with_retries
from seatrial.steps.step_type import StepType
from seatrial.targets.filters import PodFilter
from seatrial.targets.impact import budget_impacts, missing_permissions, owner_impacts
from seatrial.targets.pods import PodMatcher, pod_ref
from seatrial.targets.selection import select_pods

if TYPE_CHECKING:
    PodActionChoice = OneKey
else:
    PodActionChoice = one_key(
        "PodActionChoice",
        {key: action.model for key, action in pod_actions().items()},
        doc="Does one thing to the pods.",
    )


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

    async def attempt(number: int) -> Outcome:
        return await _attempt(spec, context.at(where=replace(context.where, attempt=number)))

    return await with_retries(spec.retries, attempt, context.clock)


async def _attempt(spec: PodAction, context: Context) -> Outcome:
    selection = await select_pods(spec.matches, spec.filters, context)
    outcomes = []
    for index, chosen in enumerate(spec.actions):
        action = pod_actions()[chosen.key]
        if selection.pods or action.accepts_empty:
            here = context.at(where=replace(context.where, action=index))
            outcomes.append(await action.run(chosen.spec, selection.pods, here))
        elif not spec.empty_ok:
            outcomes.append(nothing_to_do(selection.empty_reason))
        if outcomes and outcomes[-1].ends_scenario:
            break
    return combine(outcomes)


async def plan(spec: PodAction, context: Context) -> StepPlan:
    """Which pods the step would choose, which of them it would disrupt, and what that means to others."""
    selection = await select_pods(spec.matches, spec.filters, context)
    victims: dict[str, Pod] = {}
    for index, chosen in enumerate(spec.actions):
        here = context.at(where=replace(context.where, action=index))
        hit = pod_actions()[chosen.key].victims(chosen.spec, selection.pods, here)
        victims.update((pod.metadata.uid, pod) for pod in hit)
    hit = list(victims.values())
    return StepPlan(
        summary=", then ".join(_in_words(chosen) for chosen in spec.actions),
        matched=selection.matched,
        notes=(selection.empty_reason,) if selection.empty_reason else selection.notes,
        targets=tuple(pod_ref(pod) for pod in selection.pods),
        victims=tuple(pod_ref(pod) for pod in hit),
        owners=await owner_impacts(hit, context.cluster),
        unowned=tuple(pod_ref(pod) for pod in hit if pod.metadata.controller is None),
        budgets=await budget_impacts(hit, context.cluster),
        missing_permissions=await missing_permissions(hit, context.cluster),
    )


def _in_words(chosen: OneKey) -> str:
    """An action with what was said of it: "kill (force)", "checkPodCount (count 0)"."""
    said = chosen.spec.model_dump(exclude_unset=True)
    words = [key if value is True else f"{key} {value}" for key, value in said.items() if value is not False]
    return f"{chosen.key} ({', '.join(words)})" if words else chosen.key


STEP = StepType(key="podAction", model=PodAction, run=run, plan=plan)
