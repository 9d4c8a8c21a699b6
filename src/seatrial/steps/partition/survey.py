"""Looking at the cluster before a partition: which pods it is about, and on which side it can be cut.

A connection needs to be allowed where it begins (egress) and where it ends (ingress), so closing one side is enough.
But policies add up: where some other NetworkPolicy selects the pods already, one more could only open what that one
closes, and what it allows stays allowed. Such a side is left alone, and where no side is left the step refuses.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seatrial.actions.created_objects import refuse_leftover
from seatrial.kube.objects import Pod
from seatrial.kube.resources import NETWORKPOLICIES
from seatrial.kube.selectors import LabelSelector
from seatrial.policy.wording import counted
from seatrial.runtime.context import Context
from seatrial.steps.partition.model import Direction, Partition, PodGroup, in_words
from seatrial.steps.partition.network_policies import Cut, Object, PolicyType, rules_of
from seatrial.targets.pod_matchers.reader import PodReader, why_no_namespace
from seatrial.targets.pods import pod_ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What there is: the pods of each group, where to cut, and what to say.

    `problem` says why it can't be done, `nobody` that there is nobody to part.
    """

    pods: tuple[Pod, ...] = ()
    others: tuple[Pod, ...] = ()
    cuts: tuple[Cut, ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = ""
    nobody: str = ""

    def of(self, group: PodGroup, spec: Partition) -> tuple[Pod, ...]:
        """The pods of one of the partition's groups."""
        return self.pods if group == spec.pods else self.others


async def look_around(spec: Partition, context: Context) -> Survey:
    """Find the pods, and where each direction can be cut.

    Raises:
        ClusterError: the API server refused or did not answer.
    """
    found: list[tuple[Pod, ...]] = []
    notes: list[str] = []
    for group in _groups(spec):
        listed = [pod for pod in await running_pods(group, context) if not pod.is_finished]
        governed = tuple(pod for pod in listed if not pod.spec.host_network)
        if own := next((pod for pod in listed if _is_own(pod, context)), None):
            return Survey(problem=f"Seatrial itself is one of the {group}: {pod_ref(own)}")
        if not listed:
            missing = await why_no_namespace(group.namespace, context.cluster)
            return Survey(nobody="; ".join(missing) or f"there are no {group}")
        if not governed:
            return Survey(problem=f"all {group} have their node's network, which NetworkPolicies don't govern")
        if len(governed) < len(listed):
            count = counted(len(listed) - len(governed), "pod")
            notes.append(f"{count} of the {group} with their node's network can't be cut off by NetworkPolicies")
        found.append(governed)
    pods, others = found[0], found[1] if len(found) > 1 else ()
    shared = {pod.metadata.uid for pod in pods} & {pod.metadata.uid for pod in others}
    if shared:
        both = next(pod for pod in pods if pod.metadata.uid in shared)
        return Survey(problem=f"pod {pod_ref(both)} is on both sides")
    cuts: list[Cut] = []
    for direction in spec.directions:
        cut = await _where_to_cut(spec, direction, pods, others, context)
        if isinstance(cut, str):
            return Survey(pods=pods, others=others, notes=tuple(notes), problem=cut)
        cuts.append(cut)
    return Survey(pods=pods, others=others, cuts=tuple(cuts), notes=tuple(notes))


async def running_pods(group: PodGroup, context: Context) -> tuple[Pod, ...]:
    """The pods of a group."""
    return await PodReader(cluster=context.cluster).list(group.namespace, label_selector=str(group.labels))


def _groups(spec: Partition) -> Iterator[PodGroup]:
    yield spec.pods
    if spec.other is not None:
        yield spec.other


def _is_own(pod: Pod, context: Context) -> bool:
    identity, meta = context.identity, pod.metadata
    return bool(identity.pod_name) and (meta.namespace, meta.name) == (identity.pod_namespace, identity.pod_name)


async def _where_to_cut(
    spec: Partition, direction: Direction, pods: Sequence[Pod], others: Sequence[Pod], context: Context
) -> Cut | str:
    """The side to cut, or why there is none: preferably where connections end, which every plugin enforces."""
    ours: PolicyType = "Egress" if direction == "out" else "Ingress"
    theirs: PolicyType = "Ingress" if direction == "out" else "Egress"
    sides: list[tuple[Cut, Sequence[Pod]]] = [(_cut(spec, ours), pods)]
    if spec.other is not None:
        sides.append((Cut(selects=spec.other, type=theirs, against=spec.pods), others))
    if direction == "out":
        sides.reverse()
    in_the_way: list[str] = []
    for cut, selected in sides:
        found = await _in_the_way(cut, selected, context)
        if not found:
            return cut
        in_the_way += found
    names = ", ".join(dict.fromkeys(in_the_way))
    say = "select pods on each side already" if spec.other else "decide about them already"
    return (
        f"connections {in_words(direction)} the {spec.pods} can't be cut by a NetworkPolicy: {names} {say},"
        " and one more could only allow more"
    )


def _cut(spec: Partition, type_: PolicyType) -> Cut:
    allow_dns = type_ == "Egress" and spec.other is None and spec.from_.spec.allow_dns
    return Cut(selects=spec.pods, type=type_, against=spec.other, allow_dns=allow_dns)


async def _in_the_way(cut: Cut, pods: Sequence[Pod], context: Context) -> list[str]:
    """The policies that keep this one from cutting; those that allow nothing do not, where nothing is to be allowed.

    Raises:
        ClusterError: one of them is another run's, which is at work there or left it behind.
    """
    listed = await context.cluster.list(NETWORKPOLICIES, namespace=cut.selects.namespace)
    found = [each for each in listed.items if _has_a_say(each, cut) and _selects_any(each, pods)]
    for policy in found:
        refuse_leftover({**policy, "kind": NETWORKPOLICIES.kind}, context.run_id)
    return [f"NetworkPolicy {cut.selects.namespace}/{each['metadata']['name']}" for each in found]


def _has_a_say(policy: Object, cut: Cut) -> bool:
    rules = rules_of(policy, cut.type)
    if rules is None:
        return False
    closes_everything = cut.against is None and not cut.allow_dns
    return any(True for _ in rules) or not closes_everything


def _selects_any(policy: Object, pods: Sequence[Pod]) -> bool:
    selector = LabelSelector.from_dict(policy["spec"].get("podSelector") or {})
    return any(selector.matches(pod.metadata.labels) for pod in pods)
