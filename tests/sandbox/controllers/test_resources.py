"""What garbage collection and the namespace controller look at."""

from seatrial.sandbox.apiserver.built_in_resources import built_in
from seatrial.sandbox.controllers.resources import CLUSTER_WIDE, NAMESPACED, OWNABLE


def test_a_namespace_is_emptied_of_everything_that_can_be_in_it() -> None:
    """Every built-in resource that lives in namespaces and can be deleted is known."""
    held = {resource.table for resource in built_in() if resource.namespaced and "delete" in resource.verbs}
    assert held - set(NAMESPACED) == set()


def test_what_may_be_owned_is_served_in_its_scope() -> None:
    """Each known resource exists, and is cluster-wide exactly where it is said to be."""
    for key in OWNABLE.values():
        assert built_in().of(key).namespaced is (key not in CLUSTER_WIDE), key
