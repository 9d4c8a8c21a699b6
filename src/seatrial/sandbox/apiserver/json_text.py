"""JSON as the API server reads it: bytes that are no UTF-8 are replaced, and what lies too deep is refused.

Kubernetes allows 10,000 levels; here it is as many as Python's own recursion carries safely through defaults, merges
and printing.
"""

import json
import re
from typing import Any, Final

import msgspec

DEEPEST: Final = 200

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_LONE_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


def decode(data: bytes) -> Any:
    """The value in a JSON text; raises `msgspec.DecodeError` for what is none."""
    try:
        value = _decode(data)
    except RecursionError:
        raise msgspec.DecodeError("exceeded max depth") from None
    if data.count(b"{") + data.count(b"[") > DEEPEST and depth_of(value) > DEEPEST:
        raise msgspec.DecodeError("exceeded max depth")
    return value


def _decode(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except UnicodeDecodeError:
        return _decode(data.decode(errors="replace").encode())
    except msgspec.DecodeError:
        if not _LONE_SURROGATE.search(data):
            raise
        return _with_surrogates_replaced(data)


def pairs(data: bytes, hook: Any) -> Any:
    """The same with objects as `hook` makes them of their members, in order; numbers stay texts. For valid JSON."""
    text = data.decode(errors="replace")
    return json.loads(text, object_pairs_hook=hook, parse_int=str, parse_float=str, parse_constant=str)


def depth_of(value: Any) -> int:
    """How many objects and lists lie inside each other."""
    level, depth = [value], 0
    while level := [each for each in level if isinstance(each, dict | list)]:
        depth += 1
        level = [child for each in level for child in (each.values() if isinstance(each, dict) else each)]
    return depth


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal; unlike in Python, true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def type_name(value: Any) -> str:
    """What Go calls a JSON value's type."""
    names = ((bool, "bool"), (str, "string"), (int | float, "number"), (list, "array"), (dict, "object"))
    return next((name for kind, name in names if isinstance(value, kind)), "null")


def _with_surrogates_replaced(data: bytes) -> Any:
    r"""What Go makes of `\ud800` without its partner: a replacement character."""
    try:
        text = json.dumps(json.loads(data), ensure_ascii=False)
    except ValueError as error:
        raise msgspec.DecodeError(str(error)) from error
    # A partner that stands where it belongs has been joined by the parser.
    return msgspec.json.decode(_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text))
