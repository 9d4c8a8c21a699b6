"""What a preview means to the person who asked for it: whether there is anything to do, and what stands against it."""

from collections.abc import Sequence

from seatrial.runtime.plan import StepPlan

_FLAGS = {
    "maxPods": "another --max-pods",
    "maxNodes": "another --max-nodes",
    "maxShareOfZone": "another --max-share-of-zone",
    "maxControlPlane": "another --max-control-plane",
    "keepEtcdQuorum": "--no-keep-etcd-quorum",
    "minLeft": "a smaller --min-left",
    "protectNamespaces": "no --protect for it",
    "respectPdb": "no --respect-pdb",
}
"""What the shell would have to be started with, for each guardrail, by its name in policies."""


def hits_nothing(plan: StepPlan) -> bool:
    """Whether what was ordered would change nothing at all: nodes may be chosen that are as they are to be."""
    return not (plan.victims or plan.changes or (plan.nodes and plan.kind == "pod"))


def obstacle_to(plan: StepPlan, *, is_destructive: bool) -> str:
    """Why what was planned is not to be done, in words; empty where it may be."""
    if plan.unknown:
        return f"it can't be told what would be hit ({plan.unknown})"
    if plan.refused:
        return "refused"
    if plan.missing_permissions:
        return "a permission is missing"
    return "nothing to do" if is_destructive and hits_nothing(plan) else ""


def what_allows(plan: StepPlan) -> str:
    """What lets an order through that was refused, in words; empty where no flag does."""
    guardrails = dict.fromkeys(reason.partition(":")[0] for reason in plan.refused)
    flags = [_FLAGS[each] for each in guardrails if each in _FLAGS]
    return f"what allows it: Seatrial started with {' and '.join(flags)}" if flags else ""


def changes_since(shown: StepPlan, now: StepPlan) -> Sequence[str]:
    """How an order would do another thing by now than what was shown, or a worse one; empty where it would not."""
    left = {(each.namespace, each.owner): each.left for each in shown.owners}
    broken = {(each.namespace, each.budget) for each in shown.budgets if each.broken}
    return [
        *(["it would hit something else"] if _hit(shown) != _hit(now) else []),
        *(
            f"{each.owner} in {each.namespace} would have fewer pods left"
            for each in now.owners
            if each.left < left.get((each.namespace, each.owner), each.left)
        ),
        *(
            f"PodDisruptionBudget {each.namespace}/{each.budget} would break"
            for each in now.budgets
            if each.broken and (each.namespace, each.budget) not in broken
        ),
        *(["it would be held back"] if obstacle_to(now, is_destructive=True) else []),
    ]


def _hit(plan: StepPlan) -> object:
    # A pod that has found its node meanwhile is the same pod. Who chose nodes chose no pods: those come and go there.
    pods = {pod.uid for pod in plan.victims} if plan.kind == "pod" else ()
    return pods, set(plan.nodes), plan.changes
