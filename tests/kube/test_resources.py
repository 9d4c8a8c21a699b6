"""Paths and names of resources."""

import pytest

from seatrial.kube.resources import DEPLOYMENTS, NODES, PODS, WELL_KNOWN, Resource


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (PODS.path(), "/api/v1/pods"),
        (PODS.path("ns"), "/api/v1/namespaces/ns/pods"),
        (PODS.path("ns", "p", "eviction"), "/api/v1/namespaces/ns/pods/p/eviction"),
        (DEPLOYMENTS.path("ns", "d", "scale"), "/apis/apps/v1/namespaces/ns/deployments/d/scale"),
        (NODES.path("ns", "n"), "/api/v1/nodes/n"),
    ],
)
def test_paths_follow_group_scope_and_name(path: str, expected: str) -> None:
    """Core kinds stand under /api, others under /apis; a namespace means nothing to a kind without."""
    assert path == expected


def test_names_are_quoted() -> None:
    """A name with a slash in it can't reach another path (RBAC names may hold colons and such)."""
    assert PODS.path("a/../b", "x?y#z").startswith("/api/v1/namespaces/a%2F..%2Fb/pods/x%3Fy%23z")


def test_names_of_a_resource() -> None:
    """`apiVersion` as in manifests, the qualified name as in RBAC."""
    assert (PODS.api_version, PODS.qualified_name) == ("v1", "pods")
    assert (DEPLOYMENTS.api_version, DEPLOYMENTS.qualified_name) == ("apps/v1", "deployments.apps")


def test_the_well_known_resources_are_distinct() -> None:
    """No constant was copied and left as it was."""
    assert len({resource.path() for resource in WELL_KNOWN}) == len(WELL_KNOWN) > 20
    assert all(isinstance(resource, Resource) for resource in WELL_KNOWN)
