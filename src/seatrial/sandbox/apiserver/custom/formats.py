"""The formats a schema may ask of a text; a format that isn't here is not checked, as in Kubernetes."""

import base64
import binascii
import datetime as dt
import ipaddress
import re
import uuid
from collections.abc import Callable
from urllib.parse import urlsplit

_DATE_TIME = re.compile(r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:?\d{2})?\Z")
_DURATION = re.compile(r"^[-+]?((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+\Z")
_LONG_DURATION = re.compile(r"^(\d+)\s*(weeks?|w|days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s|ms)\Z")
_HOSTNAME = re.compile(r"^(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\.?\Z")
_EMAIL = re.compile(r"^[^@\s<>]+@[^@\s<>]+\Z")


def _pattern(text: str) -> Callable[[str], bool]:
    compiled = re.compile(text)
    return lambda value: compiled.search(value) is not None


def _date(value: str) -> bool:
    try:
        return bool(dt.date.fromisoformat(value)) and len(value) == 10
    except ValueError:
        return False


def _date_time(value: str) -> bool:
    if not _DATE_TIME.match(value):
        return False
    try:
        return bool(dt.datetime.fromisoformat(re.sub(r"\.\d+", "", value).upper().replace(" ", "T")))
    except ValueError:
        return False


def _duration(value: str) -> bool:
    return value == "0" or bool(_DURATION.match(value) or _LONG_DURATION.match(value))


def _address(version: int) -> Callable[[str], bool]:
    def check(value: str) -> bool:
        try:
            return ipaddress.ip_address(value).version == version and "%" not in value
        except ValueError:
            return False

    return check


def _network(value: str) -> bool:
    try:
        return "/" in value and bool(ipaddress.ip_network(value, strict=False))
    except ValueError:
        return False


def _uri(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return bool(parts.scheme or value.startswith("/")) and " " not in value


def _uuid(version: int | None) -> Callable[[str], bool]:
    def check(value: str) -> bool:
        try:
            return version in (None, uuid.UUID(value).version)
        except ValueError:
            return False

    return check


def _base64(value: str) -> bool:
    try:
        return base64.b64decode(value, validate=True) is not None
    except (binascii.Error, ValueError):
        return False


FORMATS: dict[str, Callable[[str], bool]] = {
    "bsonobjectid": _pattern(r"^[0-9a-fA-F]{24}\Z"),
    "uri": _uri,
    "email": lambda value: bool(_EMAIL.match(value)),
    "hostname": lambda value: len(value) <= 255 and bool(_HOSTNAME.match(value)),
    "ipv4": _address(4),
    "ipv6": _address(6),
    "cidr": _network,
    "mac": _pattern(r"^([0-9A-Fa-f]{2}([:-]))([0-9A-Fa-f]{2}\2){4}[0-9A-Fa-f]{2}\Z"),
    "uuid": _uuid(None),
    "uuid3": _uuid(3),
    "uuid4": _uuid(4),
    "uuid5": _uuid(5),
    "isbn": _pattern(r"^(\d[- ]?){9}[\dX]\Z|^(\d[- ]?){12}\d\Z"),
    "isbn10": _pattern(r"^(\d[- ]?){9}[\dX]\Z"),
    "isbn13": _pattern(r"^(\d[- ]?){12}\d\Z"),
    "creditcard": _pattern(r"^(\d[- ]?){12,18}\d\Z"),
    "ssn": _pattern(r"^\d{3}[- ]?\d{2}[- ]?\d{4}\Z"),
    "hexcolor": _pattern(r"^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})\Z"),
    "rgbcolor": _pattern(r"^rgb\(\s*\d{1,3}\s*,\s*\d{1,3}\s*,\s*\d{1,3}\s*\)\Z"),
    "byte": _base64,
    "password": lambda _value: True,
    "date": _date,
    "datetime": _date_time,
    "duration": _duration,
    "k8sshortname": _pattern(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z"),
    "k8slongname": lambda value: (
        len(value) <= 253
        and bool(re.match(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z", value))
    ),
}
"""By the name without hyphens."""
