"""What is kept of that which makes pods: Deployments, StatefulSets, DaemonSets, ReplicaSets, Jobs."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Self

import msgspec

from seatrial.by_hand.live.shared import of_meta
from seatrial.kube import objects
from seatrial.kube.objects import ObjectMeta
from seatrial.kube.reduction import Reduced


class LiveWorkload(Reduced, frozen=True, kw_only=True, gc=False):
    """A workload: how many pods it wants, has, has ready, up to date, available; `selector` as Kubernetes writes it."""

    kind: ClassVar[str]

    labels: Mapping[str, str]
    selector: Mapping[str, Any]
    owner_kind: str
    owner: str
    wanted: int
    current: int
    ready: int
    updated: int
    available: int
    created: datetime | None
    deleted: datetime | None


class _Replicas(LiveWorkload, frozen=True, kw_only=True, gc=False):
    @classmethod
    def of(cls, whole: objects.Deployment | objects.StatefulSet | objects.ReplicaSet) -> Self:
        """What is kept of a workload with replicas."""
        return cls(
            **_of_meta(whole.metadata),
            selector=whole.spec.selector or {},
            wanted=whole.spec.wanted_replicas,
            current=whole.status.replicas,
            ready=whole.status.ready_replicas,
            updated=whole.status.updated_replicas,
            available=whole.status.available_replicas,
        )


class LiveDeployment(_Replicas, frozen=True, kw_only=True, gc=False):
    """A Deployment."""

    whole: ClassVar[Any] = objects.Deployment
    kind: ClassVar[str] = "Deployment"


class LiveStatefulSet(_Replicas, frozen=True, kw_only=True, gc=False):
    """A StatefulSet."""

    whole: ClassVar[Any] = objects.StatefulSet
    kind: ClassVar[str] = "StatefulSet"


class LiveReplicaSet(_Replicas, frozen=True, kw_only=True, gc=False):
    """A ReplicaSet; it has no pods that are out of date, `updated` stays 0."""

    whole: ClassVar[Any] = objects.ReplicaSet
    kind: ClassVar[str] = "ReplicaSet"


class LiveDaemonSet(LiveWorkload, frozen=True, kw_only=True, gc=False):
    """A DaemonSet: it wants a pod on each of its nodes."""

    whole: ClassVar[Any] = objects.DaemonSet
    kind: ClassVar[str] = "DaemonSet"

    @classmethod
    def of(cls, whole: objects.DaemonSet) -> Self:
        """What is kept of a DaemonSet."""
        return cls(
            **_of_meta(whole.metadata),
            selector=whole.spec.selector or {},
            wanted=whole.status.desired_number_scheduled,
            current=whole.status.current_number_scheduled,
            ready=whole.status.number_ready,
            updated=whole.status.updated_number_scheduled,
            available=whole.status.number_available,
        )


class _JobSpec(msgspec.Struct, frozen=True):
    completions: int | None = None
    parallelism: int | None = None
    suspend: bool = False
    selector: dict[str, Any] | None = None


class _JobStatus(msgspec.Struct, frozen=True):
    active: int = 0
    succeeded: int = 0
    failed: int = 0
    conditions: tuple[objects.Condition, ...] = ()


class _Job(msgspec.Struct, frozen=True):
    metadata: ObjectMeta
    spec: _JobSpec = msgspec.field(default_factory=_JobSpec)
    status: _JobStatus = msgspec.field(default_factory=_JobStatus)


class LiveJob(Reduced, frozen=True, kw_only=True, gc=False):
    """A Job; `status` is what `kubectl get jobs` prints. `wanted` completions: 1 where its spec leaves it open."""

    whole: ClassVar[Any] = _Job
    kind: ClassVar[str] = "Job"

    labels: Mapping[str, str]
    selector: Mapping[str, Any]
    owner_kind: str
    owner: str
    status: str
    wanted: int
    active: int
    succeeded: int
    failed: int
    created: datetime | None
    deleted: datetime | None

    @classmethod
    def of(cls, whole: _Job) -> Self:
        """What is kept of a Job."""
        spec, status = whole.spec, whole.status
        return cls(
            **_of_meta(whole.metadata),
            selector=spec.selector or {},
            status=_job_status(whole),
            wanted=1 if spec.completions is None else spec.completions,
            active=status.active,
            succeeded=status.succeeded,
            failed=status.failed,
        )


def _job_status(job: _Job) -> str:
    """The STATUS column of `kubectl get jobs`, in its order."""
    holds = {each.type for each in job.status.conditions if each.is_true}
    for condition in ("Complete", "Failed"):
        if condition in holds:
            return condition
    if job.metadata.deletion_timestamp is not None:
        return "Terminating"
    for condition in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if condition in holds:
            return condition
    return "Running"


def _of_meta(meta: ObjectMeta) -> dict[str, Any]:
    owner = meta.controller
    return {
        **of_meta(meta),
        "owner_kind": owner.kind if owner else "",
        "owner": owner.name if owner else "",
    }
