"""Objects that a run creates, and how they are taken away again.

Each carries a label with the run's id: its undo deletes the object only while it is still the one of this run, and
anybody can find what runs left behind: `kubectl get all -A -l seatrial.io/run`.
"""

from collections.abc import Mapping
from typing import Any

from seatrial.errors import ClusterError
from seatrial.kube.client import Client
from seatrial.kube.errors import NotFound
from seatrial.kube.objects import PartialObject
from seatrial.kube.resources import Resource
from seatrial.runtime.undo import Undo, UndoKind
from seatrial.runtime.world import World

RUN_LABEL = "seatrial.io/run"

Object = dict[str, Any]


def with_run_label(body: Mapping[str, Any], run_id: str, *, namespace: str | None = None) -> Object:
    """A manifest with the label that says whose it is, and its namespace."""
    metadata = body["metadata"]
    labels = {**(metadata.get("labels") or {}), RUN_LABEL: run_id}
    place = {"namespace": namespace} if namespace else {}
    return {**body, "metadata": {**metadata, "labels": labels, **place}}


def deletion_of(body: Mapping[str, Any], run_id: str) -> Undo:
    """The undo of creating this object; write it down before the object is created."""
    metadata = body["metadata"]
    name, namespace = metadata["name"], metadata.get("namespace", "")
    args = {
        "apiVersion": body["apiVersion"],
        "kind": body["kind"],
        "run": run_id,
        "name": name,
        "namespace": namespace,
    }
    where = f" -n {namespace}" if namespace else ""
    return Undo(
        kind=DELETE_OBJECT.kind,
        args=args,
        description=f"delete {object_in_words(body)}",
        manual=f"kubectl delete {body['kind'].lower()} {name}{where}",
    )


def refuse_leftover(found: Mapping[str, Any], run_id: str) -> None:
    """Stop where another run made or changed an object, and did not clean up, or not yet.

    Raises:
        ClusterError: it carries the label of another run; the hint is what cleans up.
    """
    other = (found["metadata"].get("labels") or {}).get(RUN_LABEL)
    if other and other != run_id:
        raise ClusterError(
            f"run {other} is at work on {object_in_words(found)}, or left it behind",
            hint=f"if it has ended: seatrial recover --run {other}",
        )


def object_in_words(body: Mapping[str, Any]) -> str:
    """Kind, namespace and name, as messages have them: `Deployment shop/cart`."""
    namespace = body["metadata"].get("namespace", "")
    return f"{body['kind']} {namespace}/{body['metadata']['name']}".replace(" /", " ")


async def _delete(args: Mapping[str, Any], world: World) -> str:
    cluster = world.cluster
    resource = await cluster.resource_for(args["apiVersion"], args["kind"])
    name, namespace = args["name"], args["namespace"] or None
    try:
        found = await cluster.get(resource, name, namespace=namespace, type=PartialObject)
        if (found.metadata.labels or {}).get(RUN_LABEL) != args["run"]:
            return "somebody else's by now"
        uid = found.metadata.uid
        await cluster.delete(resource, name, namespace=namespace, uid=uid, propagation_policy="Foreground")
    except NotFound:
        return ""
    await wait_until_gone(resource, name, namespace, uid, cluster)
    return ""


# Pods may take minutes to end, and a cloud minutes to take a load balancer away.
DELETE_OBJECT = UndoKind(kind="deleteObject", run=_delete, deadline_seconds=300.0)


async def wait_until_gone(resource: Resource, name: str, namespace: str | None, uid: str, cluster: Client) -> None:
    """Wait until this very object is gone, dependents that block its deletion included."""
    watching = cluster.watch(
        resource, namespace=namespace, field_selector=f"metadata.name={name}", type=PartialObject, metadata_only=True
    )
    async with watching as watch:
        if all(each.metadata.uid != uid for each in watch.snapshot):
            return
        async for event in watch:
            if event.type == "DELETED" and event.object.metadata.uid == uid:
                return
