"""Pods by the Service that sends them traffic."""

from typing import Annotated

from pydantic import Field

from seatrial.kube.errors import NotFound
from seatrial.kube.objects import EndpointSlice, Service
from seatrial.kube.resources import ENDPOINTSLICES, SERVICES
from seatrial.kube.selectors import LabelSelector
from seatrial.policy.base import Model
from seatrial.targets.pod_matchers.reader import Matched, PodReader


class ServiceMatcher(Model):
    """The pods behind a Service, Ready or not: those that it selects, or that its EndpointSlices name."""

    name: Annotated[str, Field(min_length=1)]
    """The Service's name."""

    namespace: Annotated[str, Field(min_length=1)]
    """The Service's namespace."""

    def __str__(self) -> str:
        return f"service {self.namespace}/{self.name}"

    async def find(self, reader: PodReader) -> Matched:
        """The pods it names."""
        try:
            service = await reader.cluster.get(SERVICES, self.name, namespace=self.namespace, type=Service)
        except NotFound:
            return Matched(pods=(), notes=(f"there is no Service {self.namespace}/{self.name}",))
        if service.spec.type == "ExternalName":
            return Matched(pods=(), notes=(f"{self} is but another name for {service.spec.external_name}",))
        if service.spec.selector:
            selector = str(LabelSelector.from_labels(service.spec.selector))
            return Matched(pods=await reader.list(self.namespace, label_selector=selector))
        uids = await self._endpoints(reader)
        if not uids:
            return Matched(pods=(), notes=(f"{self} has no selector, and its EndpointSlices name no pod",))
        pods = await reader.list(self.namespace)
        return Matched(pods=tuple(pod for pod in pods if pod.metadata.uid in uids))

    async def _endpoints(self, reader: PodReader) -> set[str]:
        slices = await reader.cluster.list(
            ENDPOINTSLICES,
            namespace=self.namespace,
            label_selector=f"kubernetes.io/service-name={self.name}",
            type=EndpointSlice,
        )
        targets = [endpoint.target_ref for each in slices.items for endpoint in each.endpoints or ()]
        return {target.uid for target in targets if target is not None and target.kind == "Pod"}
