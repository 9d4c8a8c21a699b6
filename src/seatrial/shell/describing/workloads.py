"""A Deployment, StatefulSet, DaemonSet or ReplicaSet: how many pods it has of how many, which, and what guards them."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from seatrial.kube.client import Client
from seatrial.kube.objects import Container, Deployment, Pod
from seatrial.kube.pod_status import printed_status
from seatrial.kube.resources import PODS
from seatrial.kube.selectors import LabelSelector
from seatrial.policy.wording import counted
from seatrial.shell.describing.account import Account, Fact, Section, facts, known
from seatrial.shell.describing.related import (
    budget_facts,
    condition_facts,
    event_facts,
    meta_pairs,
    owner_chain,
    resources_text,
    service_facts,
)
from seatrial.shell.states import CHANGING, state_style

KINDS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"})


async def workload_account(kind: str, body: Mapping[str, Any], cluster: Client, *, now: datetime) -> Account:
    """All there is to say about a workload."""
    # All four have these parts under the same names, but for the figures of a DaemonSet.
    workload = msgspec.convert(body, Deployment)
    meta, namespace = workload.metadata, workload.metadata.namespace
    status, template = body.get("status") or {}, (body.get("spec") or {}).get("template") or {}
    wanted = status.get("desiredNumberScheduled", workload.spec.wanted_replicas)
    ready = status.get("numberReady", workload.status.ready_replicas)
    labels = (template.get("metadata") or {}).get("labels") or {}
    chain = " of ".join(f"{owner.kind}/{owner.name}" for owner in await owner_chain(meta, cluster))
    selector = str(LabelSelector.from_dict(workload.spec.selector)) if workload.spec.selector else ""
    is_current = workload.status.observed_generation >= meta.generation
    sections = [
        Section(
            "",
            facts(
                ("owner", chain),
                ("selector", selector),
                ("paused", "yes" if workload.spec.paused else ""),
                ("behind", "" if is_current else "its controller has not seen the latest change"),
                *meta_pairs(meta, now=now),
            ),
        ),
        Section("containers", _container_facts(template)),
        Section("pods", await _pod_facts(selector, namespace, cluster)),
        Section("conditions", condition_facts(workload.status.conditions, now=now, good={"ReplicaFailure": "False"})),
        Section("Services", await service_facts(labels, namespace, cluster)),
        Section("budgets", await budget_facts(labels, namespace, cluster)),
        Section("events", await event_facts(kind, meta, cluster, now=now)),
    ]
    title = f"{kind} {namespace}/{meta.name}: {ready} of {counted(wanted, 'pod')} ready"
    return Account(title, "" if ready >= wanted else CHANGING, sections)


def _container_facts(template: Mapping[str, Any]) -> list[Fact]:
    found = []
    for container in msgspec.convert((template.get("spec") or {}).get("containers") or [], list[Container]):
        resources = resources_text(container.resources)
        found.append(Fact(container.name, f"{container.image}{f'; {resources}' if resources else ''}"))
    return found


async def _pod_facts(selector: str, namespace: str, cluster: Client) -> list[Fact]:
    """How many of the pods that it selects are in which state, and where."""
    if not selector:
        return []
    listed = await known(cluster.list(PODS, namespace=namespace, label_selector=selector, type=Pod))
    if isinstance(listed, Fact):
        return [listed]
    places: dict[str, Counter[str]] = {}
    for pod in listed.items:
        places.setdefault(printed_status(pod), Counter())[pod.spec.node_name or "no node"] += 1
    return [
        Fact(
            status,
            f"{nodes.total()}: {', '.join(_on(node, count) for node, count in sorted(nodes.items()))}",
            state_style(status),
        )
        for status, nodes in sorted(places.items())
    ]


def _on(node: str, count: int) -> str:
    return node if count == 1 else f"{count} on {node}"
