"""Values that are messages in protobuf and plain in JSON: quantities, times, durations, documents.

`READERS` and `WRITERS` know each by the name of its kind in `messages`. Times and durations are written as
Kubernetes' JSON has them.
"""

import datetime as dt
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import msgspec

from seatrial.sandbox.apiserver.protobuf.wire import BYTES, VARINT, WireError, bytes_field, integer_field, read_fields
from seatrial.sandbox.apiserver.protobuf.wire import signed as signed_64

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
ENVELOPE = b"k8s\x00"


def int32(value: int) -> int:
    """A varint as the signed 32-bit integer it stands for."""
    return (value + 2**31) % 2**32 - 2**31


def _parts(data: bytes) -> dict[int, int | bytes]:
    return {number: value for number, wire_type, value in read_fields(data) if wire_type in (VARINT, BYTES)}


def _integer(parts: dict[int, int | bytes], number: int) -> int:
    value = parts.get(number, 0)
    if isinstance(value, bytes):
        raise WireError(f"wrong wireType = 2 for field {number}")
    return signed_64(value)


def _bytes(parts: dict[int, int | bytes], number: int) -> bytes:
    value = parts.get(number, b"")
    if isinstance(value, int):
        raise WireError(f"wrong wireType = 0 for field {number}")
    return value


# Quantity, IntOrString.


def _read_quantity(data: bytes) -> str:
    return text(_bytes(_parts(data), 1)) or "0"


def _write_quantity(value: Any) -> bytes:
    return bytes_field(1, str(value).encode())


def _read_int_or_string(data: bytes) -> int | str:
    parts = _parts(data)
    return text(_bytes(parts, 3)) if _integer(parts, 1) else int32(_integer(parts, 2))


def _write_int_or_string(value: Any) -> bytes:
    is_text = isinstance(value, str)
    number, word = (0, value) if is_text else (int(value), "")
    return integer_field(1, int(is_text)) + integer_field(2, number) + bytes_field(3, str(word).encode())


# Times.


def _moment(data: bytes) -> dt.datetime | None:
    parts = _parts(data)
    seconds, nanoseconds = _integer(parts, 1), _integer(parts, 2)
    if not seconds and not nanoseconds:
        return None
    try:
        return _EPOCH + dt.timedelta(seconds=seconds, microseconds=nanoseconds // 1000)
    except OverflowError as error:
        raise WireError(f"time out of range: {seconds}") from error


def _read_time(data: bytes) -> str | None:
    moment = _moment(data)
    return moment.replace(microsecond=0, tzinfo=None).isoformat() + "Z" if moment else None


def _read_micro_time(data: bytes) -> str | None:
    moment = _moment(data)
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z" if moment else None


def _write_time(value: Any) -> bytes:
    if not value:
        return b""
    span = dt.datetime.fromisoformat(value).astimezone(dt.UTC) - _EPOCH
    return integer_field(1, span.days * 86400 + span.seconds) + integer_field(2, span.microseconds * 1000)


# Durations.


def _read_duration(data: bytes) -> str:
    nanoseconds = _integer(_parts(data), 1)
    sign, nanoseconds = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if nanoseconds < 10**9:
        unit = next((unit for unit in ("ms", "µs", "ns") if nanoseconds >= _UNITS[unit]), "s")
        return f"{sign}{_decimal(Fraction(nanoseconds, _UNITS[unit]))}{unit}"
    hours, rest = divmod(nanoseconds, _UNITS["h"])
    minutes, rest = divmod(rest, _UNITS["m"])
    larger = (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "")
    return f"{sign}{larger}{_decimal(Fraction(rest, 10**9))}s"


def _decimal(value: Fraction) -> str:
    return f"{float(value):.9f}".rstrip("0").rstrip(".")


def _write_duration(value: Any) -> bytes:
    total = sum(Fraction(number) * _UNITS[unit] for number, unit in _DURATION_PART.findall(str(value)))
    return integer_field(1, int(-total if str(value).startswith("-") else total))


# Documents and lists of texts.


def _read_document(data: bytes) -> Any:
    raw = _bytes(_parts(data), 1)
    if not raw:
        return None
    if raw.startswith(ENVELOPE):
        raise WireError("a document in protobuf inside another one is not supported")
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError as error:
        raise WireError(f"a raw document is no JSON: {error}") from error


def _write_document(value: Any) -> bytes:
    return b"" if value is None else bytes_field(1, msgspec.json.encode(value))


def _read_texts(data: bytes) -> list[str]:
    return [text(value) for number, _, value in read_fields(data) if number == 1 and isinstance(value, bytes)]


def _write_texts(value: Any) -> bytes:
    return b"".join(bytes_field(1, str(entry).encode()) for entry in value or ())


def text(data: bytes) -> str:
    """A text; what is no UTF-8 is replaced as Go's JSON encoder replaces it."""
    return data.decode(errors="replace")


READERS: dict[str, Callable[[bytes], Any]] = {
    "quantity": _read_quantity,
    "intstr": _read_int_or_string,
    "time": _read_time,
    "microtime": _read_micro_time,
    "duration": _read_duration,
    "raw": _read_document,
    "strings": _read_texts,
}
WRITERS: dict[str, Callable[[Any], bytes]] = {
    "quantity": _write_quantity,
    "intstr": _write_int_or_string,
    "time": _write_time,
    "microtime": _write_time,
    "duration": _write_duration,
    "raw": _write_document,
    "strings": _write_texts,
}
ZEROS: dict[str, Any] = {"quantity": "0", "intstr": 0, "duration": "0s"}
