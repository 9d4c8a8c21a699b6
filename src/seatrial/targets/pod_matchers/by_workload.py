"""Pods by the workload that controls them.

The workload's own selector narrows the list, and the pods' ownerReferences decide: a pod that only has the same labels
is none of its pods.
"""

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar

from pydantic import Field

from seatrial.kube.errors import NotFound
from seatrial.kube.objects import PartialObject
from seatrial.kube.resources import DAEMONSETS, DEPLOYMENTS, JOBS, REPLICASETS, STATEFULSETS, Resource
from seatrial.kube.selectors import LabelSelector
from seatrial.policy.base import Model
from seatrial.targets.pod_matchers.reader import Matched, PodReader, controlled_by

Name = Annotated[str, Field(min_length=1)]


class WorkloadMatcher(Model):
    """The pods that a workload controls."""

    resource: ClassVar[Resource]

    name: Name
    """Its name."""

    namespace: Name
    """Its namespace."""

    def __str__(self) -> str:
        kind = self.resource.kind
        return f"{kind[0].lower()}{kind[1:]} {self.namespace}/{self.name}"

    async def find(self, reader: PodReader) -> Matched:
        """The pods it names."""
        try:
            workload = await reader.cluster.get(self.resource, self.name, namespace=self.namespace)
        except NotFound:
            return Matched(pods=(), notes=(f"there is no {self.resource.kind} {self.namespace}/{self.name}",))
        selector = workload["spec"].get("selector")
        labels = str(LabelSelector.from_dict(selector)) if selector else ""
        controllers = await self._controllers(workload, labels, reader)
        pods = await reader.list(self.namespace, label_selector=labels)
        return Matched(pods=controlled_by(pods, controllers))

    async def _controllers(self, workload: dict[str, Any], labels: str, reader: PodReader) -> Iterable[str]:  # noqa: ARG002 -- for those that don't control pods directly
        return [workload["metadata"]["uid"]]


class DeploymentMatcher(WorkloadMatcher):
    """The pods that a Deployment owns through its ReplicaSets."""

    resource = DEPLOYMENTS

    async def _controllers(self, workload: dict[str, Any], labels: str, reader: PodReader) -> Iterable[str]:
        sets = await reader.cluster.list(
            REPLICASETS, namespace=self.namespace, label_selector=labels, type=PartialObject, metadata_only=True
        )
        uid = workload["metadata"]["uid"]
        return [each.metadata.uid for each in sets.items if (owner := each.metadata.controller) and owner.uid == uid]


class StatefulSetMatcher(WorkloadMatcher):
    """The pods of a StatefulSet."""

    resource = STATEFULSETS


class DaemonSetMatcher(WorkloadMatcher):
    """The pods of a DaemonSet."""

    resource = DAEMONSETS


class JobMatcher(WorkloadMatcher):
    """The pods of a Job."""

    resource = JOBS


class ReplicaSetMatcher(WorkloadMatcher):
    """The pods of a ReplicaSet."""

    resource = REPLICASETS
