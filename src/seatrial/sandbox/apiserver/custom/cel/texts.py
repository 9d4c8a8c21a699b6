"""CEL's methods of texts: the standard ones and the extended library Kubernetes enables."""

import json
import re
from collections.abc import Callable
from typing import Any

from seatrial.sandbox.apiserver.custom.cel.operators import no_overload
from seatrial.sandbox.apiserver.custom.cel.values import CelError, type_name
from seatrial.sandbox.apiserver.custom.patterns import PatternError, compile_pattern


def _on_texts(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A method whose receiver and text arguments must be texts."""

    def method(value: Any, *args: Any) -> Any:
        if not isinstance(value, str) or any(isinstance(arg, bool) or not isinstance(arg, str | int) for arg in args):
            raise no_overload(name, value, *args)
        try:
            return function(value, *args)
        except TypeError:
            raise no_overload(name, value, *args) from None

    return method


def _char_at(value: str, position: int) -> str:
    if not 0 <= position <= len(value):
        raise CelError(f"index out of range: {position}")
    return value[position : position + 1]


def _index_of(value: str, wanted: str, start: int = 0) -> int:
    if not 0 <= start <= len(value):
        raise CelError(f"index out of range: {start}")
    return value.find(wanted, start)


def _last_index_of(value: str, wanted: str, start: int | None = None) -> int:
    if start is not None and not 0 <= start <= len(value):
        raise CelError(f"index out of range: {start}")
    return value.rfind(wanted) if start is None else value.rfind(wanted, 0, start + len(wanted))


def _substring(value: str, start: int, end: int | None = None) -> str:
    stop = len(value) if end is None else end
    if not 0 <= start <= len(value) or not 0 <= stop <= len(value):
        raise CelError(f"index out of range: {start if not 0 <= start <= len(value) else stop}")
    if start > stop:
        raise CelError(f"invalid substring range. start: {start}, end: {stop}")
    return value[start:stop]


def _split(value: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    if limit == 1:
        return [value]
    if not separator:
        parts = list(value) if limit < 0 else [*value[: limit - 1], value[limit - 1 :]]
        return [part for part in parts if part]
    return value.split(separator, limit - 1 if limit > 0 else -1)


def _replace(value: str, old: str, new: str, limit: int = -1) -> str:
    return value.replace(old, new, limit if limit >= 0 else -1)


def _ascii(value: str, *, upper: bool) -> str:
    change = str.upper if upper else str.lower
    return "".join(change(letter) if letter.isascii() else letter for letter in value)


def _find(value: str, pattern: str) -> str:
    match = _compiled(pattern).search(value)
    return match[0] if match else ""


def _find_all(value: str, pattern: str, limit: int = -1) -> list[str]:
    found = [match[0] for match in _compiled(pattern).finditer(value)]
    return found if limit < 0 else found[:limit]


def _compiled(pattern: str) -> Any:
    try:
        return compile_pattern(pattern)
    except PatternError as error:
        raise CelError(str(error)) from error


def _join(value: Any, separator: str = "") -> str:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise no_overload("join", value)
    return separator.join(value)


def _format(template: Any, args: Any) -> str:
    """`'%s has %d'.format([a, b])`."""
    if not isinstance(template, str) or not isinstance(args, list):
        raise no_overload("format", template, args)
    remaining = iter(args)

    def replaced(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        try:
            return _formatted(next(remaining), match[2], match[1])
        except StopIteration:
            raise CelError("index out of range: not enough arguments for the format string") from None

    return re.sub(r"%(?:%|(\.\d+)?([sdfeboxX]))", replaced, template)


def _formatted(value: Any, verb: str, precision: str | None) -> str:
    if verb == "s":
        return _shown(value)
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    if verb in "dbox" + "X" and is_integer:
        return format(value, verb)
    if verb == "b" and isinstance(value, bool):
        return "1" if value else "0"
    if verb in "xX" and isinstance(value, str | bytes):
        data = value.encode() if isinstance(value, str) else value
        return data.hex() if verb == "x" else data.hex().upper()
    if verb in "fe" and isinstance(value, int | float) and not isinstance(value, bool):
        return format(float(value), f"{precision or '.6'}{verb}")
    raise CelError(f"error during formatting: %{verb} can't show {type_name(value)}")


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, list):
        return f"[{', '.join(_shown(item) for item in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_shown(key)}: {_shown(entry)}" for key, entry in sorted(value.items())) + "}"
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    return str(value)


_PLAIN: dict[str, Callable[..., Any]] = {
    "contains": lambda value, part: part in value,
    "startsWith": lambda value, part: value.startswith(part),
    "endsWith": lambda value, part: value.endswith(part),
    "charAt": _char_at,
    "indexOf": _index_of,
    "lastIndexOf": _last_index_of,
    "lowerAscii": lambda value: _ascii(value, upper=False),
    "upperAscii": lambda value: _ascii(value, upper=True),
    "replace": _replace,
    "split": _split,
    "substring": _substring,
    "trim": lambda value: value.strip(),
    "find": _find,
    "findAll": _find_all,
}
TEXT_METHODS: dict[str, Callable[..., Any]] = {
    **{name: _on_texts(name, function) for name, function in _PLAIN.items()},
    "join": _join,
    "format": _format,
}
