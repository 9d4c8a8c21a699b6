"""Proof of faults that no sidecar tells: variables that are set, and `tc` commands that shape a pod's traffic.

Sidecars are read back by `keeper`. Here the pods themselves are looked at, as the API server shows them, and a pod of
the copy is asked beside one of the original.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from seatrial.kube.objects import Pod
from seatrial.kube.resources import PODS
from seatrial.kube.selectors import LabelSelector
from seatrial.runtime.context import Context
from seatrial.runtime.events import FaultProven
from seatrial.steps.clone.copied_deployment import Copy
from seatrial.steps.clone.model import Mutation
from seatrial.steps.clone.mutations.environment import Environment
from seatrial.steps.clone.mutations.tc import TrafficControl, is_init
from seatrial.steps.clone.toxiproxy.latency import endpoint_to_ask, time_answer
from seatrial.targets.pods import pod_ref


async def prove(
    copy: Copy, source: Mapping[str, Any], mutations: Iterable[Mutation], pods: Iterable[Pod], context: Context
) -> None:
    """Tell what is seen of variables and of shaped traffic in each of the copy's pods."""
    seen = list(_seen(mutations))
    shaped = any(isinstance(each.spec, TrafficControl) for each in mutations)
    for pod in pods if seen else ():
        timed = await _compared(copy, source, pod, context) if shaped else ""
        proof = "; ".join(filter(None, [*seen, timed]))
        context.emit(FaultProven(subject=f"pod {pod_ref(pod)}", proof=proof))


def _seen(mutations: Iterable[Mutation]) -> Iterator[str]:
    """What a pod that is Ready shows: its init containers ended well, its containers run with their variables."""
    for mutation in mutations:
        match mutation.spec:
            case Environment(name=name):
                yield f"it runs with {name} set in every container"
            case TrafficControl() as chosen:
                how = "ended well" if is_init(chosen) else f"runs {chosen.delay} s after its start"
                yield f"'{' '.join([*chosen.command, *chosen.args])}' {how}"


async def _compared(copy: Copy, source: Mapping[str, Any], pod: Pod, context: Context) -> str:
    """How long a pod takes to answer, and how long one of the original's does; empty where neither can be asked."""
    spec, cluster = copy.body["spec"]["template"]["spec"], context.cluster
    ports = {int(port["containerPort"]) for each in spec["containers"] for port in each.get("ports") or ()}
    endpoint = endpoint_to_ask(spec, ports)
    if endpoint is None:
        return ""
    selector = f"{LabelSelector.from_dict(source['spec']['selector'])}"
    listed = await cluster.list(PODS, namespace=copy.namespace, label_selector=selector, type=Pod)
    copies = LabelSelector.from_labels(copy.own_labels)
    originals = (each for each in listed.items if each.is_ready and not copies.matches(each.metadata.labels))
    original = next(originals, None)
    times = [
        await time_answer(cluster, endpoint, namespace=copy.namespace, pod=each.metadata.name)
        for each in (pod, original)
        if each is not None
    ]
    if len(times) < 2 or not all(times):
        return ""
    return f"{endpoint}: {times[0]}, the original {times[1]}"
