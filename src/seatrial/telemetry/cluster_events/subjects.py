"""What a Kubernetes Event is about, as an object reference; owners of pods are found by asking the API server."""

from collections import OrderedDict
from typing import Any

import msgspec

from seatrial.errors import ClusterError
from seatrial.kube.client import Client
from seatrial.kube.objects import ObjectMeta, PartialObject
from seatrial.kube.resources import (
    CRONJOBS,
    DAEMONSETS,
    DEPLOYMENTS,
    JOBS,
    NODES,
    REPLICASETS,
    REPLICATIONCONTROLLERS,
    STATEFULSETS,
    Resource,
)
from seatrial.runtime.events import NodeRef, PodRef
from seatrial.telemetry.cluster_events.notes import NodeNamed, OwnerOf, Subject

_OWNERS = {
    each.kind: each
    for each in (REPLICASETS, STATEFULSETS, DAEMONSETS, JOBS, CRONJOBS, DEPLOYMENTS, REPLICATIONCONTROLLERS)
}
_MOST_KEPT = 500


class Reference(msgspec.Struct, frozen=True):
    """An object as an Event names it."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str

    def as_json(self) -> dict[str, Any]:
        """In the form of the API."""
        named = {"apiVersion": self.api_version, "kind": self.kind, "name": self.name, "uid": self.uid}
        return {**named, "namespace": self.namespace} if self.namespace else named


class _Owned(msgspec.Struct, frozen=True):
    metadata: ObjectMeta


class Subjects:
    """Finds references, and keeps those that it asked for."""

    def __init__(self, cluster: Client) -> None:
        self._cluster = cluster
        self._found: OrderedDict[tuple[str, str], Reference | None] = OrderedDict()

    async def reference(self, subject: Subject) -> Reference | None:
        """The reference to what a note is about; None where it isn't there, or of a kind that we don't know.

        Raises:
            ClusterError: the API server does not tell.
        """
        match subject:
            case PodRef(namespace=namespace, name=name, uid=uid):
                return Reference("v1", "Pod", namespace, name, uid)
            case NodeRef(name=name, uid=uid):
                return Reference("v1", "Node", "", name, uid)
            case NodeNamed(name=name):
                return await self._kept(("", name), lambda: self._node(name))
            case OwnerOf(pod=pod) if pod.owner:
                return await self._kept((pod.namespace, pod.owner), lambda: self._owner(pod.namespace, pod.owner))
        return None

    async def _kept(self, key: tuple[str, str], find: Any) -> Reference | None:
        if key not in self._found:
            try:
                self._found[key] = await find()
            except ClusterError as error:
                if not _is_gone(error):
                    raise
                return None
            while len(self._found) > _MOST_KEPT:
                self._found.popitem(last=False)
        return self._found[key]

    async def _node(self, name: str) -> Reference:
        found = await self._cluster.get(NODES, name, type=PartialObject)
        return Reference("v1", "Node", "", name, found.metadata.uid)

    async def _owner(self, namespace: str, owner: str) -> Reference | None:
        """The topmost owner that we know of: a ReplicaSet's Deployment, a Job's CronJob."""
        kind, _, name = owner.partition("/")
        resource = _OWNERS.get(kind)
        if resource is None:
            return None
        found = await self._cluster.get(resource, name, namespace=namespace, type=_Owned)
        above = found.metadata.controller
        if above is not None and above.kind in _OWNERS:
            return _of(_OWNERS[above.kind], namespace, above.name, above.uid)
        return _of(resource, namespace, name, found.metadata.uid)


def _of(resource: Resource, namespace: str, name: str, uid: str) -> Reference:
    return Reference(resource.api_version, resource.kind, namespace, name, uid)


def _is_gone(error: ClusterError) -> bool:
    from seatrial.kube.errors import NotFound  # noqa: PLC0415 -- where something failed

    return isinstance(error, NotFound)
