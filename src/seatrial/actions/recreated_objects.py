"""Objects that a run deletes, and how they come back: the undo `recreateObject`.

What comes back is what somebody declared: the object without its identity, its status and what controllers filled in.
What was in it beyond that is lost: `unrestorable` tells of what, so that nothing is deleted that can't come back.
"""

import asyncio
import copy
import json
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from seatrial.actions.created_objects import object_in_words, wait_until_gone
from seatrial.actions.field_differences import ABSENT, differences
from seatrial.actions.manifest_text import Manifest
from seatrial.actions.manifests import Applied, found, until_ready
from seatrial.kube.client import Client
from seatrial.kube.errors import AlreadyExists, Invalid
from seatrial.kube.resources import Resource
from seatrial.runtime.undo import Undo, UndoKind
from seatrial.runtime.world import World

_READY_SECONDS = 60.0
_LONGEST_COMMAND = 4000
_SERVERS_OWN = frozenset({
    "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink", "deletionTimestamp",
    "deletionGracePeriodSeconds",
})  # fmt: skip
_LOST = {
    ("", "Namespace"): "all objects in it",
    ("", "PersistentVolumeClaim"): "the data of its volume",
    ("", "PersistentVolume"): "the data of the volume",
    ("", "Node"): "what its kubelet and its cloud told of it",
    ("apiextensions.k8s.io", "CustomResourceDefinition"): "all objects of its kind",
}


def unrestorable(resource: Resource, thing: Manifest) -> str:
    """What deleting an object would destroy for good; empty where it can be made anew."""
    if (resource.group, resource.kind) == ("batch", "Job") and _has_condition(thing, "Complete", "Failed"):
        return "its result: made anew, it would run again"
    retention = (thing.get("spec") or {}).get("persistentVolumeClaimRetentionPolicy") or {}
    if (resource.group, resource.kind) == ("apps", "StatefulSet") and retention.get("whenDeleted") == "Delete":
        return "the data of its volumes, whose claims it takes with it"
    if (resource.group, resource.kind) == ("", "Service") and _has_given_address(thing):
        return "the address of its load balancer"
    return _LOST.get((resource.group, resource.kind), "")


def _has_given_address(service: Manifest) -> bool:
    """Whether it has an address from a cloud, which nobody asked for by name: the next one would be another."""
    given = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress")
    return bool(given) and not (service.get("spec") or {}).get("loadBalancerIP")


def controller_of(thing: Manifest) -> str:
    """Who makes an object anew by itself, such as `ReplicaSet/web-5d5c`; empty where nobody does."""
    owners = thing["metadata"].get("ownerReferences") or []
    return next((f"{each['kind']}/{each['name']}" for each in owners if each.get("controller")), "")


def recreation_of(resource: Resource, thing: Manifest, run_id: str) -> Undo:
    """The undo of deleting this object; write it down before the object is deleted."""
    body = declared(resource, thing)
    text = json.dumps(body)
    command = f"echo {shlex.quote(text)} | kubectl create -f -"
    # A Secret belongs on no terminal and in no log.
    shown = resource.kind != "Secret" and len(command) <= _LONGEST_COMMAND
    return Undo(
        kind=RECREATE_OBJECT.kind,
        args={"object": body, "uid": thing["metadata"]["uid"], "wasReady": _was_ready(thing)},
        description=f"make {object_in_words(body)} anew",
        manual=command if shown else f"seatrial recover --run {run_id}",
    )


def declared(resource: Resource, thing: Manifest) -> Manifest:
    """An object as somebody would declare it: without identity, status, and what controllers filled in."""
    body: Manifest = {key: copy.deepcopy(value) for key, value in thing.items() if key != "status"}
    body |= {"apiVersion": resource.api_version, "kind": resource.kind}
    body["metadata"] = {key: value for key, value in body["metadata"].items() if key not in _SERVERS_OWN}
    if tidy := _TIDY.get((resource.group, resource.kind)):
        tidy(body)
    return body


def _tidy_pod(pod: Manifest) -> None:
    """The scheduler places it again; ephemeral containers can't be part of a new pod."""
    for key in ("nodeName", "ephemeralContainers"):
        pod["spec"].pop(key, None)


