"""A schema of a definition, read once: what `validation`, `shaping` and the others walk beside a value.

A `Node` stands for one level of an OpenAPI v3 schema, parts of `allOf`, `anyOf`, `oneOf` and `not` included. Whether a
schema is structural (and so may be served at all) is decided before, in `structural`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from re import Pattern
from typing import Any

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.custom.patterns import compile_pattern

Path = str


class Absent:
    """The type of `ABSENT`: no value, which is something else than null."""


ABSENT = Absent()


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One level of a schema."""

    raw: Object
    types: tuple[str, ...]
    properties: Mapping[str, "Node"]
    required: tuple[str, ...]
    additional: "Node | None"
    items: "Node | None"
    all_of: tuple["Node", ...]
    any_of: tuple["Node", ...]
    one_of: tuple["Node", ...]
    negated: "Node | None"
    pattern: Pattern[str] | None
    list_type: str
    list_keys: tuple[str, ...]
    is_nullable: bool
    is_int_or_string: bool
    is_embedded: bool
    keeps_unknown: bool
    rules: tuple[Object, ...]
    has_rules: bool  # here or anywhere below

    @property
    def type(self) -> str:
        """The one type of a structural schema; empty where any is allowed."""
        return str(self.raw.get("type", ""))

    def child(self, key: str) -> "Node | None":
        """The schema of an object's field."""
        return self.properties.get(key, self.additional)


def read_node(schema: Any) -> Node:
    """Read a schema; what isn't a schema (`additionalProperties: true`) allows everything."""
    raw: Object = schema if isinstance(schema, dict) else {}
    additional, items, negated = raw.get("additionalProperties"), raw.get("items"), raw.get("not")
    int_or_string = bool(raw.get("x-kubernetes-int-or-string"))
    types = ("integer", "string") if int_or_string else (raw["type"],) if raw.get("type") else ()
    properties = {key: read_node(value) for key, value in sorted((raw.get("properties") or {}).items())}
    additional_node = read_node(additional) if additional or isinstance(additional, dict) else None
    items_node = read_node(items) if isinstance(items, dict) else None
    rules = tuple(raw.get("x-kubernetes-validations") or ())
    all_of = _nodes(raw, "allOf")
    parts = (*properties.values(), *all_of, additional_node, items_node)
    below_have = any(part is not None and part.has_rules for part in parts)
    return Node(
        raw=raw,
        types=types,
        properties=properties,
        required=tuple(raw.get("required") or ()),
        additional=additional_node,
        items=items_node,
        all_of=all_of,
        any_of=_nodes(raw, "anyOf"),
        one_of=_nodes(raw, "oneOf"),
        negated=read_node(negated) if isinstance(negated, dict) else None,
        pattern=compile_pattern(raw["pattern"]) if raw.get("pattern") else None,
        list_type=raw.get("x-kubernetes-list-type", ""),
        list_keys=tuple(raw.get("x-kubernetes-list-map-keys") or ()),
        is_nullable=bool(raw.get("nullable")),
        is_int_or_string=int_or_string,
        is_embedded=bool(raw.get("x-kubernetes-embedded-resource")),
        keeps_unknown=bool(raw.get("x-kubernetes-preserve-unknown-fields")),
        rules=rules,
        has_rules=bool(rules) or below_have,
    )


def _nodes(raw: Object, key: str) -> tuple[Node, ...]:
    return tuple(read_node(entry) for entry in raw.get(key) or ())


def below(path: Path, key: str) -> Path:
    """The path of a field."""
    return f"{path}.{key}" if path else key


def counterpart(old: Any, key: str) -> Any:
    """The same field of the object as it was, or ABSENT."""
    return old.get(key, ABSENT) if isinstance(old, dict) else ABSENT


def counterparts(old: Any, new: list[Any], node: Node) -> list[Any]:
    """For each item the one it was before: only items of a list with keys can be recognised."""
    if node.list_type != "map" or not isinstance(old, list):
        return [ABSENT] * len(new)
    known = {_identity(item, node): item for item in old}
    return [known.get(_identity(item, node), ABSENT) for item in new]


def _identity(item: Any, node: Node) -> tuple[str, ...]:
    return tuple(repr(item.get(key)) if isinstance(item, dict) else "" for key in node.list_keys)
