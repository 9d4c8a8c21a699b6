"""Orders about pods that a person has pointed at: exactly those are hit, and a recorded policy names their owners.

A pod that was killed is gone for good, name and all; what replaces it has the same owner. So the policy that a session
is written out as takes as many pods of each owner, at random.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from seatrial.actions.parallel import in_parallel
from seatrial.by_hand.orders import Order
from seatrial.errors import ClusterError
from seatrial.kube.client import Client
from seatrial.kube.objects import OwnerReference, PartialObject, Pod
from seatrial.kube.resources import JOBS, REPLICASETS
from seatrial.runtime.context import Identity
from seatrial.targets.pods import is_own_pod, pod_ref, why_beyond_api

Step = Mapping[str, Any]

_MOST_NAMED = 3
_AT_ONCE = 20
_OWN_MATCHERS = {
    ("apps", "Deployment"): "deployment",
    ("apps", "StatefulSet"): "statefulSet",
    ("apps", "DaemonSet"): "daemonSet",
    ("apps", "ReplicaSet"): "replicaSet",
    ("batch", "Job"): "job",
}
_MADE_BY_OTHERS = {("apps", "ReplicaSet"): REPLICASETS, ("batch", "Job"): JOBS}
"""What rarely stands by itself: a Deployment makes the one, a CronJob the other."""


def why_left_out(pod: Pod, identity: Identity, *, force: bool = False) -> str:
    """Why a pod is not to be ended, in words; empty where it may be. `identity` tells where Seatrial itself runs."""
    if is_own_pod(pod, identity):
        return "Seatrial itself runs in it, or its commands go through it"
    if pod.is_finished:
        return f"it has ended already ({pod.status.phase})"
    if pod.is_terminating and not force:
        return "it is terminating already"
    return why_beyond_api(pod)


async def kill_order(pods: Sequence[Pod], cluster: Client, *, force: bool = False) -> Order:
    """Delete these pods; at once, or with the grace period of each."""
    title = f"kill {pods_in_words(pods)}{' at once' if force else ''}"
    return await _order(title, pods, {"kill": {"force": force}}, cluster)


async def eviction_order(pods: Sequence[Pod], cluster: Client, spec: Mapping[str, Any]) -> Order:
    """Ask for the eviction of these pods, as far as PodDisruptionBudgets allow; `spec` is the action's."""
    return await _order(f"evict {pods_in_words(pods)}", pods, {"evict": spec}, cluster)


async def signal_order(pods: Sequence[Pod], cluster: Client, spec: Mapping[str, Any]) -> Order:
    """Send a signal to a container of each of these pods; `spec` is that of the action `killContainer`."""
    of = f" of {spec['container']}" if "container" in spec else ""
    return await _order(f"send {spec['signal']}{of} to {pods_in_words(pods)}", pods, {"killContainer": spec}, cluster)


def pods_in_words(pods: Sequence[Pod]) -> str:
    """Pods by their names, or how many they are."""
    names = [str(pod_ref(pod)) for pod in pods]
    return f"{len(names)} pods" if len(names) > _MOST_NAMED else " and ".join(", ".join(names).rsplit(", ", 1))


async def _order(title: str, pods: Sequence[Pod], action: Step, cluster: Client) -> Order:
    step = {"podAction": {"matches": [_by_name(pod) for pod in pods], "actions": [action]}}
    names = ", ".join(str(pod_ref(pod)) for pod in pods)
    alone: list[Step] = []
    sampled: dict[tuple[str, OwnerReference], int] = {}
    for pod, owner in zip(pods, await _owners(pods, cluster), strict=True):
        if owner is None:
            alone.append(_by_name(pod))
        else:
            sampled[pod.metadata.namespace, owner] = sampled.get((pod.metadata.namespace, owner), 0) + 1
    if not sampled:
        return Order(title=title, step=step)
    recorded: list[Step] = [
        {"matches": [_by_owner(owner, space)], "filters": [{"randomSample": {"size": many}}], "actions": [action]}
        for (space, owner), many in sampled.items()
    ]
    recorded += [{"matches": alone, "actions": [action]}] if alone else []
    return Order(
        title=title,
        step=step,
        recorded=tuple({"podAction": each} for each in recorded),
        note=f"by hand it was {names}",
    )


def _by_name(pod: Pod) -> Step:
    metadata = pod.metadata
    return {"field": {"namespace": metadata.namespace, "selector": f"metadata.name={metadata.name}"}}


def _by_owner(owner: OwnerReference, namespace: str) -> Step:
    if key := _OWN_MATCHERS.get(_kind(owner)):
        return {key: {"name": owner.name, "namespace": namespace}}
    named = {"kind": owner.kind, "name": owner.name, "namespace": namespace, "apiVersion": owner.api_version}
    return {"owner": named}


async def _owners(pods: Sequence[Pod], cluster: Client) -> Sequence[OwnerReference | None]:
    """Who decides that each pod is there, as far as it can be seen; None where a pod stands by itself."""
    controllers = {(pod.metadata.namespace, owner) for pod in pods if (owner := pod.metadata.controller)}

    async def above(each: tuple[str, OwnerReference]) -> OwnerReference:
        namespace, controller = each
        resource = _MADE_BY_OTHERS.get(_kind(controller))
        if resource is None:
            return controller
        try:
            found = await cluster.get(resource, controller.name, namespace=namespace, type=PartialObject)
        except ClusterError:
            return controller  # a policy that names it is a valid one, too
        return found.metadata.controller or controller

    ordered = sorted(controllers, key=lambda each: each[1].uid)
    decides = await in_parallel(ordered, above, most=_AT_ONCE)
    by_controller = {controller.uid: owner for (_, controller), owner in zip(ordered, decides, strict=True)}
    return [by_controller[owner.uid] if (owner := pod.metadata.controller) else None for pod in pods]


def _kind(owner: OwnerReference) -> tuple[str, str]:
    return owner.api_version.rpartition("/")[0], owner.kind
