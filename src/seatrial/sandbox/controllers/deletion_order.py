"""Which pods go first when there are too many: the order that Kubernetes documents for scaling a ReplicaSet down.

Unassigned before assigned, Pending before Unknown before Running, not Ready before Ready, cheaper
(`controller.kubernetes.io/pod-deletion-cost`) before dearer, on a crowded node before on an empty one, Ready for a
shorter time before longer (in powers of two), more restarts before fewer, younger before older.
"""

import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.controllers.objects import annotations_of, is_ready, ready_since
from seatrial.sandbox.timestamps import from_time

_DELETION_COST: Final = "controller.kubernetes.io/pod-deletion-cost"
_PHASES: Final = {"Pending": 0, "Unknown": 1, "Running": 2}


def pods_to_delete(pods: Sequence[Object], *, count: int, crowd: Sequence[Object], now: datetime) -> list[Object]:
    """The `count` pods to delete first.

    Args:
        pods: the candidates.
        count: how many of them have to go.
        crowd: the pods that make a node crowded: those of the same Deployment.
        now: to tell how long pods have been Ready.
    """
    if count >= len(pods):
        return list(pods)
    on_node = Counter(pod["spec"].get("nodeName", "") for pod in crowd)

    def rank(pod: Object) -> tuple[float, ...]:
        node = pod["spec"].get("nodeName", "")
        return (
            1 if node else 0,
            _PHASES.get(pod.get("status", {}).get("phase", ""), 0),
            1 if is_ready(pod) else 0,
            _deletion_cost(pod),
            -on_node[node],
            _ready_bucket(pod, now),
            -_restarts(pod),
            _age(pod, now),
        )

    return sorted(pods, key=rank)[:count]


def _deletion_cost(pod: Object) -> int:
    try:
        return int(annotations_of(pod).get(_DELETION_COST, "0"))
    except ValueError:
        return 0


def _ready_bucket(pod: Object, now: datetime) -> float:
    since = ready_since(pod)
    if since is None:
        return 0
    seconds = max(1.0, (now - since).total_seconds())
    return math.floor(math.log2(seconds))


def _restarts(pod: Object) -> int:
    return max((status["restartCount"] for status in pod["status"].get("containerStatuses") or ()), default=0)


def _age(pod: Object, now: datetime) -> float:
    created = pod["metadata"].get("creationTimestamp")
    return (now - from_time(created)).total_seconds() if created else 0
