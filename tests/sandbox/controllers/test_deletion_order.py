"""Which pods go first when a ReplicaSet has too many."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from seatrial.sandbox.api import Object
from seatrial.sandbox.controllers.deletion_order import pods_to_delete
from seatrial.sandbox.timestamps import to_time

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def ranked(name: str, *, node: str = "n", phase: str = "Running", ready_for: int | None = 60, **more: Any) -> Object:
    """A pod as the order of deletion sees it."""
    conditions = []
    if ready_for is not None:
        since = to_time(NOW - timedelta(seconds=ready_for))
        conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": since}]
    restarts = more.get("restarts", 0)
    return {
        "metadata": {
            "name": name,
            "creationTimestamp": to_time(NOW - timedelta(seconds=more.get("age", 100))),
            "annotations": more.get("annotations", {}),
        },
        "spec": {"nodeName": node} if node else {},
        "status": {"phase": phase, "conditions": conditions, "containerStatuses": [{"restartCount": restarts}]},
    }


@pytest.mark.parametrize(
    ("first", "other"),
    [
        (ranked("unassigned", node=""), ranked("assigned")),
        (ranked("pending", phase="Pending"), ranked("running")),
        (ranked("not-ready", ready_for=None), ranked("ready")),
        (
            ranked("cheap", annotations={"controller.kubernetes.io/pod-deletion-cost": "-5"}),
            ranked("plain"),
        ),
        (ranked("ready-late", ready_for=5), ranked("ready-long", ready_for=500)),
        (ranked("restarted", restarts=3), ranked("steady")),
        (ranked("young", age=10), ranked("old", age=1000)),
    ],
    ids=lambda item: item["metadata"]["name"],
)
def test_the_less_useful_pod_is_deleted_first(first: Object, other: Object) -> None:
    """Each rule of the documented order by itself."""
    assert pods_to_delete([other, first], count=1, crowd=[first, other], now=NOW) == [first]


def test_a_crowded_node_gives_its_pod_first() -> None:
    """Pods are taken from where many of the same owner are."""
    crowded = [ranked("a", node="full"), ranked("b", node="full")]
    alone = ranked("c", node="empty")
    assert pods_to_delete([alone, *crowded], count=1, crowd=[*crowded, alone], now=NOW)[0] in crowded
