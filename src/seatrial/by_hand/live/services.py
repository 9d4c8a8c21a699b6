"""What is kept of a Service."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Self

from seatrial.by_hand.live.shared import of_meta
from seatrial.kube import objects
from seatrial.kube.objects import ServicePort
from seatrial.kube.reduction import Reduced


class LiveService(Reduced, frozen=True, kw_only=True, gc=False):
    """A Service."""

    whole: ClassVar[Any] = objects.Service

    labels: Mapping[str, str]
    type: str
    cluster_ip: str
    ports: tuple[ServicePort, ...]
    selector: Mapping[str, str]
    external_name: str
    created: datetime | None
    deleted: datetime | None

    @classmethod
    def of(cls, whole: objects.Service) -> Self:
        """What is kept of a Service."""
        meta, spec = whole.metadata, whole.spec
        return cls(
            **of_meta(meta),
            type=spec.type,
            cluster_ip=spec.cluster_ip,
            ports=spec.ports,
            selector=spec.selector or {},
            external_name=spec.external_name,
        )
