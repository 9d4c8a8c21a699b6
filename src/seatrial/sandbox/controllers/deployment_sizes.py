"""The arithmetic of a rollout: how many replicas each ReplicaSet of a Deployment may have.

Pure functions over JSON. Rules: Kubernetes documentation, "Deployments": max surge is rounded up, max unavailable down,
and when both come to zero one pod may be unavailable, or nothing could ever move.
"""

import math
from collections.abc import Iterable
from typing import Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.controllers.objects import annotations_of, by_age

DESIRED_REPLICAS: Final = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS: Final = "deployment.kubernetes.io/max-replicas"


def replicas_of(item: Object) -> int:
    """`spec.replicas`, 1 where it isn't set."""
    return int(item["spec"].get("replicas", 1))


def status_count(item: Object, field: str) -> int:
    """A number of the status, 0 where it isn't set."""
    return int((item.get("status") or {}).get(field) or 0)


def total(replica_sets: Iterable[Object]) -> int:
    """The sum of `spec.replicas`."""
    return sum(replicas_of(replica_set) for replica_set in replica_sets)


def total_status(replica_sets: Iterable[Object], field: str) -> int:
    """The sum of a number of the status."""
    return sum(status_count(replica_set, field) for replica_set in replica_sets)


def scaled(value: int | str, of: int, *, round_up: bool) -> int:
    """An IntOrString: a number as it is, a percentage of `of`."""
    if isinstance(value, int):
        return value
    if not value.endswith("%"):
        return int(value)
    exact = int(value[:-1]) * of
    return math.ceil(exact / 100) if round_up else exact // 100


def is_rolling(deployment: Object) -> bool:
    """The strategy is RollingUpdate."""
    return bool(deployment["spec"].get("strategy", {}).get("type", "RollingUpdate") == "RollingUpdate")


def _fenceposts(deployment: Object) -> tuple[int, int]:
    rolling = deployment["spec"].get("strategy", {}).get("rollingUpdate") or {}
    wanted = replicas_of(deployment)
    surge = scaled(rolling.get("maxSurge", "25%"), wanted, round_up=True)
    unavailable = scaled(rolling.get("maxUnavailable", "25%"), wanted, round_up=False)
    return surge, unavailable or (0 if surge else 1)


def max_surge(deployment: Object) -> int:
    """How many pods there may be beyond `spec.replicas`."""
    return _fenceposts(deployment)[0] if is_rolling(deployment) else 0


def max_unavailable(deployment: Object) -> int:
    """How many of `spec.replicas` may be unavailable while rolling."""
    wanted = replicas_of(deployment)
    return min(_fenceposts(deployment)[1], wanted) if is_rolling(deployment) and wanted else 0


def desired_annotation(replica_set: Object) -> int | None:
    """The Deployment's size when this ReplicaSet was last scaled."""
    text = annotations_of(replica_set).get(DESIRED_REPLICAS, "")
    return int(text) if text.isdecimal() else None


def new_replica_set_size(deployment: Object, replica_sets: Iterable[Object], current: int) -> int:
    """How large the newest ReplicaSet may be, given what the others have."""
    wanted = replicas_of(deployment)
    if not is_rolling(deployment):
        return wanted
    room = wanted + max_surge(deployment) - total(replica_sets)
    return current if room <= 0 else current + min(room, wanted - current)


def proportional_sizes(deployment: Object, active: list[Object]) -> list[tuple[Object, int]]:
    """Spread a change of size over the ReplicaSets of an unfinished rollout, in proportion to their sizes.

    Args:
        deployment: with its size of today.
        active: its ReplicaSets that have replicas.
    """
    wanted = replicas_of(deployment)
    allowed = wanted + max_surge(deployment) if wanted > 0 else 0
    to_add = allowed - total(active)
    # The largest first; among equals the newest when growing, the oldest when shrinking.
    ordered = sorted(active, key=by_age, reverse=to_add > 0)
    ordered.sort(key=replicas_of, reverse=True)
    sizes: list[int] = []
    added = 0
    for replica_set in ordered:
        share = _share(replica_set, deployment, to_add, added) if to_add else 0
        added += share
        sizes.append(replicas_of(replica_set) + share)
    if sizes and to_add:
        sizes[0] = max(0, sizes[0] + to_add - added)
    return list(zip(ordered, sizes, strict=True))


def _share(replica_set: Object, deployment: Object, to_add: int, added: int) -> int:
    left = to_add - added
    size = replicas_of(replica_set)
    if not size or not left:
        return 0
    wanted = replicas_of(deployment)
    if not wanted:
        fraction = -size
    else:
        text = annotations_of(replica_set).get(MAX_REPLICAS, "")
        before = int(text) if text.isdecimal() else status_count(deployment, "replicas")
        after = wanted + max_surge(deployment)
        fraction = math.floor(size * after / before + 0.5) - size if before else 0
    return min(fraction, left) if to_add > 0 else max(fraction, left)
