"""What doesn't go well with a copy: refused where it would harm others, said in the plan where it is good to know.

No note is needed to make a copy: what can't be read for lack of a permission, or isn't served, is left out.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from seatrial.kube.client import Client
from seatrial.kube.errors import Forbidden, NotFound
from seatrial.kube.objects import PartialObject, PodDisruptionBudget
from seatrial.kube.quantity import Quantity, parse_quantity
from seatrial.kube.resources import (
    HORIZONTALPODAUTOSCALERS,
    NAMESPACES,
    PERSISTENTVOLUMECLAIMS,
    PODDISRUPTIONBUDGETS,
)
from seatrial.kube.selectors import LabelSelector
from seatrial.steps.clone.copied_deployment import MOST_GRACE_SECONDS, Copy
from seatrial.steps.clone.model import Clone
from seatrial.steps.clone.mutations.tc import TrafficControl
from seatrial.steps.clone.mutations.toxiproxy import Toxiproxy

_FORBIDS_NET_ADMIN = frozenset({"baseline", "restricted"})
# Labels and annotations of namespaces and pods that a service mesh goes by, as its own documentation names them.
_MESH_MARKS = {
    "istio-injection": "Istio", "istio.io/rev": "Istio", "istio.io/dataplane-mode": "Istio",
    "sidecar.istio.io/inject": "Istio", "linkerd.io/inject": "Linkerd",
}  # fmt: skip
_NO_MESH = frozenset({"disabled", "false", "none"})
_ONE_NODE = frozenset({"ReadWriteOnce", "ReadWriteOncePod"})


def refusals(spec: Clone, source: Mapping[str, Any]) -> list[str]:
    """Why this copy must not be made."""
    named = f"Deployment {source['metadata']['namespace']}/{source['metadata']['name']}"
    reasons = []
    if _changes_network(spec) and source["spec"]["template"]["spec"].get("hostNetwork"):
        reasons.append(
            f"{named} uses its nodes' network (hostNetwork): the fault would hit whole nodes, and stay there"
        )
    if sum(isinstance(each.spec, Toxiproxy) for each in spec.mutations) > 1:
        reasons.append("there are two toxiproxy mutations: put all proxies and toxics into one")
    return reasons


async def notes_on(spec: Clone, copy: Copy, source: Mapping[str, Any], cluster: Client) -> tuple[str, ...]:
    """What is good to know before this copy is made."""
    notes = [*_notes_on_pods(copy, source)]
    lookers = [_on_volumes(copy, cluster), _on_watchers(copy, source, cluster), _on_quotas(copy, cluster)]
    if _changes_network(spec):
        lookers.append(_on_namespace(copy, cluster))
    for looker in lookers:
        try:
            notes += [note async for note in looker]
        except (Forbidden, NotFound):
            continue
    return tuple(notes)


def _changes_network(spec: Clone) -> bool:
    return any(isinstance(each.spec, TrafficControl | Toxiproxy) for each in spec.mutations)


def _notes_on_pods(copy: Copy, source: Mapping[str, Any]) -> Iterator[str]:
    spec = copy.body["spec"]["template"]["spec"]
    if any(port.get("hostPort") for each in spec.get("containers") or () for port in each.get("ports") or ()):
        yield "it uses ports of its node (hostPort): each of its pods needs a node without another"
    affinity = spec.get("affinity") or {}
    if (affinity.get("podAntiAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution"):
        yield "it keeps away from certain pods (required anti-affinity): there may be no node for it"
    spread = spec.get("topologySpreadConstraints") or ()
    if any(each["whenUnsatisfiable"] == "DoNotSchedule" for each in spread):
        yield "its pods count for the original's topology spread constraints: there may be no node for one of them"
    given = source["spec"]["template"]["spec"].get("terminationGracePeriodSeconds") or 0
    if given > MOST_GRACE_SECONDS:
        yield f"its pods get {MOST_GRACE_SECONDS} s to end, the original's {given} s: clean-up waits for them"


async def _on_volumes(copy: Copy, cluster: Client) -> AsyncIterator[str]:
    for volume in copy.body["spec"]["template"]["spec"].get("volumes") or ():
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if not claim:
            continue
        found = await cluster.get(PERSISTENTVOLUMECLAIMS, claim, namespace=copy.namespace)
        one_node = _ONE_NODE.intersection(found["spec"].get("accessModes") or ())
        where = f", which is {'/'.join(sorted(one_node))}: it may not start on another node" if one_node else ""
        yield f"it reads and writes the original's PersistentVolumeClaim {claim}{where}"


async def _on_watchers(copy: Copy, source: Mapping[str, Any], cluster: Client) -> AsyncIterator[str]:
    """Those who count the original's pods by labels, and will count the copy's."""
    for budget in (await cluster.list(PODDISRUPTIONBUDGETS, namespace=copy.namespace, type=PodDisruptionBudget)).items:
        if budget.spec.selector is not None and LabelSelector.from_dict(budget.spec.selector).matches(copy.pod_labels):
            yield f"PodDisruptionBudget {budget.metadata.name} counts its pods as well"
    for scaler in (await cluster.list(HORIZONTALPODAUTOSCALERS, namespace=copy.namespace)).items:
        target = scaler["spec"]["scaleTargetRef"]
        if (target["kind"], target["name"]) == ("Deployment", source["metadata"]["name"]):
            name = scaler["metadata"]["name"]
            yield f"HorizontalPodAutoscaler {name} scales the original only, and may count the load of the copy's pods"


async def _on_quotas(copy: Copy, cluster: Client) -> AsyncIterator[str]:
    quotas = await cluster.list(await cluster.resource_for("v1", "ResourceQuota"), namespace=copy.namespace)
    for quota in quotas.items:
        status = quota.get("status") or {}
        used = status.get("used") or {}
        rest = [f"{key} {_rest(hard, used.get(key, '0'))}" for key, hard in (status.get("hard") or {}).items()]
        if rest:
            yield f"ResourceQuota {quota['metadata']['name']} has left: {', '.join(rest)}"


def _rest(hard: str, used: str) -> Quantity:
    most = parse_quantity(hard)
    return Quantity(most.value - parse_quantity(used).value, most.format)


async def _on_namespace(copy: Copy, cluster: Client) -> AsyncIterator[str]:
    namespace = await cluster.get(NAMESPACES, copy.namespace, type=PartialObject)
    template = copy.body["spec"]["template"]["metadata"]
    marks = [namespace.metadata.labels, namespace.metadata.annotations, template["labels"], template["annotations"]]
    if mesh := next((name for each in marks for name in _meshes(each or {})), ""):
        yield f"{mesh} redirects its pods' ports too: what it takes first never meets the fault"
    level = (namespace.metadata.labels or {}).get("pod-security.kubernetes.io/enforce", "")
    if level in _FORBIDS_NET_ADMIN:
        yield f"the namespace enforces the Pod Security Standard '{level}', which forbids NET_ADMIN"


def _meshes(marks: Mapping[str, str]) -> Iterator[str]:
    return (name for key, name in _MESH_MARKS.items() if marks.get(key, "none") not in _NO_MESH)
