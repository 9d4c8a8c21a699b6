"""What losing some pods means to those who count on them: their owners and their PodDisruptionBudgets.

An owner is who decides how many pods there are: of a ReplicaSet that a Deployment made it is the Deployment, so that
a rollout, during which pods belong to two ReplicaSets, counts as one.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

from seatrial.errors import ClusterError
from seatrial.kube.client import Client
from seatrial.kube.errors import Forbidden, NotFound
from seatrial.kube.objects import OwnerReference, PartialObject, Pod, PodDisruptionBudget
from seatrial.kube.resources import PODDISRUPTIONBUDGETS, PODS, REPLICASETS, Resource
from seatrial.kube.selectors import LabelSelector
from seatrial.runtime.plan import BudgetImpact, OwnerImpact

_T = TypeVar("_T", Pod, PartialObject, PodDisruptionBudget)

_ASKED_ONE_BY_ONE = 3
"""Of more namespaces than these everything is listed at once: a node's pods may be in a hundred of them."""


async def owner_impacts(victims: Iterable[Pod], cluster: Client) -> tuple[OwnerImpact, ...]:
    """How many Ready pods each owner has, and how many of them would be hit."""
    owned = _owned(victims)
    above = await _owners_of_replica_sets(owned, cluster)
    pods = await _in_namespaces(PODS, owned, cluster, Pod)
    return tuple(
        impact
        for namespace, hit in sorted(owned.items())
        for impact in _owner_impacts_in(namespace, hit, pods[namespace], above)
    )


async def owner_names(pods: Iterable[Pod], cluster: Client) -> Mapping[str, str]:
    """Who decides how many of these pods there are, in words, by the UIDs of the pods' controllers."""
    owned = _owned(pods)
    above = await _owners_of_replica_sets(owned, cluster)
    names = {}
    for pod in (each for theirs in owned.values() for each in theirs):
        if controller := pod.metadata.controller:
            owner = above.get(controller.uid, controller)
            names[controller.uid] = f"{owner.kind}/{owner.name} in {pod.metadata.namespace}"
    return names


def _owned(pods: Iterable[Pod]) -> Mapping[str, list[Pod]]:
    """Those of the pods that somebody owns, by namespace."""
    owned: dict[str, list[Pod]] = defaultdict(list)
    for pod in pods:
        if pod.metadata.controller:
            owned[pod.metadata.namespace].append(pod)
    return owned


def _owner_impacts_in(
    namespace: str, victims: Sequence[Pod], pods: Iterable[Pod], above: Mapping[str, OwnerReference]
) -> Iterable[OwnerImpact]:
    def owner_of(pod: Pod) -> OwnerReference | None:
        controller = pod.metadata.controller
        return controller and above.get(controller.uid, controller)

    def counted(pods: Iterable[Pod], *, ready: bool) -> Counter[str]:
        return Counter(
            owner.uid
            for pod in pods
            if (owner := owner_of(pod)) and (not ready or (pod.is_ready and not pod.is_terminating))
        )

    ready, hit, ready_hit = counted(pods, ready=True), counted(victims, ready=False), counted(victims, ready=True)
    owners = {owner.uid: owner for pod in victims if (owner := owner_of(pod))}
    return (
        OwnerImpact(
            owner=f"{owner.kind}/{owner.name}",
            namespace=namespace,
            ready=ready[uid],
            hit=hit[uid],
            ready_hit=ready_hit[uid],
        )
        for uid, owner in owners.items()
    )


async def _owners_of_replica_sets(owned: Mapping[str, Sequence[Pod]], cluster: Client) -> Mapping[str, OwnerReference]:
    """Who controls the ReplicaSets of these pods' namespaces, by their UIDs; without those that can't be read."""
    of_sets = {
        namespace
        for namespace, pods in owned.items()
        if any(pod.metadata.controller and pod.metadata.controller.kind == REPLICASETS.kind for pod in pods)
    }
    sets = await _in_namespaces(REPLICASETS, of_sets, cluster, PartialObject, leaves_out=(Forbidden, NotFound))
    return {
        each.metadata.uid: owner for found in sets.values() for each in found if (owner := each.metadata.controller)
    }


async def _in_namespaces(
    resource: Resource,
    namespaces: Collection[str],
    cluster: Client,
    object_type: type[_T],
    *,
    leaves_out: tuple[type[ClusterError], ...] = (),
) -> Mapping[str, Sequence[_T]]:
    """The objects of these namespaces; those of a namespace for which one of these errors comes are left out."""
    found: dict[str, Sequence[_T]] = {}
    is_partial = object_type is PartialObject
    if len(namespaces) > _ASKED_ONE_BY_ONE:
        with suppress(Forbidden, *leaves_out):
            spaces: dict[str, list[_T]] = {namespace: [] for namespace in namespaces}
            for each in (await cluster.list(resource, type=object_type, metadata_only=is_partial)).items:
                if each.metadata.namespace in spaces:
                    spaces[each.metadata.namespace].append(each)
            return spaces
    for namespace in sorted(namespaces):
        with suppress(*leaves_out):
            listed = await cluster.list(resource, namespace=namespace, type=object_type, metadata_only=is_partial)
            found[namespace] = listed.items
    return found


async def budget_impacts(
    victims: Iterable[Pod], cluster: Client, *, strictly: bool = False
) -> tuple[BudgetImpact, ...]:
    """Which PodDisruptionBudgets select the victims.

    Those of a namespace whose budgets may not be read are left out, or (`strictly`) that is raised as `Forbidden`.
    """
    spaces: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for pod in victims:
        spaces[pod.metadata.namespace].append(pod.metadata.labels or {})
    leaves_out = (NotFound,) if strictly else (NotFound, Forbidden)
    found = await _in_namespaces(PODDISRUPTIONBUDGETS, spaces, cluster, PodDisruptionBudget, leaves_out=leaves_out)
    return tuple(
        BudgetImpact(budget=budget.metadata.name, namespace=namespace, allowed=_allowed(budget), hit=hit)
        for namespace, budgets in sorted(found.items())
        for budget in budgets
        if budget.spec.selector is not None
        and (hit := sum(map(LabelSelector.from_dict(budget.spec.selector).matches, spaces[namespace])))
    )


def _allowed(budget: PodDisruptionBudget) -> int:
    """How many disruptions it allows; none while its controller has not caught up, as the eviction API sees it."""
    is_current = budget.status.observed_generation >= budget.metadata.generation
    return budget.status.disruptions_allowed if is_current else 0
