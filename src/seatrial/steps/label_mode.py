"""The step `labelMode`: kill the pods that ask for it by their labels.

`seatrial label` runs a policy of this one step, round after round.
"""

from collections import Counter
from zoneinfo import ZoneInfo

from seatrial.actions.pods.kill import kill_pods, plan_kills, unmet_kill_needs
from seatrial.policy.base import Model
from seatrial.policy.scalars import FilledItems
from seatrial.policy.times import Timezone
from seatrial.runtime.context import Context
from seatrial.runtime.events import PodSpared, TargetsChosen, TargetsFiltered
from seatrial.runtime.plan import StepPlan
from seatrial.runtime.verdict import Outcome, nothing_to_do
from seatrial.steps.step_type import StepType
from seatrial.targets.impact import budget_impacts, owner_impacts
from seatrial.targets.labelled_pods import Choice, choose_labelled
from seatrial.targets.pod_matchers.reader import in_words
from seatrial.targets.pods import pod_ref
from seatrial.targets.seal_labels import ENABLED


class LabelMode(Model):
    """Kill the pods that ask for it by their own labels or annotations (`seal/enabled: "true"`), in their own hours."""

    namespaces: FilledItems[str] = ("default",)
    """Where to look; `*` or an empty string: everywhere; a glob such as `team-*` matches whole names."""

    timezone: Timezone | None = None
    """The IANA name of the timezone that the pods' days and times are meant in, such as `Europe/Vienna`;
    without it, the local time of the machine that Seatrial runs on."""


async def run(spec: LabelMode, context: Context) -> Outcome:
    """Kill the pods that are due, and tell of each other one that asked why it lives on."""
    choice = await _choose(spec, context)
    if choice.asked:
        note = "; ".join(choice.notes)
        context.emit(TargetsFiltered(filter="seal labels", before=choice.asked, after=len(choice.due), note=note))
    context.emit(TargetsChosen(pods=tuple(pod_ref(pod) for pod in choice.due), matched=choice.asked))
    for each in choice.spared:
        context.emit(PodSpared(pod=pod_ref(each.pod), reason=each.reason))
    if not choice.due:
        return nothing_to_do(_why_none(spec, choice))
    await context.halt.check()
    return await kill_pods(choice.due, context, at_once=choice.is_at_once)


async def plan(spec: LabelMode, context: Context) -> StepPlan:
    """Which pods would be killed at this moment, and why others would not."""
    choice = await _choose(spec, context)
    victims = choice.due
    kills = await plan_kills(victims, context)
    return StepPlan(
        summary="kill the pods that ask for it by their labels",
        matched=choice.asked,
        notes=(
            *([] if victims else [_why_none(spec, choice)]),
            *choice.notes,
            *kills.notes,
            *(f"{pod_ref(each.pod)} is left alone: {each.reason}" for each in choice.spared),
        ),
        targets=tuple(pod_ref(pod) for pod in victims),
        victims=tuple(pod_ref(pod) for pod in victims),
        owners=await owner_impacts(victims, context.cluster),
        unowned=tuple(pod_ref(pod) for pod in victims if pod.metadata.controller is None),
        budgets=await budget_impacts(victims, context.cluster),
        changes=kills.changes,
        refused=kills.refused,
        missing_permissions=kills.missing_permissions,
    )


async def _choose(spec: LabelMode, context: Context) -> Choice:
    zone = ZoneInfo(spec.timezone) if spec.timezone else None
    return await choose_labelled(spec.namespaces, zone, context)


def _why_none(spec: LabelMode, choice: Choice) -> str:
    if not choice.spared:
        where = " or ".join(in_words(each) for each in spec.namespaces)
        why = f": {'; '.join(choice.notes)}" if choice.notes else ""
        return f"no pod in {where} has the label or annotation {ENABLED}=true{why}"
    reasons = Counter(each.reason for each in choice.spared).most_common(3)
    told = "; ".join(f"{count} of {choice.asked}: {reason}" for reason, count in reasons)
    return f"no pod is due ({told})"


async def _unmet_needs(_spec: LabelMode, context: Context) -> tuple[str, ...]:
    return await unmet_kill_needs(context)


STEP = StepType(key="labelMode", model=LabelMode, run=run, plan=plan, unmet_needs=_unmet_needs)
