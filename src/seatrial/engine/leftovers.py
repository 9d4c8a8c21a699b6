"""Objects on a cluster that carry the label of a run which the journal here doesn't know.

Its journal is on another machine, or lost. What stood there before can't be known without it; what it was that a run
made or changed can, and how a person takes it away.
"""

import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from seatrial.actions.created_objects import RUN_LABEL
from seatrial.actions.parallel import in_parallel
from seatrial.kube.client import Client
from seatrial.kube.errors import ApiStatusError
from seatrial.kube.resources import Resource

_MANAGER = "seatrial"
_MOST_AT_ONCE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """An object that a run made (`created`) or changed, and the command that takes it, or the run's label, away."""

    run: str
    what: str
    created: bool
    manual: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """What was found, and the kinds of objects that could not be listed."""

    found: tuple[Leftover, ...] = ()
    unread: tuple[str, ...] = ()


async def find_leftovers(cluster: Client, *, known: Collection[str]) -> Leftovers:
    """Look through every kind of object for labels of runs other than the known ones.

    Raises:
        ClusterError: the API server did not answer.
    """
    resources = await cluster.deletable_resources()
    listed = await in_parallel(resources, partial(_labelled, cluster), most=_MOST_AT_ONCE)
    found = [
        _leftover(resource, each)
        for resource, objects in zip(resources, listed, strict=True)
        for each in objects or ()
        # What belongs to another object goes with it.
        if each["metadata"]["labels"][RUN_LABEL] not in known and not each["metadata"].get("ownerReferences")
    ]
    unread = [resource.qualified_name for resource, objects in zip(resources, listed, strict=True) if objects is None]
    return Leftovers(found=tuple(sorted(found, key=lambda each: (each.run, each.what))), unread=tuple(unread))


async def _labelled(cluster: Client, resource: Resource) -> list[dict[str, Any]] | None:
    try:
        listed = await cluster.list(
            resource,
            label_selector=RUN_LABEL,
            metadata_only=True,
            type=dict[str, Any],
            # Out of the API server's memory: it need not read every object of a big cluster from etcd for a few.
            resource_version="0",
        )
    except ApiStatusError:  # forbidden, or an extension whose server is down
        return None
    return listed.items


def _leftover(resource: Resource, found: Mapping[str, Any]) -> Leftover:
    meta = found["metadata"]
    namespace = meta.get("namespace", "")
    where = ["-n", namespace] if namespace else []
    created = _was_created_by_us(meta)
    target = [resource.qualified_name, meta["name"], *where]
    return Leftover(
        run=meta["labels"][RUN_LABEL],
        what=f"{resource.kind} {f'{namespace}/' if namespace else ''}{meta['name']}",
        created=created,
        manual=shlex.join(
            ["kubectl", "delete", *target] if created else ["kubectl", "label", *target, f"{RUN_LABEL}-"]
        ),
    )


def _was_created_by_us(meta: Mapping[str, Any]) -> bool:
    """Whether the first who set fields of it were we, when it was made."""
    times = {each["time"] for each in meta.get("managedFields") or () if each.get("time")}
    first = [each for each in meta.get("managedFields") or () if each.get("time") == min(times, default=None)]
    return (
        all(each.get("manager") == _MANAGER for each in first) and min(times, default="~") <= meta["creationTimestamp"]
    )
