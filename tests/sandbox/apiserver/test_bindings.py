"""The index of role bindings, measured against looking through all of them."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from seatrial.sandbox.apiserver.access.bindings import GROUP, Bindings, matching_subject
from seatrial.sandbox.apiserver.calls import User
from seatrial.sandbox.apiserver.store import Store

_words = st.sampled_from(["a", "b", "c"])
_subjects = st.one_of(
    st.fixed_dictionaries({"kind": st.sampled_from(["User", "Group"]), "name": _words}),
    st.fixed_dictionaries({"kind": st.just("ServiceAccount"), "name": _words}, optional={"namespace": _words}),
    st.fixed_dictionaries({"kind": st.just("User"), "name": st.just("system:serviceaccount:a:b")}),
)
_changes = st.lists(st.tuples(st.sampled_from(["", "a", "b"]), _words, st.none() | st.lists(_subjects, max_size=3)))
_users = st.builds(
    User,
    name=st.sampled_from(["a", "b", "system:serviceaccount:a:b", "system:serviceaccount:b:b"]),
    groups=st.lists(_words, max_size=2).map(tuple),
)


def _apply(store: Store, changes: list[tuple[str, str, list[dict[str, Any]] | None]]) -> None:
    """Write each binding, or take it out where there are no subjects to write."""
    for namespace, name, subjects in changes:
        table = f"{'role' if namespace else 'clusterrole'}bindings.{GROUP}"
        metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
        if subjects is not None:
            store.put(table, namespace, name, {"metadata": metadata, "subjects": subjects})
        elif store.get(table, namespace, name):
            store.remove(table, namespace, name)


@given(_changes, _changes, _users, st.sampled_from(["", "a", "b"]))
def test_it_finds_what_looking_through_all_would(
    before: list[Any], after: list[Any], user: User, namespace: str
) -> None:
    """Whatever is written and removed, before the index is made and later, in the order of the names."""
    store = Store()
    _apply(store, before)
    bindings = Bindings(store)
    _apply(store, after)
    table = f"{'role' if namespace else 'clusterrole'}bindings.{GROUP}"
    every = [record.object for record in store.list(table, namespace or None)]
    expected = [binding for binding in every if matching_subject(binding, user, namespace) is not None]
    assert bindings.of(user, namespace) == expected
