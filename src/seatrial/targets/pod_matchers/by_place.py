"""Pods by where they run: a node, or the nodes of a zone."""

from typing import Annotated

from pydantic import Field

from seatrial.kube.errors import Forbidden, NotFound
from seatrial.kube.objects import ZONE_LABEL, PartialObject
from seatrial.kube.resources import NODES
from seatrial.kube.selectors import LabelSelector
from seatrial.policy.base import Model
from seatrial.targets.pod_matchers.reader import Matched, PodReader, in_words


class NodeMatcher(Model):
    """The pods that run on a node."""

    name: Annotated[str, Field(min_length=1)]
    """The node's name."""

    namespace: str = "*"
    """The namespace to look in; `*` or an empty string: all; a glob such as `team-*` matches whole names."""

    def __str__(self) -> str:
        return f"node {self.name}, {in_words(self.namespace)}"

    async def find(self, reader: PodReader) -> Matched:
        """The pods it names."""
        found = await reader.list_in(self.namespace, field_selector=f"spec.nodeName={self.name}")
        if found.pods or found.notes:
            return found
        try:
            await reader.cluster.get(NODES, self.name, type=PartialObject)
        except NotFound:
            return Matched(pods=(), notes=(f"there is no node '{self.name}'",))
        except Forbidden:
            return found
        return found


class ZoneMatcher(Model):
    """The pods that run on the nodes of a zone."""

    name: Annotated[str, Field(min_length=1)]
    """The zone, as the nodes' label `topology.kubernetes.io/zone` has it."""

    namespace: str = "*"
    """The namespace to look in; `*` or an empty string: all; a glob such as `team-*` matches whole names."""

    def __str__(self) -> str:
        return f"zone {self.name}, {in_words(self.namespace)}"

    async def find(self, reader: PodReader) -> Matched:
        """The pods it names."""
        selector = str(LabelSelector.from_labels({ZONE_LABEL: self.name}))
        listed = await reader.cluster.list(NODES, label_selector=selector, type=PartialObject, metadata_only=True)
        nodes = {each.metadata.name for each in listed.items}
        if not nodes:
            return Matched(pods=(), notes=(f"no node is in the zone '{self.name}'",))
        found = await reader.with_status.list_in(self.namespace)
        return Matched(pods=tuple(pod for pod in found.pods if pod.spec.node_name in nodes), notes=found.notes)
