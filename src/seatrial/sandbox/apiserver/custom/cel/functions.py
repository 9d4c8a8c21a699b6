"""The functions and methods of CEL's standard library, and those for texts and lists that Kubernetes adds."""

import datetime as dt
import math
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from seatrial.sandbox.apiserver.custom.cel import extensions
from seatrial.sandbox.apiserver.custom.cel.operators import add, compare, equal, is_number, no_overload
from seatrial.sandbox.apiserver.custom.cel.texts import TEXT_METHODS
from seatrial.sandbox.apiserver.custom.cel.values import (
    LEAST,
    MOST,
    CelError,
    TypeValue,
    Uint,
    checked,
    duration,
    timestamp,
    type_name,
)
from seatrial.sandbox.apiserver.custom.patterns import PatternError, compile_pattern

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def size(value: Any) -> int:
    """How many characters, bytes, items or entries."""
    if isinstance(value, str | bytes | list | dict):
        return len(value)
    raise no_overload("size", value)


def matches(text: Any, pattern: Any) -> bool:
    """Whether a text contains what a pattern describes."""
    if not isinstance(text, str) or not isinstance(pattern, str):
        raise no_overload("matches", text, pattern)
    try:
        return compile_pattern(pattern).search(text) is not None
    except PatternError as error:
        raise CelError(str(error)) from error


def _int(value: Any) -> int:
    if isinstance(value, dt.datetime):
        return int((value - _EPOCH).total_seconds())
    if isinstance(value, str) and not re.fullmatch(r"[+-]?\d+", value):
        raise CelError(f'strconv.ParseInt: parsing "{value}": invalid syntax')
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise no_overload("int", value)
    if isinstance(value, float) and not LEAST <= value <= MOST:
        raise CelError("integer overflow")
    return checked(int(value))


def _uint(value: Any) -> Uint:
    number = _int(value)
    if number < 0:
        raise CelError("unsigned integer overflow")
    return Uint(number)


def _double(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise no_overload("double", value)
    try:
        return float(value)
    except ValueError:
        raise CelError(f'strconv.ParseFloat: parsing "{value}": invalid syntax') from None


def _string(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, dt.timedelta):
        return f"{_plain(value.total_seconds())}s"
    if isinstance(value, float):
        return _plain(value)
    if isinstance(value, int | str) or hasattr(value, "cel_type"):
        return str(value)
    raise no_overload("string", value)


def _plain(number: float) -> str:
    return str(int(number)) if number.is_integer() and abs(number) < 1e21 else repr(number)


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    texts = {"1": True, "t": True, "true": True, "TRUE": True, "True": True, "T": True}
    texts |= {"0": False, "f": False, "false": False, "FALSE": False, "False": False, "F": False}
    if not isinstance(value, str) or value not in texts:
        raise CelError(f"type conversion error from '{value}' to 'bool'")
    return texts[value]


def _bytes(value: Any) -> bytes:
    if not isinstance(value, str | bytes):
        raise no_overload("bytes", value)
    return value.encode() if isinstance(value, str) else value


def _timestamp(value: Any) -> dt.datetime:
    if isinstance(value, str):
        return timestamp(value)
    if isinstance(value, dt.datetime):
        return value
    if isinstance(value, int):
        return _EPOCH + dt.timedelta(seconds=value)
    raise no_overload("timestamp", value)


def _duration(value: Any) -> dt.timedelta:
    if isinstance(value, dt.timedelta):
        return value
    if isinstance(value, str):
        return duration(value)
    raise no_overload("duration", value)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "size": size,
    "matches": matches,
    "int": _int,
    "uint": _uint,
    "double": _double,
    "string": _string,
    "bool": _bool,
    "bytes": _bytes,
    "dyn": lambda value: value,
    "type": lambda value: TypeValue(type_name(value)),
    "timestamp": _timestamp,
    "duration": _duration,
    **extensions.FUNCTIONS,
}


# Times.


def _part(name: str) -> Callable[..., int]:
    def part(moment: Any, zone: str = "UTC") -> int:
        if isinstance(moment, dt.timedelta):
            return _duration_part(name, moment)
        if not isinstance(moment, dt.datetime):
            raise no_overload(name, moment)
        local = moment.astimezone(_zone(zone))
        return {
            "getFullYear": local.year,
            "getMonth": local.month - 1,
            "getDate": local.day,
            "getDayOfMonth": local.day - 1,
            "getDayOfWeek": local.isoweekday() % 7,
            "getDayOfYear": local.timetuple().tm_yday - 1,
            "getHours": local.hour,
            "getMinutes": local.minute,
            "getSeconds": local.second,
            "getMilliseconds": local.microsecond // 1000,
        }[name]

    return part


