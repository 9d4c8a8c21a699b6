"""What losing some pods means to those who count on them: their owners and their PodDisruptionBudgets."""

from collections import Counter
from collections.abc import Iterable

from seatrial.kube.client import Client
from seatrial.kube.errors import Forbidden, NotFound
from seatrial.kube.objects import Pod, PodDisruptionBudget
from seatrial.kube.resources import PODDISRUPTIONBUDGETS, PODS
from seatrial.kube.selectors import LabelSelector
from seatrial.runtime.plan import BudgetImpact, OwnerImpact
from seatrial.targets.pods import pod_ref


async def owner_impacts(victims: Iterable[Pod], cluster: Client) -> tuple[OwnerImpact, ...]:
    """How many Ready pods each owner has, and how many of them would be hit."""
    victims = list(victims)
    owners = {pod.metadata.controller.uid: pod for pod in victims if pod.metadata.controller}
    ready: Counter[str] = Counter()
    for namespace in sorted({pod.metadata.namespace for pod in victims}):
        pods = await cluster.list(PODS, namespace=namespace, type=Pod)
        ready.update(pod.metadata.controller.uid for pod in pods.items if pod.metadata.controller and pod.is_ready)
    hit = Counter(pod.metadata.controller.uid for pod in victims if pod.metadata.controller)
    ready_hit = Counter(pod.metadata.controller.uid for pod in victims if pod.metadata.controller and pod.is_ready)
    return tuple(
        OwnerImpact(
            owner=pod_ref(pod).owner,
            namespace=pod.metadata.namespace,
            ready=ready[uid],
            hit=hit[uid],
            ready_hit=ready_hit[uid],
        )
        for uid, pod in owners.items()
    )


async def budget_impacts(victims: Iterable[Pod], cluster: Client) -> tuple[BudgetImpact, ...]:
    """Which PodDisruptionBudgets select the victims; none where the API or the permission is missing."""
    victims = list(victims)
    impacts = []
    for namespace in sorted({pod.metadata.namespace for pod in victims}):
        try:
            budgets = await cluster.list(PODDISRUPTIONBUDGETS, namespace=namespace, type=PodDisruptionBudget)
        except (Forbidden, NotFound):
            continue
        labels = [pod.metadata.labels or {} for pod in victims if pod.metadata.namespace == namespace]
        for budget in budgets.items:
            selector = LabelSelector.from_dict(budget.spec.selector)
            hit = sum(selector.matches(each) for each in labels)
            if budget.spec.selector is not None and hit:
                allowed = budget.status.disruptions_allowed
                name = budget.metadata.name
                impacts.append(BudgetImpact(budget=name, namespace=namespace, allowed=allowed, hit=hit))
    return tuple(impacts)


async def missing_permissions(victims: Iterable[Pod], cluster: Client, *, verb: str = "delete") -> tuple[str, ...]:
    """The permissions on the victims' namespaces that this user lacks, one sentence each."""
    namespaces = sorted({pod.metadata.namespace for pod in victims})
    return tuple(
        [f"{verb} pods in {each}" for each in namespaces if not await cluster.can_i(verb, PODS, namespace=each)]
    )
