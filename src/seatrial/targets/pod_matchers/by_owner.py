"""Pods by any object that owns them, directly or through others: a CronJob's, an operator's database's.

Ownership is followed upwards from the pods. Of each kind that turns up on the way the metadata of all objects in the
namespace is read once, so that the number of requests depends on how many kinds there are, not on how many objects.
"""

from typing import Annotated

from pydantic import Field

from seatrial.errors import UsageError
from seatrial.kube.client import Client
from seatrial.kube.discovery import UnknownKindError
from seatrial.kube.errors import Forbidden, NotFound
from seatrial.kube.objects import OwnerReference, PartialObject
from seatrial.kube.resources import Resource
from seatrial.policy.base import Model
from seatrial.targets.pod_matchers.reader import Matched, PodReader

Name = Annotated[str, Field(min_length=1)]


class OwnerMatcher(Model):
    """The pods that an object of any kind owns, directly or through objects that it owns."""

    kind: Name
    """Its kind as manifests have it: `CronJob`, `Rollout`, `Node`."""

    name: Name
    """Its name."""

    namespace: Name | None = None
    """Its namespace; only kinds that belong to no namespace go without."""

    api_version: Name | None = None
    """Its `apiVersion`, needed where several groups have the same kind."""

    def __str__(self) -> str:
        where = f"{self.namespace}/" if self.namespace else ""
        return f"owner {self.kind} {where}{self.name}"

    async def find(self, reader: PodReader) -> Matched:
        """The pods it names."""
        cluster = reader.cluster
        if self.api_version:
            resource = await cluster.resource_for(self.api_version, self.kind)
        else:
            resource = await cluster.discover(self.kind)
        if resource.namespaced and not self.namespace:
            raise UsageError(f"a {resource.kind} has a namespace", hint=f"say which one in the matcher '{self}'")
        try:
            owner = await cluster.get(resource, self.name, namespace=self.namespace, type=PartialObject)
        except NotFound:
            return Matched(pods=(), notes=(f"there is no {resource.kind} {str(self).rpartition(' ')[2]}",))
        pods = await reader.list(self.namespace)
        ancestry = _Ancestry(cluster, self.namespace)
        await ancestry.climb([each for pod in pods for each in pod.metadata.owner_references])
        owned = ancestry.below(owner.metadata.uid)
        found = tuple(pod for pod in pods if any(each.uid in owned for each in pod.metadata.owner_references))
        return Matched(pods=found, notes=() if found else tuple(ancestry.notes))


class _Ancestry:
    """Who owns whom among the objects of a namespace (None: of the cluster)."""

    def __init__(self, cluster: Client, namespace: str | None) -> None:
        self.notes: list[str] = []
        self._cluster = cluster
        self._namespace = namespace
        self._owners: dict[str, tuple[OwnerReference, ...]] = {}
        self._read: set[tuple[str, str]] = set()

    async def climb(self, references: list[OwnerReference]) -> None:
        """Read every kind that these references lead to, and those that the objects of these kinds lead to."""
        while kinds := {(each.api_version, each.kind) for each in references} - self._read:
            references = []
            for api_version, kind in sorted(kinds):
                self._read.add((api_version, kind))
                for each in await self._objects(api_version, kind):
                    self._owners[each.metadata.uid] = each.metadata.owner_references
                    references += each.metadata.owner_references

    def below(self, uid: str) -> set[str]:
        """That object, and all that it owns, by UID."""
        found = {uid}
        while more := {
            each for each, owners in self._owners.items() if each not in found and any(o.uid in found for o in owners)
        }:
            found |= more
        return found

    async def _objects(self, api_version: str, kind: str) -> list[PartialObject]:
        try:
            resource: Resource = await self._cluster.resource_for(api_version, kind)
            listed = await self._cluster.list(
                resource,
                namespace=self._namespace if resource.namespaced else None,
                type=PartialObject,
                metadata_only=True,
            )
        except (Forbidden, NotFound, UnknownKindError) as error:
            self.notes.append(f"what owns each {kind} can't be seen: {error.message}")
            return []
        return listed.items
