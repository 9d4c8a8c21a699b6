"""CEL's operators: strict about types, equal across numbers, careful about overflow."""

import datetime as dt
import math
from collections.abc import Callable
from typing import Any

from seatrial.sandbox.apiserver.custom.cel.values import (
    CelError,
    KeyedList,
    Optional,
    SetList,
    Uint,
    checked,
    type_name,
)


def no_overload(name: str, *args: Any) -> CelError:
    """These types don't go with this function."""
    return CelError(f"no such overload: {name}({', '.join(type_name(arg) for arg in args)})")


def is_number(value: Any) -> bool:
    """Whether a value is int, uint or double."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def equal(one: Any, other: Any) -> bool:
    """CEL's equality: numbers compare by value, other types only among themselves."""
    if is_number(one) and is_number(other):
        return bool(one == other)
    if isinstance(one, list) and isinstance(other, list):
        return _lists_equal(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return len(one) == len(other) and all(k in other and equal(v, other[k]) for k, v in one.items())
    if isinstance(one, Optional) and isinstance(other, Optional):
        return one.is_present == other.is_present and equal(one.value, other.value)
    return type_name(one) == type_name(other) and bool(one == other)


def _lists_equal(one: list[Any], other: list[Any]) -> bool:
    if len(one) != len(other):
        return False
    if isinstance(one, SetList) or isinstance(other, SetList):
        return all(contains(other, item) for item in one)
    if isinstance(one, KeyedList):
        known = {one.identity(item): item for item in other}
        return all(one.identity(item) in known and equal(item, known[one.identity(item)]) for item in one)
    return all(map(equal, one, other))


def contains(items: Any, wanted: Any) -> bool:
    """`wanted in items`."""
    if isinstance(items, dict):
        return any(equal(key, wanted) for key in items) if not isinstance(wanted, str) else wanted in items
    if isinstance(items, list):
        return any(equal(item, wanted) for item in items)
    raise no_overload("@in", wanted, items)


def compare(name: str, one: Any, other: Any) -> int:
    """-1, 0 or 1; only values of one kind can be compared."""
    kinds = (bool, str, bytes, dt.datetime, dt.timedelta)
    comparable = (is_number(one) and is_number(other)) or any(
        isinstance(one, kind) and isinstance(other, kind) for kind in kinds
    )
    if not comparable:
        raise no_overload(name, one, other)
    return int(one > other) - int(one < other)


# More than an object can hold, and far below what a rule could make of it by doubling.
_LARGEST = 4 * 1024 * 1024


def _check_size(one: Any, other: Any) -> None:
    if len(one) + len(other) > _LARGEST:
        raise CelError("operation cancelled: actual cost limit exceeded")


def add(one: Any, other: Any) -> Any:
    """`+`: numbers, texts, bytes, lists, times."""
    if _same_numbers(one, other):
        return _number(one, one + other)
    if isinstance(one, list) and isinstance(other, list):
        _check_size(one, other)
        return _joined(one, other)
    times = isinstance(one, dt.datetime | dt.timedelta) and isinstance(other, dt.datetime | dt.timedelta)
    texts = isinstance(one, str | bytes) and type(one) is type(other)
    if texts:
        _check_size(one, other)
    if (times and not (isinstance(one, dt.datetime) and isinstance(other, dt.datetime))) or texts:
        return one + other
    raise no_overload("_+_", one, other)


def _joined(one: list[Any], other: list[Any]) -> list[Any]:
    if isinstance(one, SetList):
        return SetList([*one, *(item for item in other if not contains(one, item))])
    if isinstance(one, KeyedList):
        newer = {one.identity(item): item for item in other}
        merged = KeyedList([newer.pop(one.identity(item), item) for item in one] + list(newer.values()))
        merged.keys = one.keys
        return merged
    return [*one, *other]


def subtract(one: Any, other: Any) -> Any:
    """`-`: numbers and times."""
    if _same_numbers(one, other):
        return _number(one, one - other)
    if isinstance(one, dt.datetime | dt.timedelta) and isinstance(other, dt.timedelta):
        return one - other
    if isinstance(one, dt.datetime) and isinstance(other, dt.datetime):
        return one - other
    raise no_overload("_-_", one, other)


def multiply(one: Any, other: Any) -> Any:
    """`*`."""
    if not _same_numbers(one, other):
        raise no_overload("_*_", one, other)
    return _number(one, one * other)


def divide(one: Any, other: Any) -> Any:
    """`/`: whole numbers towards zero."""
    if not _same_numbers(one, other):
        raise no_overload("_/_", one, other)
    if isinstance(one, float):
        if other == 0:
            return math.nan if one == 0 or math.isnan(one) else math.copysign(math.inf, one) * math.copysign(1, other)
        return one / other
    if other == 0:
        raise CelError("division by zero")
    quotient = abs(one) // abs(other)
    return _number(one, quotient if (one < 0) == (other < 0) else -quotient)


def modulo(one: Any, other: Any) -> Any:
    """`%`: the sign is the dividend's."""
    if not _same_numbers(one, other) or isinstance(one, float):
        raise no_overload("_%_", one, other)
    if other == 0:
        raise CelError("modulus by zero")
    rest = abs(one) % abs(other)
    return _number(one, -rest if one < 0 else rest)


def negate(value: Any) -> Any:
    """`-x`."""
    if not is_number(value) or isinstance(value, Uint):
        raise no_overload("-_", value)
    return _number(value, -value)


def _same_numbers(one: Any, other: Any) -> bool:
    return is_number(one) and is_number(other) and type_name(one) == type_name(other)


def _number(like: Any, result: Any) -> Any:
    """A result in the type of its operands."""
    if isinstance(like, float):
        return float(result)
    if isinstance(like, Uint):
        if result < 0:
            raise CelError("unsigned integer overflow")
        return checked(Uint(result))
    return checked(int(result))


def index(container: Any, key: Any) -> Any:
    """`container[key]`."""
    if isinstance(container, list):
        if isinstance(key, float) and key.is_integer():
            key = int(key)
        if not isinstance(key, int) or isinstance(key, bool):
            raise no_overload("_[_]", container, key)
        if not 0 <= key < len(container):
            raise CelError(f"index out of bounds: {key}")
        return container[key]
    if isinstance(container, dict):
        if isinstance(key, str) and key in container:
            return container[key]
        for name, value in container.items():
            if equal(name, key):
                return value
        raise CelError(f"no such key: {key}")
    raise no_overload("_[_]", container, key)


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "_+_": add,
    "_-_": subtract,
    "_*_": multiply,
    "_/_": divide,
    "_%_": modulo,
    "_==_": equal,
    "_!=_": lambda one, other: not equal(one, other),
    "_<_": lambda one, other: compare("_<_", one, other) < 0,
    "_<=_": lambda one, other: compare("_<=_", one, other) <= 0,
    "_>_": lambda one, other: compare("_>_", one, other) > 0,
    "_>=_": lambda one, other: compare("_>=_", one, other) >= 0,
    "@in": lambda wanted, items: contains(items, wanted),
}
