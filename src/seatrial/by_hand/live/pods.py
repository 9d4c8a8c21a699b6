"""What is kept of a pod: what tables, completion and the dashboard show. Ten thousand take some ten megabytes."""

import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Self

from seatrial.by_hand.live.shared import of_meta, shared_texts
from seatrial.kube import objects
from seatrial.kube.pod_status import printed_ready, printed_status, restart_count
from seatrial.kube.reduction import Reduced


class LivePod(Reduced, frozen=True, kw_only=True, gc=False):
    """A pod. `status`, `ready` and `restarts` are what `kubectl get pods` prints."""

    whole: ClassVar[Any] = objects.Pod

    labels: Mapping[str, str]
    node: str
    phase: str
    status: str
    ready: str
    is_ready: bool
    """Whether Services send traffic to it."""
    restarts: int
    owner_kind: str
    owner: str
    """Kind and name of the object that manages it; empty for a pod of its own."""
    ip: str
    created: datetime | None
    deleted: datetime | None
    containers: tuple[str, ...]
    images: tuple[str, ...]

    @classmethod
    def of(cls, whole: objects.Pod) -> Self:
        """What is kept of a pod."""
        meta, spec, status = whole.metadata, whole.spec, whole.status
        owner = meta.controller
        return cls(
            **of_meta(meta),
            node=sys.intern(spec.node_name),
            phase=sys.intern(status.phase),
            status=sys.intern(printed_status(whole)),
            ready=sys.intern(printed_ready(whole)),
            is_ready=whole.is_ready,
            restarts=restart_count(whole),
            owner_kind=sys.intern(owner.kind) if owner else "",
            owner=sys.intern(owner.name) if owner else "",
            ip=status.pod_ip,
            containers=shared_texts(tuple(each.name for each in spec.containers)),
            images=shared_texts(tuple(each.image for each in spec.containers)),
        )
