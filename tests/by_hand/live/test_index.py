"""The index of a kind, against dictionaries and sorting."""

from hypothesis import given
from hypothesis import strategies as st

from seatrial.by_hand.live.index import Index
from seatrial.kube.reduction import Reduced


def item(namespace, name, uid="1"):
    return Reduced(namespace=namespace, name=name, uid=uid, version="1")


CHANGES = st.lists(st.tuples(st.sampled_from(["put", "remove"]), st.sampled_from(["a", "b"]), st.sampled_from("xyz")))


@given(CHANGES)
def test_it_is_what_was_put_and_not_removed_in_order(changes):
    """After any changes, each question has the answer that sorting would give."""
    index, known = Index(), {}
    for what, namespace, name in changes:
        if what == "put":
            assert (index.put(item(namespace, name)) is None) is ((namespace, name) not in known)
            known[namespace, name] = item(namespace, name)
        else:
            assert index.remove(item(namespace, name)) == known.pop((namespace, name), None)
    assert index.all() == [known[key] for key in sorted(known)]
    assert len(index) == len(known)
    assert list(index.names()) == [f"{namespace}/{name}" for namespace, name in sorted(known)]
    for space in "ab":
        assert list(index.names(space)) == sorted(name for namespace, name in known if namespace == space)
        assert [each.name for each in index.in_namespace(space)] == list(index.names(space))


def test_an_object_that_took_the_place_of_another_stays_when_that_one_goes():
    """A StatefulSet's pod has the name of the one before: the end of that one is not its end."""
    index = Index()
    index.put(item("a", "db-0", uid="old"))
    index.put(item("a", "db-0", uid="new"))
    assert index.remove(item("a", "db-0", uid="old")) is None
    assert index.get("a", "db-0").uid == "new"


def test_what_is_in_no_namespace_has_its_bare_name():
    """Nodes are called as they are."""
    index = Index()
    index.put(item("", "node2"))
    index.put(item("", "node1"))
    assert list(index.names()) == ["node1", "node2"]
    assert index.get("", "node1").name == "node1"
