"""The fields of every built-in kind: names, types and merge keys.

Decoding (`decoding`), strategic merge (`strategic_merge`) and field ownership (`managed_fields`) need to know that
`spec.containers` is a list merged by `name`. The facts come from Kubernetes' published OpenAPI definitions, reduced by
`schema_build` to `schema.json`. Notation of a field's type there:

    string int32 bool time quantity intstr bytes any ...   a value
    @core.v1.PodSpec    a structure         @...!    one that is replaced as a whole
    {}string            a map               {!}...   one that is replaced as a whole
    []string            a list replaced as a whole
    [set]string         a list whose values stand once
    [map name]@...      a list of structures identified by these keys
    [...;merge name]    in addition: the key by which a strategic merge patch merges (empty: by value)

A `*` after a field's name: required.
"""

from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal

import msgspec

Shape = Literal["value", "struct", "map", "list"]


@dataclass(frozen=True, slots=True)
class FieldType:
    """The type of a field, an item or a map's values."""

    shape: Shape
    name: str = ""  # of a value: its kind; of a structure: its key in `types`
    item: "FieldType | None" = None
    atomic: bool = False
    keys: tuple[str, ...] = ()
    is_set: bool = False
    merge_key: str | None = None
    inline: "Structure | None" = None  # of a structure that no name in `types` leads to: a custom resource's

    @property
    def structure(self) -> "Structure | None":
        """The structure this type names or holds."""
        return self.inline or structure(self.name)


@dataclass(frozen=True, slots=True)
class Structure:
    """A structure's fields."""

    name: str
    fields: dict[str, FieldType]
    required: frozenset[str]
    atomic: bool
    rest: FieldType | None = None  # the type of fields that aren't named

    @property
    def go_name(self) -> str:
        """The name Kubernetes' messages use inside a path: `PodSpec`."""
        return self.name.rsplit(".", 1)[-1]


ANY = FieldType("value", "any")
DEDUCED = FieldType("value", "deduced")  # maps are merged field by field, everything else is replaced as a whole


# What every kind has; the rest of a kind that isn't described is left as it comes.
BARE = Structure(
    "",
    {
        "kind": FieldType("value", "string"),
        "apiVersion": FieldType("value", "string"),
        "metadata": FieldType("struct", "meta.v1.ObjectMeta"),
    },
    frozenset(),
    atomic=False,
)


@lru_cache(maxsize=2048)
def parse(notation: str) -> FieldType:
    """Read one field's notation."""
    if notation[0] == "@":
        atomic = notation.endswith("!")
        return FieldType("struct", notation.strip("@!"), atomic=atomic)
    if notation[0] == "{":
        marks, _, rest = notation[1:].partition("}")
        return FieldType("map", item=parse(rest), atomic=marks == "!")
    if notation[0] == "[":
        marks, _, rest = notation[1:].partition("]")
        return _parse_list(marks, parse(rest))
    return FieldType("value", notation)


def _parse_list(marks: str, item: FieldType) -> FieldType:
    keys: tuple[str, ...] = ()
    is_set = False
    merge_key: str | None = None
    for mark in filter(None, marks.split(";")):
        word, _, value = mark.partition(" ")
        if word == "map":
            keys = tuple(value.split(","))
        elif word == "set":
            is_set = True
        else:
            merge_key = value
    return FieldType("list", item=item, atomic=not keys and not is_set, keys=keys, is_set=is_set, merge_key=merge_key)


@cache
def _table() -> dict[str, Any]:
    data = (Path(__file__).parent / "schema.json").read_bytes()
    table: dict[str, Any] = msgspec.json.decode(data)
    table["atomic"] = frozenset(table["atomic"])
    return table


@cache
def structure(name: str) -> Structure | None:
    """The structure called `name`, such as `core.v1.PodSpec`; None for what is not described."""
    fields: dict[str, str] | None = _table()["types"].get(name)
    if fields is None or not fields:
        return None
    return Structure(
        name=name,
        fields={field.rstrip("*"): parse(notation) for field, notation in fields.items()},
        required=frozenset(field[:-1] for field in fields if field.endswith("*")),
        atomic=name in _table()["atomic"],
    )


@cache
def root(api_version: str, kind: str) -> Structure | None:
    """The structure of a kind."""
    name = _table()["kinds"].get(f"{api_version}/{kind}")
    return structure(name) if name else None


def child(parent: FieldType | Structure | None, key: str) -> FieldType:
    """The type of a field of a structure, or of a map's value; `any` where nothing is known."""
    if parent is DEDUCED:
        return DEDUCED
    if isinstance(parent, FieldType) and parent.shape == "struct":
        parent = parent.structure
    if isinstance(parent, Structure):
        return parent.fields.get(key, parent.rest or ANY)
    if isinstance(parent, FieldType) and parent.item is not None:
        return parent.item
    return ANY


def is_atomic(field: FieldType) -> bool:
    """Whether writers own and replace this as a whole."""
    if field.shape == "struct":
        described = field.structure
        return field.atomic or described is None or described.atomic
    return field.atomic or field.shape == "value"
