"""What is kept of a node, and of a namespace."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Self

from seatrial.by_hand.live.shared import of_meta
from seatrial.kube import objects
from seatrial.kube.objects import ZONE_LABEL
from seatrial.kube.reduction import Reduced

_ROLE_PREFIX, _ROLE_LABEL = "node-role.kubernetes.io/", "kubernetes.io/role"


class LiveNode(Reduced, frozen=True, kw_only=True, gc=False):
    """A node. `status` is what `kubectl get nodes` prints, such as `Ready,SchedulingDisabled`."""

    whole: ClassVar[Any] = objects.Node

    labels: Mapping[str, str]
    status: str
    is_ready: bool
    is_schedulable: bool
    roles: tuple[str, ...]
    zone: str
    internal_ips: tuple[str, ...]
    external_ips: tuple[str, ...]
    taints: tuple[str, ...]
    """As `KEY=VALUE:EFFECT`."""
    provider_id: str
    kubelet_version: str
    created: datetime | None
    deleted: datetime | None

    @classmethod
    def of(cls, whole: objects.Node) -> Self:
        """What is kept of a node."""
        meta, spec = whole.metadata, whole.spec
        labels = meta.labels or {}
        ready = next((each for each in whole.status.conditions if each.type == "Ready"), None)
        state = "Unknown" if ready is None else "Ready" if ready.is_true else "NotReady"
        return cls(
            **of_meta(meta),
            status=f"{state},SchedulingDisabled" if spec.unschedulable else state,
            is_ready=whole.is_ready,
            is_schedulable=not spec.unschedulable,
            roles=_roles(labels),
            zone=labels.get(ZONE_LABEL, ""),
            internal_ips=whole.addresses("InternalIP"),
            external_ips=whole.addresses("ExternalIP"),
            taints=tuple(f"{each.key}{f'={each.value}' if each.value else ''}:{each.effect}" for each in spec.taints),
            provider_id=spec.provider_id,
            kubelet_version=whole.status.node_info.kubelet_version,
        )


def _roles(labels: Mapping[str, str]) -> tuple[str, ...]:
    """Both ways to give a node a role that `kubectl get nodes` knows."""
    roles = {key.removeprefix(_ROLE_PREFIX) for key in labels if key.startswith(_ROLE_PREFIX)}
    return tuple(sorted(filter(None, {*roles, labels.get(_ROLE_LABEL, "")})))


class LiveNamespace(Reduced, frozen=True, kw_only=True, gc=False):
    """A namespace; its `status` is Active or Terminating."""

    whole: ClassVar[Any] = objects.Namespace

    labels: Mapping[str, str]
    status: str
    created: datetime | None
    deleted: datetime | None

    @classmethod
    def of(cls, whole: objects.Namespace) -> Self:
        """What is kept of a namespace."""
        return cls(**of_meta(whole.metadata), status=whole.status.phase)
