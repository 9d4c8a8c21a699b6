"""Seeing, at clean-up, that what was scaled has as many Ready replicas as before.

Putting the number back is an undo of its own (`field_changes`); this one is written before it, and so runs after it.
It changes nothing. How many there were is what the object's status said before it was scaled.
"""

import asyncio
import shlex
from collections.abc import Mapping
from typing import Any

from seatrial.errors import ClusterError
from seatrial.kube.resources import Resource
from seatrial.runtime.events import FaultCleared
from seatrial.runtime.undo import Undo, UndoKind
from seatrial.runtime.world import World

Object = dict[str, Any]

_LONGEST_SECONDS = 600.0


def await_replicas(resource: Resource, before: Object, *, replicas: int, timeout_seconds: float) -> Undo | None:
    """The undo that waits for as many Ready replicas as the object has; None where it has none."""
    meta = before["metadata"]
    ready = min(before.get("status", {}).get("readyReplicas", 0), replicas)
    if ready == 0:
        return None
    name, namespace = meta["name"], meta["namespace"]
    condition = f"--for=jsonpath={{.status.readyReplicas}}={ready}"
    by_hand = ["kubectl", "wait", condition, f"{resource.qualified_name}/{name}", "-n", namespace, "--timeout=120s"]
    return Undo(
        kind=AWAIT_REPLICAS.kind,
        args={
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "name": name,
            "namespace": namespace,
            "uid": meta["uid"],
            "replicas": replicas,
            "ready": ready,
            "timeout": min(timeout_seconds, _LONGEST_SECONDS),
        },
        description=f"see {resource.kind} {namespace}/{name} with {_in_words(ready)} again",
        manual=shlex.join(by_hand),
    )


async def _await(args: Mapping[str, Any], world: World) -> str:
    subject = f"{args['kind']} {args['namespace']}/{args['name']}"
    begun, seen = world.clock.monotonic(), [0]
    try:
        async with asyncio.timeout(args["timeout"]):
            note = await _until_back(args, world, seen)
    except TimeoutError:
        raise ClusterError(
            f"{subject} has {_in_words(seen[-1])} of {args['ready']} after {args['timeout']:g} s"
        ) from None
    if not note:
        seconds = world.clock.monotonic() - begun
        proof = f"{_in_words(seen[-1])} of {args['replicas']} again, {seconds:.1f} s after it was scaled back"
        world.emit(FaultCleared(subject=subject, proof=proof))
    return note


async def _until_back(args: Mapping[str, Any], world: World, seen: list[int]) -> str:
    """Wait until it has its replicas; returns why there is nothing to wait for. `seen` has how many were Ready."""
    resource = await world.cluster.resource_for(args["apiVersion"], args["kind"])
    selector = f"metadata.name={args['name']}"
    async with world.cluster.watch(resource, namespace=args["namespace"], field_selector=selector) as watch:
        found = next(iter(watch.snapshot), None)
        while True:
            if found is None or found["metadata"]["uid"] != args["uid"]:
                return "somebody deleted it since"
            wanted = found["spec"].get("replicas", 1)
            if wanted != args["replicas"]:
                return f"it is to have {wanted} replicas by now, not {args['replicas']}"
            seen.append(found.get("status", {}).get("readyReplicas", 0))
            if _is_back(found, args):
                return ""
            event = await anext(watch)
            found = None if event.type == "DELETED" else event.object


def _is_back(found: Object, args: Mapping[str, Any]) -> bool:
    status, generation = found.get("status", {}), found["metadata"].get("generation", 0)
    if status.get("observedGeneration", generation) < generation:
        return False
    return bool(status.get("replicas", 0) == args["replicas"] and status.get("readyReplicas", 0) >= args["ready"])


def _in_words(count: int) -> str:
    return f"{count} Ready replica{'' if count == 1 else 's'}"


AWAIT_REPLICAS = UndoKind(kind="awaitReplicas", run=_await, deadline_seconds=_LONGEST_SECONDS + 60)
