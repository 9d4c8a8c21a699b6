"""Whether values satisfy schemas, in Kubernetes' words."""

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.custom.list_types import repetitions
from seatrial.sandbox.apiserver.custom.node import ABSENT, read_node
from seatrial.sandbox.apiserver.custom.shaping import prune, set_defaults
from seatrial.sandbox.apiserver.custom.validation import errors_of


def messages(schema: Object, value: Any, *, old: Any = ABSENT) -> list[str]:
    """What is wrong with a value, as `field: text`."""
    return [f"{error.field}: {error.text}" for error in errors_of(value, read_node(schema), "spec", old)]


NOWHERE = '<nil>: Invalid value: "": '


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"type": "string"}, 3, 'spec: Invalid value: "integer": spec in body must be of type string: "integer"'),
        ({"type": "string"}, None, 'spec: Invalid value: "null": spec in body must be of type string: "null"'),
        ({"type": "string", "maxLength": 2}, "abc", "spec: Too long: may not be more than 2 bytes"),
        (
            {"type": "string", "minLength": 2},
            "a",
            'spec: Invalid value: "a": spec in body should be at least 2 chars long',
        ),
        ({"type": "string", "enum": ["a", "b"]}, "c", 'spec: Unsupported value: "c": supported values: "a", "b"'),
        ({"type": "integer", "multipleOf": 5}, 7, "spec: Invalid value: 7: spec in body should be a multiple of 5"),
        (
            {"type": "number", "maximum": 2, "exclusiveMaximum": True},
            2,
            "spec: Invalid value: 2: spec in body should be less than 2",
        ),
        ({"type": "array", "minItems": 1}, [], "spec: Invalid value: 0: spec in body should have at least 1 items"),
        ({"type": "array", "maxItems": 1}, [1, 2], "spec: Too many: 2: must have at most 1 item"),
        ({"type": "object", "required": ["a"]}, {}, "spec.a: Required value"),
        (
            {"x-kubernetes-int-or-string": True},
            1.5,
            'spec: Invalid value: "number": spec in body must be of type integer,string: "number"',
        ),
        (
            {"type": "string", "format": "ipv4"},
            "1.2.3",
            'spec: Invalid value: "1.2.3": spec in body must be of type ipv4: "1.2.3"',
        ),
        (
            {"not": {"enum": ["root"]}, "type": "string"},
            "root",
            '<nil>: Invalid value: "": "spec" must not validate the schema (not)',
        ),
        (
            {"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
            {"a": 1, "b": 2},
            f'{NOWHERE}"spec" must validate one and only one schema (oneOf). Found 2 valid alternatives',
        ),
        (
            {"type": "object", "additionalProperties": {"type": "integer"}},
            {"k": "v"},
            'spec.k: Invalid value: "string": spec.k in body must be of type integer: "string"',
        ),
    ],
)
def test_each_constraint_is_told_in_kubernetes_words(schema: Object, value: Any, expected: str) -> None:
    """One broken constraint is one line: the field, the value, the rule."""
    assert messages(schema, value) == [expected]


def test_an_alternative_that_fails_is_told_with_its_closest_schema() -> None:
    """No schema of anyOf fits: that is said, and what the best of them lacked."""
    schema = {"type": "object", "anyOf": [{"required": ["a", "b"]}, {"required": ["c"]}]}
    assert messages(schema, {}) == [
        '<nil>: Invalid value: "": "spec" must validate at least one schema (anyOf)',
        "spec.c: Required value",
    ]


def test_what_has_not_changed_is_not_judged_again() -> None:
    """A value that was wrong before may stay as it is; its neighbours are judged."""
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string", "maxLength": 1}, "b": {"type": "string", "maxLength": 1}},
    }
    assert messages(schema, {"a": "old", "b": "x"}, old={"a": "old", "b": "y"}) == []
    assert messages(schema, {"a": "older", "b": "x"}, old={"a": "old", "b": "x"}) == [
        "spec.a: Too long: may not be more than 1 bytes"
    ]


