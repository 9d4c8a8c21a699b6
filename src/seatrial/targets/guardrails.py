"""Whether guardrails let a step act on what it chose: looked at right before it acts, on the very set about to be hit.

Each check answers with the reasons to refuse, one sentence each, which begins with the guardrail's name as a policy has
it (`maxPods: ...`); none means go. What can't be looked at for lack of a permission is a reason too: a limit that
nobody can check is no limit. `refuse` turns reasons into events and an outcome.
"""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

from seatrial.kube.errors import Forbidden
from seatrial.kube.objects import Node, Pod
from seatrial.policy.wording import counted
from seatrial.runtime.context import Context
from seatrial.runtime.events import GuardrailHeld
from seatrial.runtime.guardrails import DEFAULT_PROTECTED, Guardrails
from seatrial.runtime.verdict import Outcome, not_carried_out
from seatrial.targets.impact import budget_impacts, owner_impacts
from seatrial.targets.node_limits import check_control_plane, check_count, check_etcd, check_zones
from seatrial.targets.nodes import pods_on_nodes

Reasons = tuple[str, ...]


async def guard_pods(
    victims: Iterable[Pod],
    context: Context,
    *,
    named: AbstractSet[str] = frozenset(),
    earlier: AbstractSet[str] = frozenset(),
    honours_budgets: bool = False,
) -> Reasons:
    """Why these pods may not be disrupted; empty where they may.

    Args:
        victims: the pods about to be hit, with their status where `needs_status` asks for it.
        context: whose guardrails, identity and cluster.
        named: namespaces that the step's matchers name exactly.
        earlier: UIDs of pods that the same step has hit before.
        honours_budgets: the action asks PodDisruptionBudgets by itself, as an eviction does.
    """
    pods = list(victims)
    if not pods:
        return ()
    limits = context.settings.guardrails
    namespaces = sorted({pod.metadata.namespace for pod in pods})
    reasons = [reason for each in namespaces for reason in _protection(each, context, named=each in named)]
    hit = len({pod.metadata.uid for pod in pods} | set(earlier))
    if limits.most_pods is not None and hit > limits.most_pods:
        before = " with those it hit before" if earlier else ""
        reasons.append(f"maxPods: the step would hit {counted(hit, 'pod')}{before}, at most {limits.most_pods} may be")
    reasons += await _least_left(pods, context)
    if limits.respect_budgets and not honours_budgets:
        reasons += await _budgets(pods, context)
    return tuple(reasons)


async def guard_nodes(
    nodes: Sequence[Node], context: Context, *, disrupts_pods: bool = True, takes_down: bool | None = None
) -> Reasons:
    """Why these nodes may not be disrupted; empty where they may.

    Where the action `disrupts_pods`, what runs on the nodes counts as lost to its owners and budgets. It does not count
    for `maxPods`, and the namespaces that are protected unless named are not looked at: every node runs some of
    `kube-system`. Where it `takes_down` the nodes, as what disrupts pods does unless said otherwise, the control plane
    and etcd's quorum are looked at, too.
    """
    reasons = check_count(nodes, context)
    reasons += await check_zones(nodes, context)
    if disrupts_pods if takes_down is None else takes_down:
        reasons += await check_control_plane(nodes, context)
        reasons += await check_etcd(nodes, context)
    if disrupts_pods:
        reasons += await _lost_pods(nodes, context)
    return tuple(reasons)


async def guard_namespace(namespace: str, context: Context, *, named: bool = True) -> Reasons:
    """Why nothing may be changed in this namespace; `named` tells whether the policy names it exactly."""
    return tuple(_protection(namespace, context, named=named))


def needs_status(guardrails: Guardrails) -> bool:
    """Whether the checks look at more of a pod than its metadata."""
    return guardrails.least_left > 0


def refuse(reasons: Reasons, context: Context) -> Outcome:
    """Tell that guardrails held a step back, and what it comes to."""
    for reason in reasons:
        guardrail, _, words = reason.partition(": ")
        context.emit(GuardrailHeld(guardrail=guardrail, reason=words))
    return not_carried_out(f"refused by a guardrail: {'; '.join(reasons)}")


def _protection(namespace: str, context: Context, *, named: bool) -> Iterator[str]:
    if namespace in context.settings.guardrails.protected:
        yield f"protectNamespaces: the namespace {namespace} is protected"
    elif not named and namespace in DEFAULT_PROTECTED:
        yield f"protectNamespaces: the namespace {namespace} is protected unless a matcher names it exactly"
    elif not named and namespace == context.identity.pod_namespace:
        yield f"protectNamespaces: Seatrial itself runs in {namespace}, which is protected unless a matcher names it"


async def _lost_pods(nodes: Sequence[Node], context: Context) -> list[str]:
    limits = context.settings.guardrails
    if not nodes or not (limits.least_left or limits.respect_budgets or limits.protected):
        return []
    pods = await pods_on_nodes([node.metadata.name for node in nodes], context)
    protected = sorted({pod.metadata.namespace for pod in pods} & limits.protected)
    reasons = [f"protectNamespaces: pods of the protected namespace {each} run there" for each in protected]
    reasons += await _least_left(pods, context)
    if limits.respect_budgets:
        reasons += await _budgets(pods, context)
    return reasons


async def _least_left(pods: Sequence[Pod], context: Context) -> list[str]:
    least = context.settings.guardrails.least_left
    if not least:
        return []
    try:
        impacts = await owner_impacts(pods, context.cluster)
    except Forbidden as error:
        return [f"minLeft: can't be checked: {error.message}"]
    # An owner that has fewer already and loses no Ready pod is no worse off.
    return [
        f"minLeft: {each.owner} in {each.namespace} would be left {counted(each.left, 'Ready pod')}"
        f" of {each.ready}, it must keep {least}"
        for each in impacts
        if each.ready_hit and each.left < least
    ]


async def _budgets(pods: Sequence[Pod], context: Context) -> list[str]:
    try:
        impacts = await budget_impacts(pods, context.cluster, strictly=True)
    except Forbidden as error:
        return [f"respectPdb: can't be checked: {error.message}"]
    return [
        f"respectPdb: PodDisruptionBudget {each.namespace}/{each.budget} allows {each.allowed} of the {each.hit}"
        " disruptions"
        for each in impacts
        if each.broken
    ]
