"""A StatefulSet's status, counted from its pods.

Pure functions: `stateful_set.py` writes what they return. Rules: Kubernetes documentation, "StatefulSets" and the API
reference of StatefulSetStatus.
"""

from collections.abc import Iterable

from seatrial.sandbox.api import Object
from seatrial.sandbox.controllers.objects import is_terminating, name_of
from seatrial.sandbox.controllers.stateful_set_pods import is_running_and_available, is_running_and_ready, revision_of
from seatrial.sandbox.timestamps import Clock


def counted_status(
    stateful_set: Object,
    pods: Iterable[Object],
    *,
    current: Object,
    update: Object,
    collisions: int,
    now: Clock,
) -> Object:
    """The status that these pods make.

    Args:
        stateful_set: whose.
        pods: those that exist.
        current: the revision that an update leads away from.
        update: the revision of the present template.
        collisions: how often a revision's name was taken.
        now: to tell how long pods have been ready.
    """
    found = list(pods)
    kept = [pod for pod in found if not is_terminating(pod)]
    ready = [pod for pod in found if is_running_and_ready(pod)]
    counts = {
        "replicas": len(found),
        "readyReplicas": len(ready),
        "currentReplicas": sum(revision_of(pod) == name_of(current) for pod in kept),
        "updatedReplicas": sum(revision_of(pod) == name_of(update) for pod in kept),
        "availableReplicas": sum(is_running_and_available(pod, stateful_set, now) for pod in ready),
    }
    return {
        "observedGeneration": stateful_set["metadata"].get("generation", 0),
        "currentRevision": name_of(current),
        "updateRevision": name_of(update),
        "collisionCount": collisions,
        **counts,
    }


def with_finished_update(stateful_set: Object, status: Object) -> Object:
    """The status with the new revision as the current one, if all pods have it and are ready."""
    wanted = stateful_set["spec"].get("replicas", 1)
    rolling = (stateful_set["spec"].get("updateStrategy") or {}).get("type", "RollingUpdate") == "RollingUpdate"
    complete = all(status[field] == wanted for field in ("replicas", "readyReplicas", "updatedReplicas"))
    if not (rolling and complete):
        return status
    return {**status, "currentReplicas": status["updatedReplicas"], "currentRevision": status["updateRevision"]}


def as_written(status: Object, old: Object) -> Object:
    """The status as it is stored: counts of nothing are left out where the API leaves them out, conditions stay."""
    always = {"replicas", "availableReplicas", "collisionCount"}
    written = {key: value for key, value in status.items() if value or key in always}
    if old.get("conditions"):
        written["conditions"] = old["conditions"]
    return written