def _zone(name: str) -> dt.tzinfo:
    match = re.fullmatch(r"([+-])(\d{2}):(\d{2})", name)
    if match is not None:
        offset = dt.timedelta(hours=int(match[2]), minutes=int(match[3]))
        return dt.timezone(-offset if match[1] == "-" else offset)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise CelError(f"unknown time zone {name}") from None


def _duration_part(name: str, value: dt.timedelta) -> int:
    seconds = value.total_seconds()
    parts = {"getHours": seconds / 3600, "getMinutes": seconds / 60, "getSeconds": seconds}
    parts["getMilliseconds"] = seconds * 1000
    if name not in parts:
        raise no_overload(name, value)
    return math.trunc(parts[name])


# Lists.


def _items(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise no_overload(name, value)
    return value


def _is_sorted(value: Any) -> bool:
    items = _items("isSorted", value)
    return all(compare("isSorted", one, other) <= 0 for one, other in pairwise(items))


def _sum(value: Any) -> Any:
    items = _items("sum", value)
    if not items:
        return 0
    total = items[0]
    for item in items[1:]:
        total = add(total, item)
    return total


def _extreme(name: str, sign: int) -> Callable[[Any], Any]:
    def extreme(value: Any) -> Any:
        items = _items(name, value)
        if not items:
            raise CelError(f"{name} called on empty list")
        best = items[0]
        for item in items[1:]:
            best = item if compare(name, item, best) * sign > 0 else best
        return best

    return extreme


def _index_of(value: Any, wanted: Any, *start: Any) -> int:
    if isinstance(value, str):
        return int(TEXT_METHODS["indexOf"](value, wanted, *start))
    return next((i for i, item in enumerate(_items("indexOf", value)) if equal(item, wanted)), -1)


def _last_index_of(value: Any, wanted: Any, *start: Any) -> int:
    if isinstance(value, str):
        return int(TEXT_METHODS["lastIndexOf"](value, wanted, *start))
    found = [i for i, item in enumerate(_items("lastIndexOf", value)) if equal(item, wanted)]
    return found[-1] if found else -1


def _slice(value: Any, start: Any, end: Any) -> list[Any]:
    items = _items("slice", value)
    if not (is_number(start) and is_number(end)) or not 0 <= start <= end <= len(items):
        raise CelError(f"cannot slice({start}, {end}), list has length {len(items)}")
    return items[start:end]


def _distinct(value: Any) -> list[Any]:
    found: list[Any] = []
    for item in _items("distinct", value):
        if not any(equal(item, other) for other in found):
            found.append(item)
    return found


def _flatten(value: Any, depth: int = 1) -> list[Any]:
    found: list[Any] = []
    for item in _items("flatten", value):
        found += _flatten(item, depth - 1) if isinstance(item, list) and depth > 0 else [item]
    return found


def _sort(value: Any) -> list[Any]:
    items = _items("sort", value)
    if items:
        compare("sort", items[0], items[0])
    try:
        return sorted(items)
    except TypeError:
        raise no_overload("sort", *items[:2]) from None


METHODS: dict[str, Callable[..., Any]] = {
    **TEXT_METHODS,
    "size": size,
    "matches": matches,
    **{name: _part(name) for name in (
        "getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getHours",
        "getMinutes", "getSeconds", "getMilliseconds",
    )},
    "isSorted": _is_sorted,
    "sum": _sum,
    "min": _extreme("min", -1),
    "max": _extreme("max", 1),
    "indexOf": _index_of,
    "lastIndexOf": _last_index_of,
    "slice": _slice,
    "distinct": _distinct,
    "flatten": _flatten,
    "sort": _sort,
    "reverse": lambda value: value[::-1] if isinstance(value, str) else list(reversed(_items("reverse", value))),
    "first": lambda value: extensions.first_of(_items("first", value)),
    "last": lambda value: extensions.first_of(_items("last", value)[::-1]),
    **extensions.METHODS,
}  # fmt: skip
