"""Aggregated cluster roles follow the roles that their selectors pick."""

from typing import Any

import pytest

from tests.sandbox.controllers.world import World, running_world

pytestmark = pytest.mark.looptime
ROLES = "clusterroles.rbac.authorization.k8s.io"
LABEL = {"example.com/part": "yes"}


def role(name: str, resource: str, **metadata: Any) -> dict[str, Any]:
    """A role that may get one resource."""
    rule = {"verbs": ["get"], "apiGroups": [""], "resources": [resource]}
    return {"metadata": {"name": name, **metadata}, "rules": [rule]}


def resources(world: World) -> list[str]:
    """What the aggregated role may get."""
    return [rule["resources"][0] for rule in world.one(ROLES, "whole", None).get("rules") or ()]


async def test_an_aggregated_role_gains_and_loses_rules() -> None:
    """A role with the label adds its rules and takes them along when it goes; rules of its own don't last."""
    async with running_world(nodes=1, also=(ROLES,)) as world:
        aggregation = {"clusterRoleSelectors": [{"matchLabels": LABEL}]}
        await world.api.create(ROLES, {**role("whole", "own"), "aggregationRule": aggregation})
        await world.until(lambda: not resources(world))
        await world.api.create(ROLES, role("part", "pods", labels=LABEL))
        await world.until(lambda: resources(world) == ["pods"])
        await world.api.delete(ROLES, "part")
        await world.until(lambda: not resources(world))