def _tidy_job(job: Manifest) -> None:
    """Its selector and labels were generated from its UID."""
    spec = job["spec"]
    if spec.get("manualSelector"):
        return
    spec.pop("selector", None)
    generated = {"controller-uid", "batch.kubernetes.io/controller-uid", "job-name", "batch.kubernetes.io/job-name"}
    for meta in (job["metadata"], spec["template"].get("metadata") or {}):
        if labels := meta.get("labels"):
            meta["labels"] = {key: value for key, value in labels.items() if key not in generated}


def _tidy_secret(secret: Manifest) -> None:
    """The token of a service account is generated; asking for the same one would be asking for a dead one."""
    if secret.get("type") == "kubernetes.io/service-account-token":
        secret.pop("data", None)
        (secret["metadata"].get("annotations") or {}).pop("kubernetes.io/service-account.uid", None)


_TIDY: dict[tuple[str, str], Callable[[Manifest], None]] = {
    ("", "Pod"): _tidy_pod, ("batch", "Job"): _tidy_job, ("", "Secret"): _tidy_secret,
}  # fmt: skip


async def _recreate(args: Mapping[str, Any], world: World) -> str:
    body, cluster = args["object"], world.cluster
    resource = await cluster.resource_for(body["apiVersion"], body["kind"])
    name, namespace = body["metadata"]["name"], body["metadata"].get("namespace")
    while True:
        now = await found(resource, name, namespace, cluster)
        if now is None:
            try:
                note = await _create(resource, body, cluster)
            except AlreadyExists:
                continue
            return note if not args.get("wasReady") else await _ready(Applied(resource, namespace, name), cluster, note)
        uid = now["metadata"]["uid"]
        if uid == args["uid"] and not now["metadata"].get("deletionTimestamp"):
            return ""  # it was never deleted
        if not now["metadata"].get("deletionTimestamp"):
            return "" if _holds(body, now) else "somebody made another one since"
        await wait_until_gone(resource, name, namespace, uid, cluster)


# The old one may still be on its way out, which takes as long as its pods or its cloud need.
RECREATE_OBJECT = UndoKind(kind="recreateObject", run=_recreate, deadline_seconds=300.0)


async def _create(resource: Resource, body: Manifest, cluster: Client) -> str:
    namespace = body["metadata"].get("namespace")
    try:
        await cluster.create(resource, body, namespace=namespace)
    except Invalid:
        if (resource.group, resource.kind) != ("", "Service"):
            raise
        # Its addresses were given to another Service meanwhile.
        await cluster.create(resource, _without_addresses(body), namespace=namespace)
        return "with another cluster IP or node ports: somebody else has the old ones"
    return ""


def _without_addresses(service: Manifest) -> Manifest:
    given = {"clusterIP", "clusterIPs", "healthCheckNodePort"}
    headless = service["spec"].get("clusterIP") == "None"
    spec = {key: value for key, value in service["spec"].items() if headless or key not in given}
    ports = [{key: value for key, value in port.items() if key != "nodePort"} for port in spec.get("ports") or []]
    return {**service, "spec": {**spec, **({"ports": ports} if ports else {})}}


async def _ready(applied: Applied, cluster: Client, note: str) -> str:
    try:
        async with asyncio.timeout(_READY_SECONDS):
            await until_ready(applied, cluster)
    except TimeoutError:
        late = f"it is there, but not ready within {_READY_SECONDS:g} s"
        return f"{note}; {late}" if note else late
    return note


def _was_ready(thing: Manifest) -> bool:
    """Whether it makes sense to wait until it is ready again."""
    status = thing.get("status") or {}
    if thing.get("kind") == "Pod":
        return _has_condition(thing, "Ready")
    wanted = (thing.get("spec") or {}).get("replicas", status.get("desiredNumberScheduled"))
    return bool(wanted) and status.get("readyReplicas", status.get("numberReady", 0)) >= wanted


def _has_condition(thing: Manifest, *types: str) -> bool:
    conditions = (thing.get("status") or {}).get("conditions") or []
    return any(each.get("type") in types and each.get("status") == "True" for each in conditions)


def _holds(wanted: Manifest, now: Manifest) -> bool:
    """Whether an object has all that is wanted; what the server added to it since doesn't count."""
    return all(change.before is ABSENT for change in differences(wanted, now))
