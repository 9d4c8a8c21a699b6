"""Preemption: which pods of lower priority have to go so that a pod finds room, and on which node that costs least.

On each node all pods of lower priority are thought away; if the pod fits then, as many as possible are let back in,
those protected by a disruption budget first. Of the nodes the one is taken that breaks the fewest budgets, then hits
the least important pods, then the fewest, then the youngest. Behaviour: Kubernetes documentation, "Pod Priority and
Preemption".
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from seatrial.kube.selectors import LabelSelector
from seatrial.sandbox.api import Object
from seatrial.sandbox.controllers.objects import name_of, namespace_of
from seatrial.sandbox.scheduler.cluster_state import ClusterState, Nodes
from seatrial.sandbox.scheduler.filters import Evaluator, Objection
from seatrial.sandbox.scheduler.messages import NO_VICTIMS, NOT_HELPFUL
from seatrial.sandbox.scheduler.node_info import NodeInfo
from seatrial.sandbox.scheduler.pod_info import PodInfo

# Makes all priorities positive, so that a pod more always weighs more.
_PRIORITY_BASE: Final = 1 << 31


class Plan(NamedTuple):
    """A node, and the pods that have to go for it to have room."""

    node: str
    victims: list[PodInfo]
    violations: int


def plan_preemption(
    info: PodInfo,
    state: ClusterState,
    objections: Mapping[str, Objection],
    *,
    evaluator_of: Callable[[Nodes], Evaluator],
    budgets: Sequence[Object],
) -> Plan | Counter[str]:
    """The plan that costs least, or why there is none: reason -> nodes.

    Args:
        info: the pod that fits nowhere.
        state: nodes and pods.
        objections: what each node had against it.
        evaluator_of: looks for the pod at a cluster as it would be.
        budgets: all PodDisruptionBudgets.
    """
    plans: list[Plan] = []
    reasons: Counter[str] = Counter()
    for name, objection in objections.items():
        if not objection.is_curable:
            reasons[NOT_HELPFUL] += 1
            continue
        found = _on_node(info, state, state.nodes[name], evaluator_of, budgets)
        if isinstance(found, Plan):
            plans.append(found)
        else:
            reasons.update(found)
    return min(plans, key=_cost) if plans else reasons


def _on_node(
    info: PodInfo,
    state: ClusterState,
    node: NodeInfo,
    evaluator_of: Callable[[Nodes], Evaluator],
    budgets: Sequence[Object],
) -> Plan | list[str]:
    lesser = [other for other in node.pods.values() if other.priority < info.priority]
    if not lesser:
        return [NO_VICTIMS]
    tried = node.clone()
    for expected in state.nominated(node.name):
        if expected.uid != info.uid and expected.priority >= info.priority:
            tried.put(expected)
    for other in lesser:
        tried.remove(other.uid)
    nodes = {**state.nodes, node.name: tried}

    def objection() -> Objection | None:
        return evaluator_of(nodes).objection(tried)

    against = objection()
    if against is not None:
        return against.reasons
    protected, others = _by_protection(sorted(lesser, key=_importance), budgets)
    victims, violations = [], 0
    for other in (*protected, *others):
        tried.put(other)
        if objection() is not None:
            tried.remove(other.uid)
            victims.append(other)
            violations += other in protected
    return Plan(node.name, sorted(victims, key=_importance), violations)


def _importance(info: PodInfo) -> tuple[int, str]:
    """The most important first: by priority, then by age."""
    return -info.priority, _start_of(info)


def _start_of(info: PodInfo) -> str:
    started = (info.pod.get("status") or {}).get("startTime")
    return str(started or info.pod["metadata"].get("creationTimestamp", ""))


def _by_protection(pods: Iterable[PodInfo], budgets: Sequence[Object]) -> tuple[list[PodInfo], list[PodInfo]]:
    """Those whose going would break a budget, and the rest; each that goes uses up what its budgets allow."""
    left = [int((budget.get("status") or {}).get("disruptionsAllowed") or 0) for budget in budgets]
    protected: list[PodInfo] = []
    others: list[PodInfo] = []
    for info in pods:
        concerned = [index for index, budget in enumerate(budgets) if _protects(budget, info)]
        for index in concerned:
            left[index] -= 1
        (protected if any(left[index] < 0 for index in concerned) else others).append(info)
    return protected, others


def _protects(budget: Object, info: PodInfo) -> bool:
    if namespace_of(budget) != info.kind.namespace or not info.kind.labels:
        return False
    noted = (budget.get("status") or {}).get("disruptedPods") or {}
    selector = LabelSelector.from_dict(budget["spec"].get("selector"))
    return bool(selector.requirements) and selector.matches(info.kind.labels) and name_of(info.pod) not in noted


def _cost(plan: Plan) -> tuple[int, int, int, int, "_Later"]:
    priorities = [victim.priority for victim in plan.victims]
    highest = max(priorities, default=-_PRIORITY_BASE)
    oldest = min((_start_of(victim) for victim in plan.victims if victim.priority == highest), default="")
    total = sum(priority + _PRIORITY_BASE for priority in priorities)
    return plan.violations, highest, total, len(priorities), _Later(oldest)


class _Later(NamedTuple):
    """A time that sorts before all earlier ones."""

    time: str

    def __lt__(self, other: object) -> bool:
        return isinstance(other, _Later) and self.time > other.time
