"""What belongs to a thing and is not in it: its events, its owners, its budgets, the Services before it.

What may not be read is told as a fact that is not known; nothing is quietly left out.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from seatrial.by_hand.live.events import LiveEvent
from seatrial.by_hand.live.services import LiveService
from seatrial.errors import ClusterError
from seatrial.kube.client import Client
from seatrial.kube.objects import Condition, ObjectMeta, OwnerReference, PartialObject, PodDisruptionBudget
from seatrial.kube.resources import EVENTS, PODDISRUPTIONBUDGETS, SERVICES
from seatrial.kube.selectors import LabelSelector
from seatrial.policy.wording import counted
from seatrial.runtime.plan import BudgetImpact, OwnerImpact
from seatrial.shell.ages import age_seconds, age_text
from seatrial.shell.describing.account import Fact, known
from seatrial.shell.states import BAD, CHANGING

_MOST_EVENTS = 12
_MOST_OWNERS = 5


async def event_facts(kind: str, meta: ObjectMeta, cluster: Client, *, now: datetime) -> list[Fact]:
    """The latest events about an object, oldest first."""
    # Of a node, kubelets write the name where others write the UID.
    which = f"involvedObject.uid={meta.uid}" if kind != "Node" else f"involvedObject.name={meta.name}"
    selector = f"involvedObject.kind={kind},{which}"
    namespace = meta.namespace or None
    listed = await known(cluster.list(EVENTS, namespace=namespace, field_selector=selector, type=LiveEvent))
    if isinstance(listed, Fact):
        return [listed]
    ordered = sorted(listed.items, key=lambda event: _order(event, now))
    return [_event_fact(event, now) for event in ordered[-_MOST_EVENTS:]]


def _order(event: LiveEvent, now: datetime) -> tuple[datetime, int]:
    """When it was seen last, in whole seconds, since some components know no others; within one, as it was written."""
    version = int(event.version) if event.version.isdecimal() else 0
    return (event.last or now).replace(microsecond=0), version


def _event_fact(event: LiveEvent, now: datetime) -> Fact:
    times = f" ({event.count} times)" if event.count > 1 else ""
    age = age_text(age_seconds(event.last, now=now))
    style = CHANGING if event.type == "Warning" else ""
    return Fact(f"{age} ago" if age else "", f"{event.reason}: {event.message.strip()}{times}", style)


async def owner_chain(meta: ObjectMeta, cluster: Client) -> Sequence[OwnerReference]:
    """Who manages an object, who manages that, and so on, as far as it can be seen."""
    chain: list[OwnerReference] = []
    owner = meta.controller
    while owner is not None and len(chain) < _MOST_OWNERS:
        chain.append(owner)
        try:
            resource = await cluster.resource_for(owner.api_version, owner.kind)
            above = await cluster.get(resource, owner.name, namespace=meta.namespace or None, type=PartialObject)
        except ClusterError:
            break
        owner = above.metadata.controller
    return chain


async def budget_facts(labels: Mapping[str, str] | None, namespace: str, cluster: Client) -> list[Fact]:
    """The PodDisruptionBudgets of pods with these labels, and what each allows at this moment."""
    listed = await known(cluster.list(PODDISRUPTIONBUDGETS, namespace=namespace, type=PodDisruptionBudget))
    if isinstance(listed, Fact):
        return [listed]
    return [
        _budget_fact(budget)
        for budget in listed.items
        if budget.spec.selector is not None and LabelSelector.from_dict(budget.spec.selector).matches(labels)
    ]


def _budget_fact(budget: PodDisruptionBudget) -> Fact:
    spec, status = budget.spec, budget.status
    wants = (
        f"at least {spec.min_available}" if spec.min_available is not None else f"{spec.max_unavailable} may be away"
    )
    healthy = f"{status.current_healthy} healthy, {status.desired_healthy} needed ({wants})"
    if status.observed_generation < budget.metadata.generation:
        return Fact(budget.metadata.name, f"its controller has not caught up: allows none; {healthy}", CHANGING)
    allowed = status.disruptions_allowed
    words = f"allows {counted(allowed, 'disruption')}: {healthy}"
    return Fact(budget.metadata.name, words, "" if allowed else CHANGING)


async def service_facts(
    labels: Mapping[str, str] | None, namespace: str, cluster: Client, *, gets_traffic: bool | None = None
) -> list[Fact]:
    """The Services that select pods with these labels; `gets_traffic` tells of a pod whether they send it any."""
    from seatrial.shell.listings.workloads import port_text

    listed = await known(cluster.list(SERVICES, namespace=namespace, type=LiveService))
    if isinstance(listed, Fact):
        return [listed]
    found = labels or {}
    traffic = {None: "", True: ": it gets traffic", False: ": no traffic, it is not Ready"}[gets_traffic]
    return [
        Fact(
            each.name,
            f"{each.type} {', '.join(map(port_text, each.ports))}{traffic}",
            CHANGING if gets_traffic is False else "",
        )
        for each in listed.items
        if each.selector and each.selector.items() <= found.items()
    ]


def condition_facts(conditions: Iterable[Condition], *, now: datetime, good: Mapping[str, str]) -> list[Fact]:
    """Conditions with what they say; `good` has for each type the status that is as it should be."""
    return [_condition_fact(each, now, good.get(each.type, "True")) for each in conditions]


def _condition_fact(condition: Condition, now: datetime, good: str) -> Fact:
    since = age_text(age_seconds(condition.last_transition_time, now=now))
    why = ": ".join(filter(None, (condition.reason, condition.message)))
    words = f"{condition.status}{f' for {since}' if since else ''}{f', {why}' if why else ''}"
    return Fact(condition.type, words, "" if condition.status == good else CHANGING)


def impact_facts(owners: Iterable[OwnerImpact], budgets: Iterable[BudgetImpact]) -> list[Fact]:
    """What is left to owners, and what becomes of budgets, when pods are lost."""
    found = []
    for owner in owners:
        until = f" until it replaces {owner.hit}" if owner.replaced else ""
        words = f"{owner.left} of {owner.ready} Ready pods of {owner.owner} in {owner.namespace}{until}"
        found.append(Fact("leaves", words, "" if owner.left else BAD))
    for budget in budgets:
        label = "breaks" if budget.broken else "keeps"
        words = f"budget {budget.namespace}/{budget.budget}, which allows {budget.allowed}; this makes {budget.hit}"
        found.append(Fact(label, words, BAD if budget.broken else ""))
    return found


def labels_text(labels: Mapping[str, str] | None) -> str:
    """Labels in one line."""
    return ", ".join(f"{key}={value}" if value else key for key, value in sorted((labels or {}).items()))


def meta_pairs(meta: ObjectMeta, *, now: datetime) -> list[tuple[str, str | None]]:
    """What every object has: its age, whether it goes, its labels."""
    age = age_text(age_seconds(meta.creation_timestamp, now=now))
    leaving = age_text(age_seconds(meta.deletion_timestamp, now=now)) if meta.deletion_timestamp else ""
    left = f"for {leaving}" if leaving else None
    held = ", ".join(meta.finalizers) if meta.deletion_timestamp else ""
    return [
        ("age", age),
        ("terminating", f"{left}, held by {held}" if left and held else left),
        ("labels", labels_text(meta.labels)),
    ]


def resources_text(resources: Mapping[str, Any] | None) -> str:
    """What a container asks for and may have at most."""
    parts = []
    for key, word in (("requests", "asks for"), ("limits", "at most")):
        amounts = (resources or {}).get(key) or {}
        if amounts:
            parts.append(f"{word} {', '.join(f'{name} {amount}' for name, amount in sorted(amounts.items()))}")
    return "; ".join(parts)
