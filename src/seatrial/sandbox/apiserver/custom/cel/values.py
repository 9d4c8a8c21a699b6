"""The values of CEL: Python's own where they fit, these where they don't; and how JSON becomes them.

int, float, str, bytes, bool, None, list, dict, datetime and timedelta stand for themselves. A text whose schema says
`date-time`, `date`, `duration` or `byte` is a timestamp, a duration or bytes.
"""

import base64
import datetime as dt
import re
from dataclasses import dataclass
from typing import Any

from seatrial.sandbox.apiserver.custom.node import Node

LEAST, MOST = -(1 << 63), (1 << 63) - 1
_DURATION_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class CelError(Exception):
    """An expression that can't be computed: no such key, no such overload, division by zero."""


class Uint(int):
    """An unsigned integer: to CEL another type than int."""

    __slots__ = ()


class SetList(list[Any]):
    """A list of list type `set`: equal in any order, added without repetition."""


class KeyedList(list[Any]):
    """A list of list type `map`: items are known by their keys."""

    keys: tuple[str, ...] = ()

    def identity(self, item: Any) -> tuple[str, ...]:
        """What an item is known by."""
        return tuple(repr(item.get(key)) if isinstance(item, dict) else "" for key in self.keys)


@dataclass(frozen=True, slots=True)
class Optional:
    """A value that may be missing."""

    value: Any = None
    is_present: bool = False


NONE = Optional()


@dataclass(frozen=True, slots=True)
class TypeValue:
    """A type, as `type(x)` gives it."""

    name: str


def from_json(value: Any, node: Node | None) -> Any:
    """A JSON value as CEL sees it, by its schema."""
    if node is None or value is None:
        return value
    if isinstance(value, str):
        return _typed_text(value, str(node.raw.get("format", "")))
    if isinstance(value, int) and node.raw.get("type") == "number" and not isinstance(value, bool):
        return float(value)
    if isinstance(value, float) and node.raw.get("type") == "integer" and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: from_json(entry, node.child(key)) for key, entry in value.items()}
    if isinstance(value, list):
        return _typed_list([from_json(entry, node.items) for entry in value], node)
    return value


def _typed_list(items: list[Any], node: Node) -> list[Any]:
    if node.list_type == "set":
        return SetList(items)
    if node.list_type == "map":
        keyed = KeyedList(items)
        keyed.keys = node.list_keys
        return keyed
    return items


def _typed_text(value: str, given: str) -> Any:
    try:
        if given in ("date-time", "datetime", "date"):
            return timestamp(value if given != "date" else f"{value}T00:00:00Z")
        if given == "duration":
            return duration(value)
        if given == "byte":
            return base64.b64decode(value)
    except (CelError, ValueError):
        return value
    return value


def timestamp(text: str) -> dt.datetime:
    """A time from RFC 3339."""
    try:
        moment = dt.datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text.upper()))
    except ValueError:
        raise CelError(f"timestamp conversion error: {text}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def duration(text: str) -> dt.timedelta:
    """A duration as Go writes it: `1h30m`."""
    body = text.lstrip("+-")
    parts = _DURATION_PART.findall(body)
    if "".join(number + unit for number, unit in parts) != body or (not parts and body != "0"):
        raise CelError(f'time: invalid duration "{text}"')
    total = dt.timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in parts))
    return -total if text.startswith("-") else total


def type_name(value: Any) -> str:
    """The name of a value's type."""
    if value is None:
        return "null_type"
    names: tuple[tuple[type, str], ...] = (
        (bool, "bool"), (Uint, "uint"), (int, "int"), (float, "double"), (str, "string"), (bytes, "bytes"),
        (list, "list"), (dict, "map"), (dt.datetime, "google.protobuf.Timestamp"),
        (dt.timedelta, "google.protobuf.Duration"), (Optional, "optional_type"), (TypeValue, "type"),
    )  # fmt: skip
    found = next((name for kind, name in names if isinstance(value, kind)), None)
    return found or str(getattr(value, "cel_type", type(value).__name__))


def checked(number: int) -> int:
    """An int within CEL's 64 bits."""
    if isinstance(number, Uint):
        if not 0 <= number < 1 << 64:
            raise CelError("unsigned integer overflow")
    elif not LEAST <= number <= MOST:
        raise CelError("integer overflow")
    return number
