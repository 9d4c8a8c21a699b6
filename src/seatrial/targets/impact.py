"""What losing some pods means to those who count on them: their owners and their PodDisruptionBudgets.

An owner is who decides how many pods there are: of a ReplicaSet that a Deployment made it is the Deployment, so that
a rollout, during which pods belong to two ReplicaSets, counts as one.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from seatrial.kube.client import Client
from seatrial.kube.errors import Forbidden, NotFound
from seatrial.kube.objects import OwnerReference, PartialObject, Pod, PodDisruptionBudget
from seatrial.kube.resources import PODDISRUPTIONBUDGETS, PODS, REPLICASETS
from seatrial.kube.selectors import LabelSelector
from seatrial.runtime.plan import BudgetImpact, OwnerImpact


async def owner_impacts(victims: Iterable[Pod], cluster: Client) -> tuple[OwnerImpact, ...]:
    """How many Ready pods each owner has, and how many of them would be hit."""
    victims = list(victims)
    impacts: list[OwnerImpact] = []
    for namespace in sorted({pod.metadata.namespace for pod in victims}):
        hit = [pod for pod in victims if pod.metadata.namespace == namespace]
        impacts += await _owner_impacts_in(namespace, hit, cluster)
    return tuple(impacts)


async def owner_names(pods: Iterable[Pod], cluster: Client) -> Mapping[str, str]:
    """Who decides how many of these pods there are, in words, by the UIDs of the pods' controllers."""
    names: dict[str, str] = {}
    spaces: dict[str, set[OwnerReference]] = defaultdict(set)
    for pod in pods:
        if controller := pod.metadata.controller:
            spaces[pod.metadata.namespace].add(controller)
    for namespace, controllers in sorted(spaces.items()):
        above = await _owners_of_replica_sets(namespace, controllers, cluster)
        for controller in controllers:
            owner = above.get(controller.uid, controller)
            names[controller.uid] = f"{owner.kind}/{owner.name} in {namespace}"
    return names


async def _owner_impacts_in(namespace: str, victims: list[Pod], cluster: Client) -> Iterator[OwnerImpact]:
    controllers = {owner for pod in victims if (owner := pod.metadata.controller)}
    if not controllers:
        return iter(())
    above = await _owners_of_replica_sets(namespace, controllers, cluster)

    def owner_of(pod: Pod) -> OwnerReference | None:
        controller = pod.metadata.controller
        return controller and above.get(controller.uid, controller)

    ready: Counter[str] = Counter()
    for pod in (await cluster.list(PODS, namespace=namespace, type=Pod)).items:
        if (owner := owner_of(pod)) and pod.is_ready and not pod.is_terminating:
            ready[owner.uid] += 1
    owners = {owner.uid: owner for pod in victims if (owner := owner_of(pod))}
    hit = Counter(owner.uid for pod in victims if (owner := owner_of(pod)))
    ready_hit = Counter(
        owner.uid for pod in victims if (owner := owner_of(pod)) and pod.is_ready and not pod.is_terminating
    )
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


async def _owners_of_replica_sets(
    namespace: str, controllers: Iterable[OwnerReference], cluster: Client
) -> dict[str, OwnerReference]:
    """Who controls each ReplicaSet of the namespace, by its UID; empty where that can't be read or isn't needed."""
    if all(each.kind != REPLICASETS.kind for each in controllers):
        return {}
    try:
        sets = await cluster.list(REPLICASETS, namespace=namespace, type=PartialObject, metadata_only=True)
    except (Forbidden, NotFound):
        return {}
    return {each.metadata.uid: owner for each in sets.items if (owner := each.metadata.controller)}


async def budget_impacts(
    victims: Iterable[Pod], cluster: Client, *, strictly: bool = False
) -> tuple[BudgetImpact, ...]:
    """Which PodDisruptionBudgets select the victims.

    Those of a namespace whose budgets may not be read are left out, or (`strictly`) that is raised as `Forbidden`.
    """
    victims = list(victims)
    impacts = []
    for namespace in sorted({pod.metadata.namespace for pod in victims}):
        try:
            budgets = await cluster.list(PODDISRUPTIONBUDGETS, namespace=namespace, type=PodDisruptionBudget)
        except Forbidden:
            if strictly:
                raise
            continue
        except NotFound:
            continue
        labels = [pod.metadata.labels or {} for pod in victims if pod.metadata.namespace == namespace]
        for budget in budgets.items:
            selector = LabelSelector.from_dict(budget.spec.selector)
            hit = sum(selector.matches(each) for each in labels)
            if budget.spec.selector is not None and hit:
                name = budget.metadata.name
                impacts.append(BudgetImpact(budget=name, namespace=namespace, allowed=_allowed(budget), hit=hit))
    return tuple(impacts)


def _allowed(budget: PodDisruptionBudget) -> int:
    """How many disruptions it allows; none while its controller has not caught up, as the eviction API sees it."""
    is_current = budget.status.observed_generation >= budget.metadata.generation
    return budget.status.disruptions_allowed if is_current else 0