def test_items_are_recognised_by_their_keys_only() -> None:
    """An item of a keyed list that stays as it was is let be wherever it moves; other lists are judged as a whole."""
    items = {"type": "object", "properties": {"name": {"type": "string"}, "size": {"type": "integer", "maximum": 3}}}
    keyed = {"type": "array", "items": items, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    old = [{"name": "a", "size": 9}]
    new = [{"name": "b", "size": 1}, {"name": "a", "size": 9}]
    assert messages(keyed, new, old=old) == []
    assert len(messages({"type": "array", "items": items}, new, old=old)) == 1


def test_sets_and_keyed_lists_hold_each_entry_once() -> None:
    """A value of a set, or a key, that stands again is named once, where it stands again."""
    numbers = {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "integer"}}
    assert [error.text for error in repetitions([1, 2, 1, 1], read_node(numbers), "s")] == ["Duplicate value: 1"]
    keyed = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"], "items": {}}
    found = repetitions([{"n": "a", "x": 1}, {"n": "a"}], read_node(keyed), "s")
    assert [(error.field, error.text) for error in found] == [("s[1]", 'Duplicate value: {"n":"a"}')]


def test_unknown_fields_are_pruned_and_named() -> None:
    """What the schema doesn't know goes, but for what lies below `x-kubernetes-preserve-unknown-fields`."""
    schema = {
        "type": "object",
        "properties": {
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "list": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
        },
    }
    value = {"free": {"x": {"y": 1}}, "list": [{"a": "1", "b": 2}], "no": 1}
    assert prune(value, read_node(schema)) == ["list[0].b", "no"]
    assert value == {"free": {"x": {"y": 1}}, "list": [{"a": "1"}]}


def test_defaults_fill_what_is_missing_or_null() -> None:
    """A default reaches into what is there; null counts as missing unless it is allowed."""
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "object", "properties": {"b": {"type": "integer", "default": 1}}},
            "c": {"type": "string", "default": "x"},
            "d": {"type": "string", "nullable": True, "default": "y"},
            "e": {"type": "string"},
            "f": {"type": "object", "default": {}, "properties": {"g": {"type": "integer", "default": 2}}},
        },
    }
    value: Object = {"a": {}, "c": None, "d": None, "e": None}
    set_defaults(value, read_node(schema))
    assert value == {"a": {"b": 1}, "c": "x", "d": None, "f": {"g": 2}}


# Without null: Kubernetes judges nothing but its type.
SCALARS = st.one_of(st.booleans(), st.integers(-20, 20), st.floats(-20, 20, width=16), st.text("abc", max_size=4))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3)
)
LEAVES = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("integer")}, optional={"minimum": st.integers(-5, 5), "multipleOf": st.integers(1, 4)}
    ),
    st.fixed_dictionaries({"type": st.just("number")}, optional={"maximum": st.integers(-5, 5)}),
    st.fixed_dictionaries(
        {"type": st.just("string")},
        optional={"minLength": st.integers(0, 3), "maxLength": st.integers(0, 3), "pattern": st.just("^a")},
    ),
    st.fixed_dictionaries({"type": st.just("boolean")}),
    st.fixed_dictionaries({"enum": st.lists(st.text("abc", max_size=2), min_size=1, max_size=3)}),
)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    fields = st.dictionaries(st.sampled_from("xyz"), inner, max_size=3)
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        st.fixed_dictionaries(
            {"type": st.just("object")},
            optional={"properties": fields, "required": st.lists(st.sampled_from("xyz"), unique=True)},
        ),
        st.fixed_dictionaries({"type": st.just("object"), "additionalProperties": inner}),
        st.fixed_dictionaries({"type": st.just("array"), "items": inner}, optional={"maxItems": st.integers(0, 3)}),
        *(st.fixed_dictionaries({key: several}) for key in ("allOf", "anyOf", "oneOf")),
        st.fixed_dictionaries({"not": inner}),
    )


@given(st.recursive(LEAVES, _containers, max_leaves=6), VALUES)
def test_verdicts_agree_with_json_schema(schema: Any, value: Any) -> None:
    """What both languages can say, both judge alike."""
    ours = not errors_of(value, read_node(schema))
    theirs = jsonschema.Draft202012Validator(schema).is_valid(value)
    assert ours == theirs
