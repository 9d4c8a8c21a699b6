"""The fields of Kubernetes' protobuf messages: numbers and types.

`build` writes the table, `messages.json`. It gives each message (`core.v1.Pod`) its fields, each as a number and a
type:

    string int32 int64 bool double bytes      a value
    quantity intstr time microtime duration   a message that is one value in JSON
    raw                                       a message that holds a JSON document
    strings                                   a message that is a list of texts in JSON
    @core.v1.PodSpec                          a message
    <@core.v1.VolumeSource                    a message whose fields stand inline in JSON
    []... {}...                               a list, a map with texts as keys

A `?` at the end: a pointer in Go, so that zero is told apart from absent.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec

from seatrial.sandbox.apiserver import schema


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message.

    Args:
        kind: the type of the value, of a list's items or of a map's values; `message` where `message` names one.
        shape: `one`, `list` or `map`.
        pointer: whether nothing is written where there is nothing.
        zero_counts: whether a value of zero is one, rather than what Go writes for nothing.
    """

    name: str
    number: int
    kind: str
    shape: str = "one"
    message: str = ""
    inline: bool = False
    pointer: bool = False
    zero_counts: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """A message's fields, by number and by name; the names that stand inline lead to the field that holds them."""

    name: str
    by_number: dict[int, Field]
    by_name: dict[str, Field]


@cache
def _table() -> dict[str, dict[str, str]]:
    data = (Path(__file__).parent / "messages.json").read_bytes()
    return msgspec.json.decode(data, type=dict[str, dict[str, str]])


@cache
def message(name: str) -> Message | None:
    """The message called `name`; None for one that isn't described."""
    described = _table().get(name)
    if described is None:
        return None
    structure = schema.structure(name)
    required = structure.required if structure is not None else frozenset()
    fields = [_field(key, notation, is_required=key in required) for key, notation in described.items()]
    by_name = {field.name: field for field in fields if not field.inline}
    for field in fields:
        inner = message(field.message) if field.inline else None
        for key in inner.by_name if inner else ():
            by_name[key] = field
    return Message(name, {field.number: field for field in fields}, by_name)


def _field(name: str, notation: str, *, is_required: bool) -> Field:
    number, _, kind = notation.partition(" ")
    is_pointer = kind.endswith("?")
    kind = kind.removesuffix("?")
    is_inline = kind.startswith("<")
    kind = kind.removeprefix("<")
    shape = {"[]": "list", "{}": "map"}.get(kind[:2], "one")
    kind = kind if shape == "one" else kind[2:]
    target = kind[1:] if kind.startswith("@") else ""
    return Field(
        name=name,
        number=int(number),
        kind="message" if target else kind,
        shape=shape,
        message=target,
        inline=is_inline,
        pointer=is_pointer,
        zero_counts=is_required or is_pointer,
    )


def flattened(described: Message) -> Iterator[Field]:
    """The fields as JSON has them: those of a message that stands inline take its place."""
    for field in described.by_number.values():
        inner = message(field.message) if field.inline else None
        if inner is None:
            yield field
        else:
            yield from flattened(inner)


# Kinds that every group version knows.
_EVERYWHERE = frozenset(
    {
        "APIGroup", "APIGroupList", "APIResourceList", "APIVersions", "CreateOptions", "DeleteOptions", "GetOptions",
        "ListOptions", "PartialObjectMetadata", "PartialObjectMetadataList", "PatchOptions", "Status", "UpdateOptions",
        "WatchEvent",
    }
)  # fmt: skip


@cache
def message_of(api_version: str, kind: str) -> Message | None:
    """The message that carries a kind; None where Kubernetes has none, as for custom resources."""
    group, _, version = api_version.rpartition("/")
    if kind in _EVERYWHERE and (version == "v1" or group in ("", "meta.k8s.io")):
        return message(f"meta.v1.{kind}")
    if (group, kind) == ("policy", "Eviction"):
        version = "v1"
    if "." in group and not group.endswith(".k8s.io"):
        return None
    return message(f"{group.partition('.')[0] or 'core'}.{version}.{kind}")
