"""A Deployment's status and conditions, worked out from its ReplicaSets.

Pure functions: `deployment.py` writes what they return. Rules: Kubernetes documentation, "Deployment status":
Available, Progressing (with its reasons and deadline), ReplicaFailure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.controllers.deployment_sizes import (
    max_unavailable,
    replicas_of,
    status_count,
    total,
    total_status,
)
from seatrial.sandbox.controllers.objects import condition, name_of
from seatrial.sandbox.timestamps import from_time, to_time

COMPLETE: Final = "NewReplicaSetAvailable"
TIMED_OUT: Final = "ProgressDeadlineExceeded"
PAUSED: Final = "DeploymentPaused"
_NO_DEADLINE: Final = 2**31 - 1


@dataclass(frozen=True)
class Verdict:
    """What a condition says."""

    type: str
    status: str
    reason: str
    message: str


def has_deadline(deployment: Object) -> bool:
    """`progressDeadlineSeconds` is set to something that can pass."""
    seconds = deployment["spec"].get("progressDeadlineSeconds")
    return seconds is not None and seconds != _NO_DEADLINE


def seconds_to_deadline(deployment: Object, now: datetime) -> float | None:
    """Until the progress deadline passes, as the written status has it; None where there is nothing to wait for."""
    progressing = condition(deployment, "Progressing")
    if not has_deadline(deployment) or progressing is None or progressing["reason"] in {COMPLETE, TIMED_OUT}:
        return None
    since = from_time(progressing["lastUpdateTime"])
    deadline = since + timedelta(seconds=deployment["spec"]["progressDeadlineSeconds"])
    return (deadline - now).total_seconds()


def with_condition(status: Object, verdict: Verdict, now: datetime) -> Object:
    """A status with that condition; the same status and reason as before change nothing."""
    known = condition({"status": status}, verdict.type)
    if known is not None and (known["status"], known["reason"]) == (verdict.status, verdict.reason):
        return status
    moment = to_time(now)
    kept = known is not None and known["status"] == verdict.status
    entry = {
        "type": verdict.type,
        "status": verdict.status,
        "lastUpdateTime": moment,
        "lastTransitionTime": known["lastTransitionTime"] if kept and known is not None else moment,
        "reason": verdict.reason,
        "message": verdict.message,
    }
    return {**without_condition(status, verdict.type), "conditions": [*_others(status, verdict.type), entry]}


def without_condition(status: Object, kind: str) -> Object:
    """A status without that condition."""
    others = _others(status, kind)
    rest = {field: value for field, value in status.items() if field != "conditions"}
    return {**rest, "conditions": others} if others else rest


def _others(status: Object, kind: str) -> list[Object]:
    return [entry for entry in status.get("conditions") or () if entry["type"] != kind]


def counted(deployment: Object, replica_sets: Sequence[Object], newest: Object | None, now: datetime) -> Object:
    """The status as the ReplicaSets' numbers have it, with the Available condition."""
    available = total_status(replica_sets, "availableReplicas")
    counts = {
        "replicas": total_status(replica_sets, "replicas"),
        "updatedReplicas": status_count(newest, "replicas") if newest is not None else 0,
        "readyReplicas": total_status(replica_sets, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, total(replica_sets) - available),
    }
    old = deployment.get("status") or {}
    status: Object = {"observedGeneration": deployment["metadata"].get("generation", 0)}
    status.update({name: count for name, count in counts.items() if count})
    status["terminatingReplicas"] = total_status(replica_sets, "terminatingReplicas")
    for field in ("conditions", "collisionCount"):
        if old.get(field):
            status[field] = old[field]
    if available >= replicas_of(deployment) - max_unavailable(deployment):
        verdict = Verdict("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        verdict = Verdict(
            "Available",
            "False",
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
        )
    return with_condition(status, verdict, now)


def is_complete(deployment: Object, status: Object) -> bool:
    """Everything wanted is up to date and available, and nothing old is left."""
    wanted = replicas_of(deployment)
    return (
        all(status.get(field, 0) == wanted for field in ("updatedReplicas", "replicas", "availableReplicas"))
        and status["observedGeneration"] >= deployment["metadata"].get("generation", 0)
    )  # fmt: skip


def _has_moved(deployment: Object, status: Object) -> bool:
    old = deployment.get("status") or {}
    old_pods = old.get("replicas", 0) - old.get("updatedReplicas", 0)
    return (
        status.get("replicas", 0) - status.get("updatedReplicas", 0) < old_pods
        or any(
            status.get(field, 0) > old.get(field, 0)
            for field in ("updatedReplicas", "readyReplicas", "availableReplicas")
        )
    )  # fmt: skip


def rolled_out(deployment: Object, replica_sets: Sequence[Object], newest: Object | None, now: datetime) -> Object:
    """The status of a Deployment that is neither paused nor only being scaled."""
    status = counted(deployment, replica_sets, newest, now)
    if not has_deadline(deployment):
        status = without_condition(status, "Progressing")
    else:
        status = _with_progress(deployment, status, newest, now)
    failure = next((found for item in replica_sets if (found := condition(item, "ReplicaFailure")) is not None), None)
    if failure is None:
        return without_condition(status, "ReplicaFailure")
    verdict = Verdict("ReplicaFailure", failure["status"], failure["reason"], failure["message"])
    return with_condition(status, verdict, now)


def _with_progress(deployment: Object, status: Object, newest: Object | None, now: datetime) -> Object:
    known = condition(deployment, "Progressing")
    if (
        known is not None
        and known["reason"] == COMPLETE
        and status.get("replicas", 0) == status.get("updatedReplicas", 0)
    ):
        return status  # losing a pod afterwards isn't a rollout
    what = f'ReplicaSet "{name_of(newest)}"' if newest else f'Deployment "{name_of(deployment)}"'
    if is_complete(deployment, status):
        message = f"{what} has successfully progressed."
        return with_condition(status, Verdict("Progressing", "True", COMPLETE, message), now)
    if _has_moved(deployment, status):
        return _with_moved(status, f"{what} is progressing.", known, now)
    if is_timed_out(deployment, now):
        message = f"{what} has timed out progressing."
        return with_condition(status, Verdict("Progressing", "False", TIMED_OUT, message), now)
    return status


def _with_moved(status: Object, message: str, known: Object | None, now: datetime) -> Object:
    # Each step forward renews lastUpdateTime, from which the deadline counts.
    moment = to_time(now)
    kept = known is not None and known["status"] == "True"
    entry = {
        "type": "Progressing",
        "status": "True",
        "lastUpdateTime": moment,
        "lastTransitionTime": known["lastTransitionTime"] if kept and known is not None else moment,
        "reason": "ReplicaSetUpdated",
        "message": message,
    }
    return {**status, "conditions": [*_others(status, "Progressing"), entry]}


def is_timed_out(deployment: Object, now: datetime) -> bool:
    """The progress deadline has passed."""
    progressing = condition(deployment, "Progressing")
    if progressing is not None and progressing["reason"] == TIMED_OUT:
        return True
    left = seconds_to_deadline(deployment, now)
    return left is not None and left <= 0
