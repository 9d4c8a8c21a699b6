"""What a fresh list or a repeated event really changes."""

from typing import Any

from seatrial.kube.known_objects import KnownObjects
from tests.kube.fake_apiserver import pod


def _known(*pods: dict[str, Any], version: int = 100) -> KnownObjects[dict[str, Any]]:
    known: KnownObjects[dict[str, Any]] = KnownObjects()
    known.apply_list(list(pods), str(version))
    return known


def _told(changes: list[Any]) -> list[tuple[str, str]]:
    return [(change.type, change.object["metadata"]["uid"]) for change in changes]


def test_a_list_tells_what_is_gone_new_and_changed() -> None:
    """Deletions come first; what stayed the same is not told."""
    known = _known(pod("a", 1), pod("b", 2), pod("c", 3))
    changes = known.apply_list([pod("b", 9), pod("c", 3), pod("d", 8)], "10")
    assert _told(changes) == [("DELETED", "uid-a"), ("MODIFIED", "uid-b"), ("ADDED", "uid-d")]


def test_an_object_replaced_under_its_name_is_another_one() -> None:
    """A StatefulSet's pod comes back under its name: one is deleted, one is added."""
    known = _known(pod("a", 1, uid="old"))
    assert _told(known.apply_list([pod("a", 5, uid="new")], "6")) == [("DELETED", "old"), ("ADDED", "new")]


def test_a_deletion_is_told_once() -> None:
    """Told by a list, it is not told again by an event, nor the other way round."""
    known = _known(pod("a", 1), version=1)
    known.apply_list([], "10")
    assert known.apply_event("DELETED", pod("a", 9)) is None
    known = _known(pod("a", 1), version=1)
    assert known.apply_event("DELETED", pod("a", 9)) is not None
    assert known.apply_event("DELETED", pod("a", 9)) is None
    assert known.apply_list([], "10") == []


def test_an_event_told_before_is_not_told_again() -> None:
    """A repeated or older state changes nothing, also after the object's deletion."""
    known = _known(pod("a", 5), version=5)
    assert known.apply_event("MODIFIED", pod("a", 5)) is None
    assert known.apply_event("ADDED", pod("a", 4)) is None
    known.apply_event("DELETED", pod("a", 7))
    assert known.apply_event("MODIFIED", pod("a", 6)) is None


def test_an_object_that_left_the_selector_may_come_back() -> None:
    """The same object is added again when it is changed after its deletion from the selection."""
    known = _known(pod("a", 5), version=5)
    known.apply_event("DELETED", pod("a", 7))
    back = known.apply_event("ADDED", pod("a", 8))
    assert back is not None
    assert back.type == "ADDED"
    assert known.apply_event("DELETED", pod("a", 7)) is None, "the earlier deletion, repeated"


def test_a_change_of_something_unknown_is_an_addition() -> None:
    """The reader never sees a change of an object that it wasn't given."""
    change = _known().apply_event("MODIFIED", pod("a", 1))
    assert change is not None
    assert change.type == "ADDED"


def test_versions_that_are_no_numbers_are_compared_for_being_equal() -> None:
    """An extension's API server may count otherwise."""
    thing = {"metadata": {"name": "a", "namespace": "n", "resourceVersion": "x1"}}
    known = _known(thing)
    assert known.apply_event("MODIFIED", thing) is None
    assert known.apply_event("MODIFIED", {"metadata": {**thing["metadata"], "resourceVersion": "x0"}}) is not None
    assert known.apply_event("DELETED", {"metadata": {**thing["metadata"], "resourceVersion": "w"}}) is not None
