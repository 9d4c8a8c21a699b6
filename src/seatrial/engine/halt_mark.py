"""The mark that halts every experiment on a cluster: a ConfigMap, there or not there.

It outlives whoever set it, anybody can see it with kubectl, and where no Seatrial is at hand kubectl sets and takes it
too: `kubectl create configmap seatrial-halt --from-literal reason=...`.
"""

import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from seatrial.kube.client import Client
from seatrial.kube.errors import AlreadyExists, NotFound
from seatrial.kube.resources import CONFIGMAPS
from seatrial.runtime.halt import HaltMark
from seatrial.runtime.process_identity import user_name

NAME = "seatrial-halt"
DEFAULT_NAMESPACE = "default"


def own_mark(reason: str) -> HaltMark:
    """A mark to be set now, in the name of this process's user."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return HaltMark(by=f"{user_name()}@{socket.gethostname()}", since=since, reason=reason)


async def read_mark(cluster: Client, *, namespace: str) -> HaltMark | None:
    """The mark, None where experiments may run.

    Raises:
        ClusterError: it can't be read.
    """
    try:
        return mark_of(await cluster.get(CONFIGMAPS, NAME, namespace=namespace))
    except NotFound:
        return None


async def set_mark(cluster: Client, mark: HaltMark, *, namespace: str) -> HaltMark:
    """Set the mark, and answer it; one that is there already stays as it is, and is answered instead.

    Raises:
        ClusterError: it can't be set.
    """
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": NAME, "labels": {"app.kubernetes.io/managed-by": "seatrial"}},
        "data": {"by": mark.by, "since": mark.since, "reason": mark.reason},
    }
    try:
        return mark_of(await cluster.create(CONFIGMAPS, body, namespace=namespace))
    except AlreadyExists:
        return mark_of(await cluster.get(CONFIGMAPS, NAME, namespace=namespace))


async def lift_mark(cluster: Client, *, namespace: str) -> HaltMark | None:
    """Take the mark away, and answer what it was; None where there was none.

    Raises:
        ClusterError: it can't be taken away.
    """
    try:
        found = await cluster.get(CONFIGMAPS, NAME, namespace=namespace)
        await cluster.delete(CONFIGMAPS, NAME, namespace=namespace, uid=found["metadata"]["uid"])
    except NotFound:
        return None
    return mark_of(found)


def mark_of(config_map: Mapping[str, Any]) -> HaltMark:
    """What a ConfigMap says; one made by hand may say little."""
    data = config_map.get("data") or {}
    since = data.get("since") or config_map["metadata"].get("creationTimestamp", "")
    return HaltMark(by=data.get("by", ""), since=since, reason=data.get("reason", ""))
