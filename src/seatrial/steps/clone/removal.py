"""The undo of a clone: the copy is deleted, and it has ended when its pods are gone and no Service leads to them."""

from collections.abc import Mapping
from typing import Any

from seatrial.actions.created_objects import DELETE_OBJECT, deletion_of
from seatrial.kube.client import Client
from seatrial.kube.errors import Forbidden, NotFound
from seatrial.kube.objects import EndpointSlice
from seatrial.kube.resources import ENDPOINTSLICES, PODS
from seatrial.runtime.events import FaultCleared, ProofMissing
from seatrial.runtime.undo import Undo, UndoKind
from seatrial.runtime.world import World
from seatrial.steps.clone.copied_deployment import Copy


def removal_of(copy: Copy, run_id: str) -> Undo:
    """The undo of making this copy; write it down before the copy is made."""
    deletion = deletion_of(copy.body, run_id)
    return Undo(
        kind=DELETE_CLONE.kind,
        args={**deletion.args, "pods": copy.pod_selector},
        description=deletion.description,
        manual=f"{deletion.manual} --cascade=foreground",
    )


async def _remove(args: Mapping[str, Any], world: World) -> str:
    cluster, namespace, subject = world.cluster, args["namespace"], f"Deployment {args['namespace']}/{args['name']}"
    pods, unseen = set[str](), ""
    try:
        pods = await _pods(args, cluster)
    except Forbidden as error:
        unseen = f"its pods can't be seen: {error.message}"
    if note := await DELETE_OBJECT.run(args, world):
        return note
    try:
        if not unseen:
            # More than before, where the controllers were at work at that moment.
            pods |= await _wait_until_gone(args, cluster)
            await _wait_until_unreachable(pods, namespace, cluster)
    except (Forbidden, NotFound) as error:
        unseen = f"that no Service leads to it can't be seen: {error.message}"
    if not (pods or unseen):
        return ""  # it was never made, or an earlier attempt took it away
    if unseen:
        world.emit(ProofMissing(subject=subject, reason=unseen))
        return ""
    proof = f"it is gone, its {len(pods)} pod{'s' if len(pods) > 1 else ''} are gone, and no Service leads to them"
    world.emit(FaultCleared(subject=subject, proof=proof))
    return ""


DELETE_CLONE = UndoKind(kind="deleteClone", run=_remove, deadline_seconds=DELETE_OBJECT.deadline_seconds)


async def _pods(args: Mapping[str, Any], cluster: Client) -> set[str]:
    """The UIDs of the copy's pods."""
    listed = await cluster.list(PODS, namespace=args["namespace"], label_selector=args["pods"], metadata_only=True)
    return {each.metadata.uid for each in listed.items}


async def _wait_until_gone(args: Mapping[str, Any], cluster: Client) -> set[str]:
    """Wait until there are no pods of the copy; tells the UIDs of those that there still were."""
    watching = cluster.watch(PODS, namespace=args["namespace"], label_selector=args["pods"], metadata_only=True)
    async with watching as watch:
        seen = {each.metadata.uid for each in watch.snapshot}
        left = set(seen)
        while left:
            event = await anext(watch)
            seen.add(event.object.metadata.uid)
            (left.discard if event.type == "DELETED" else left.add)(event.object.metadata.uid)
        return seen


async def _wait_until_unreachable(pods: set[str], namespace: str, cluster: Client) -> None:
    """Wait until no EndpointSlice names one of the pods."""
    async with cluster.watch(ENDPOINTSLICES, namespace=namespace, type=EndpointSlice) as watch:
        naming = {each.metadata.uid for each in watch.snapshot if _names_one_of(pods, each)}
        while naming:
            event = await anext(watch)
            uid = event.object.metadata.uid
            naming.discard(uid)
            if event.type != "DELETED" and _names_one_of(pods, event.object):
                naming.add(uid)


def _names_one_of(pods: set[str], slice_: EndpointSlice) -> bool:
    return any(each.target_ref is not None and each.target_ref.uid in pods for each in slice_.endpoints or ())
