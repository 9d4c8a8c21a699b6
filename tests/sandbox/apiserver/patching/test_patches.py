from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.sandbox.api import ApiError
from seatrial.sandbox.apiserver import schema
from seatrial.sandbox.apiserver.decoding import copy_json
from seatrial.sandbox.apiserver.patching.json_patch import JsonPatchError, apply_json_patch
from seatrial.sandbox.apiserver.patching.merge_patch import merge
from seatrial.sandbox.apiserver.patching.strategic_merge import strategic_merge

scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
documents = st.dictionaries(st.text(max_size=3), values, max_size=4)


def without_nulls(value: Any) -> Any:
    """The value as a merge patch can produce it."""
    if isinstance(value, dict):
        return {key: without_nulls(entry) for key, entry in value.items() if entry is not None}
    return value


def difference(old: Any, new: Any) -> Any:
    """The merge patch that leads from one document to another."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    patch = {key: None for key in old if key not in new}
    return patch | {key: difference(old.get(key), value) for key, value in new.items() if value != old.get(key)}


@given(documents, documents)
def test_a_merge_patch_can_lead_anywhere(old: Any, new: Any) -> None:
    """The patch computed between two documents without nulls turns one into the other (RFC 7386)."""
    old, new = without_nulls(old), without_nulls(new)
    assert merge(old, difference(old, new)) == new


@given(documents, documents)
def test_a_merge_patch_is_idempotent_and_leaves_its_input(old: Any, patch: Any) -> None:
    """Applying a patch twice is applying it once; the document given stays as it was."""
    before = copy_json(old)
    once = merge(old, patch)
    assert merge(once, patch) == once
    assert old == before


@given(documents, st.text(max_size=3), values)
def test_json_patch_add_then_test_then_remove(document: Any, key: str, value: Any) -> None:
    """What was added is found by `test`, and removing it restores the rest (RFC 6902)."""
    path = "/" + key.replace("~", "~0").replace("/", "~1")
    added = apply_json_patch(
        document, [{"op": "add", "path": path, "value": value}, {"op": "test", "path": path, "value": value}]
    )
    removed = apply_json_patch(added, [{"op": "remove", "path": path}])
    assert removed == {name: entry for name, entry in document.items() if name != key}


@given(documents, values)
def test_json_patch_replaces_the_whole_document(document: Any, value: Any) -> None:
    """The empty pointer names the document itself."""
    assert apply_json_patch(document, [{"op": "replace", "path": "", "value": value}]) == value


@pytest.mark.parametrize(
    ("operations", "result"),
    [
        ([{"op": "add", "path": "/list/1", "value": "x"}], ["a", "x", "b"]),
        ([{"op": "add", "path": "/list/-", "value": "x"}], ["a", "b", "x"]),
        ([{"op": "move", "from": "/list/0", "path": "/list/1"}], ["b", "a"]),
        ([{"op": "copy", "from": "/list/0", "path": "/list/-"}], ["a", "b", "a"]),
    ],
)
def test_json_patch_in_lists(operations: Any, result: list[str]) -> None:
    """Elements are added before an index or at the end, moved and copied."""
    assert apply_json_patch({"list": ["a", "b"]}, operations) == {"list": result}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a", "value": True},
        {"op": "remove", "path": "/nothing"},
        {"op": "replace", "path": "/nothing/below", "value": 1},
        {"op": "replace", "path": "/list/0", "value": 1},
        {"op": "add", "path": "/list/7", "value": 1},
        {"op": "add", "path": "/list/01", "value": 1},
        {"op": "add", "path": f"/list/{'9' * 5000}", "value": 1},
        {"op": "move", "from": "/a", "path": "/a/b"},
        {"op": "bogus", "path": "/a"},
        {"op": "add", "path": "a", "value": 1},
    ],
)
def test_json_patch_refuses_what_it_cannot_do(operation: Any) -> None:
    """A failing operation fails the whole patch; true is not 1."""
    with pytest.raises(JsonPatchError):
        apply_json_patch({"a": 1, "list": []}, [operation])


def test_json_patch_replaces_a_missing_member() -> None:
    """As in Kubernetes, a replacement needs no member that is there, only an object to stand in."""
    assert apply_json_patch({"a": 1}, [{"op": "replace", "path": "/b", "value": 2}]) == {"a": 1, "b": 2}


POD = schema.root("v1", "Pod")


def containers(*entries: Any) -> Any:
    """A pod's spec with containers."""
    return {"spec": {"containers": list(entries)}}


def test_strategic_merge_merges_containers_by_name() -> None:
    """A container of the same name is changed, another one added, the rest kept."""
    target = containers({"name": "a", "image": "1"}, {"name": "b", "image": "1"})
    patch = containers({"name": "b", "image": "2"}, {"name": "c", "image": "3"})
    merged = strategic_merge(target, patch, POD)
    images = {container["name"]: container["image"] for container in merged["spec"]["containers"]}
    assert images == {"a": "1", "b": "2", "c": "3"}


def test_strategic_merge_directives() -> None:
    """`$patch: delete` takes an item out, `$patch: replace` starts anew, primitives are removed by value."""
    target = containers({"name": "a"}, {"name": "b"})
    deleted = strategic_merge(target, containers({"name": "a", "$patch": "delete"}), POD)
    assert deleted == containers({"name": "b"})
    replaced = strategic_merge(target, containers({"$patch": "replace"}, {"name": "c"}), POD)
    assert replaced == containers({"name": "c"})
    held = {"metadata": {"finalizers": ["x/a", "x/b"]}}
    freed = strategic_merge(held, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["x/a"]}}, POD)
    assert freed == {"metadata": {"finalizers": ["x/b"]}}


def test_strategic_merge_replaces_atomic_lists() -> None:
    """Tolerations have no merge key, so a patch states all of them."""
    target = {"spec": {"tolerations": [{"key": "a"}]}}
    patch = {"spec": {"tolerations": [{"key": "b"}]}}
    assert strategic_merge(target, patch, POD) == patch


def test_strategic_merge_needs_the_merge_key() -> None:
    """An item without its key can't be merged: 500, as Kubernetes answers."""
    with pytest.raises(ApiError, match="does not contain declared merge key: name") as caught:
        strategic_merge(containers({"name": "a"}), containers({"image": "x"}), POD)
    assert caught.value.code == 500


@given(st.lists(st.sampled_from("abcd"), unique=True), st.lists(st.sampled_from("abcd"), unique=True))
def test_strategic_merge_is_idempotent(old: list[str], new: list[str]) -> None:
    """Merging the same containers twice changes nothing more."""
    target = containers(*({"name": name, "image": "1"} for name in old))
    patch = containers(*({"name": name, "image": "2"} for name in new))
    once = strategic_merge(target, patch, POD)
    assert strategic_merge(once, patch, POD) == once


def test_json_patch_copies_only_so_much() -> None:
    """Copies of copies, twice as large each time, end before the memory does."""
    doubling = [{"op": "copy", "from": "/a", "path": f"/a/{index}"} for index in range(60)]
    with pytest.raises(JsonPatchError):
        apply_json_patch({"a": {"text": "x" * 1000}}, doubling)


@pytest.mark.parametrize("directive", ["$setElementOrder/containers", "$deleteFromPrimitiveList/finalizers"])
def test_strategic_merge_directives_about_lists_hold_lists(directive: str) -> None:
    """Anything else is refused as an error of the patch."""
    root = schema.structure("core.v1.PodSpec")
    with pytest.raises(ApiError) as caught:
        strategic_merge({"containers": []}, {directive: 5}, root)
    assert caught.value.code == 422
