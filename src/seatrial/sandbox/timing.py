"""How long a sandbox's own parts wait: every interval that Kubernetes defines and nobody writes into a manifest.

Two presets: `REALISTIC` has Kubernetes' defaults, `SANDBOX` notices a dead node soon enough to watch it happen.
`scaled` makes all of it quicker or slower alike, which is how a recording of ten minutes is replayed in seconds. What
stands in a manifest (probe periods, grace periods, deadlines) is always taken as it stands there. `cluster_config.py`
carries the timing to controllers and machines.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from seatrial.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Intervals in seconds, and two factors; the defaults are Kubernetes' own.

    Args:
        heartbeat_seconds: between two renewals of a node's Lease.
        node_status_seconds: between two reports of a node's status where nothing changes.
        node_monitor_grace_seconds: how long a node may be silent before it is given up.
        node_startup_grace_seconds: the same for a node that has never been heard of.
        node_monitor_seconds: how long a node has to be back before its NoExecute taints go.
        missing_node_quarantine_seconds: how long a pod's node has to be missing before the pod is removed.
        default_toleration_seconds: how long a pod stays on an unreachable node by the tolerations that every pod is
            given; its manifest says 300 whatever this is.
        toleration_scale: what the `tolerationSeconds` that somebody wrote are multiplied by.
        pod_start_seconds: what a kubelet and its container runtime need before a pod's first container starts.
        pod_stop_seconds: what they need until a deleted pod's containers are told to stop, and again until an ended
            pod is cleaned away.
        restart_base_seconds: the pause before a container that failed twice is started again; it doubles.
        restart_longest_seconds: the longest such pause.
        restart_forget_seconds: running for so long, a container starts over with the shortest.
        pull_base_seconds: the pause after an image could not be had; it doubles.
        pull_longest_seconds: the longest such pause.
        eviction_look_seconds: how often a kubelet looks how much local storage its pods use, where that is limited.
        job_backoff_base_seconds: the pause before a Job's failed pod is replaced; it doubles.
        job_backoff_longest_seconds: the longest such pause.
        job_batch_seconds: how long news of a Job's pods are collected before the Job is looked at.
        daemon_backoff_base_seconds: the pause before a DaemonSet's failed pod is replaced; it doubles.
        daemon_backoff_longest_seconds: the longest such pause.
        namespace_seconds: between the deletion of a namespace and that of what it holds.
        cron_speed: how many times as fast as the wall clock the clock of CronJobs runs.
    """

    heartbeat_seconds: float = 10.0
    node_status_seconds: float = 300.0
    node_monitor_grace_seconds: float = 50.0
    node_startup_grace_seconds: float = 60.0
    node_monitor_seconds: float = 5.0
    missing_node_quarantine_seconds: float = 40.0
    default_toleration_seconds: float = 300.0
    toleration_scale: float = 1.0
    pod_start_seconds: float = 0.8
    pod_stop_seconds: float = 0.5
    restart_base_seconds: float = 10.0
    restart_longest_seconds: float = 300.0
    restart_forget_seconds: float = 600.0
    pull_base_seconds: float = 10.0
    pull_longest_seconds: float = 300.0
    eviction_look_seconds: float = 10.0
    job_backoff_base_seconds: float = 10.0
    job_backoff_longest_seconds: float = 600.0
    job_batch_seconds: float = 1.0
    daemon_backoff_base_seconds: float = 1.0
    daemon_backoff_longest_seconds: float = 900.0
    namespace_seconds: float = 5.0
    cron_speed: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) <= 0:
                raise UsageError(f"{field.name} has to be more than 0, not {getattr(self, field.name):g}")
        if self.node_monitor_grace_seconds <= self.heartbeat_seconds:
            raise UsageError(
                f"a node that renews its Lease every {self.heartbeat_seconds:g} s would be given up in between, "
                f"after {self.node_monitor_grace_seconds:g} s"
            )

    def scaled(self, by: float) -> "Timing":
        """The same course of events in `by` times the time; CronJobs' clock included."""
        if by <= 0:
            raise UsageError(f"time can be scaled by a number above 0, not by {by:g}")
        values = {field.name: getattr(self, field.name) * by for field in fields(self)}
        return Timing(**{**values, "cron_speed": self.cron_speed / by})

    def with_grace(self, node_monitor_grace_seconds: float) -> "Timing":
        """The same but for how long a node may be silent; heartbeats keep up with a short grace."""
        heartbeat_seconds = min(self.heartbeat_seconds, node_monitor_grace_seconds / _HEARTBEATS_A_GRACE)
        return replace(self, node_monitor_grace_seconds=node_monitor_grace_seconds, heartbeat_seconds=heartbeat_seconds)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> "Timing":
        """What `dataclasses.asdict` made of one."""
        return cls(**values)


_HEARTBEATS_A_GRACE: Final = 4

REALISTIC: Final = Timing()
SANDBOX: Final = Timing(
    heartbeat_seconds=4.0,
    node_monitor_grace_seconds=16.0,
    node_startup_grace_seconds=30.0,
    node_monitor_seconds=1.0,
    missing_node_quarantine_seconds=10.0,
    default_toleration_seconds=30.0,
    pod_start_seconds=0.001,
    pod_stop_seconds=0.001,
    namespace_seconds=0.05,
)
