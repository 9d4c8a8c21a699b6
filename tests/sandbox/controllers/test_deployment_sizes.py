"""The arithmetic of rollouts, and the names of templates."""

from typing import Any

import pytest

from seatrial.sandbox.api import Object
from seatrial.sandbox.controllers.deployment_revisions import template_hash
from seatrial.sandbox.controllers.deployment_sizes import max_surge, max_unavailable, proportional_sizes
from tests.sandbox.controllers.world import deployment


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (4, "25%", "25%", (1, 1)),
        (3, "25%", "25%", (1, 0)),
        (10, "30%", "35%", (3, 3)),
        (1, "0%", "25%", (0, 1)),
        (5, 0, 0, (0, 1)),
        (2, 1, 5, (1, 2)),
    ],
)
def test_limits_are_rounded_as_documented(
    replicas: int, surge: int | str, unavailable: int | str, expected: tuple[int, int]
) -> None:
    """Surge rounds up, unavailable down, and both can't be zero."""
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    body = deployment(replicas=replicas, strategy={"type": "RollingUpdate", "rollingUpdate": rolling})
    assert (max_surge(body), max_unavailable(body)) == expected


def sized(name: str, replicas: int, max_replicas: int, created: str) -> Object:
    """A ReplicaSet in the middle of a rollout."""
    return {
        "metadata": {
            "name": name,
            "creationTimestamp": created,
            "annotations": {"deployment.kubernetes.io/max-replicas": str(max_replicas)},
        },
        "spec": {"replicas": replicas},
    }


def test_growing_in_mid_rollout_is_shared_in_proportion() -> None:
    """The documentation's example: 8 old and 5 new of ten, scaled to fifteen, get 3 and 2 more."""
    rolling: dict[str, Any] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}}
    body = deployment(replicas=15, strategy=rolling)
    active = [sized("old", 8, 13, "2026-01-01T00:00:00Z"), sized("new", 5, 13, "2026-01-02T00:00:00Z")]
    assert {item["metadata"]["name"]: size for item, size in proportional_sizes(body, active)} == {"old": 11, "new": 7}


def test_the_hash_depends_on_the_template_alone() -> None:
    """Equal templates hash alike in whatever order their keys stand; a collision counter changes it."""
    one = {"metadata": {"labels": {"a": "1", "b": "2"}}, "spec": {"containers": []}}
    other = {"spec": {"containers": []}, "metadata": {"labels": {"b": "2", "a": "1"}}}
    assert template_hash(one, collisions=0) == template_hash(other, collisions=0)
    assert template_hash(one, collisions=1) != template_hash(one, collisions=0)
    assert set(template_hash(one, collisions=0)) <= set("bcdfghjklmnpqrstvwxz2456789")
