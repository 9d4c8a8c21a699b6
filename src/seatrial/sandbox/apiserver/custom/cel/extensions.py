"""What Kubernetes adds to CEL: quantities, addresses, URLs, versions, sets, optional values, mathematics, formats."""

import base64
import binascii
import ipaddress
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from seatrial.kube.quantity import QuantityError, parse_quantity
from seatrial.sandbox.apiserver.custom.cel.operators import compare, contains, is_number, no_overload
from seatrial.sandbox.apiserver.custom.cel.values import NONE, CelError, Optional
from seatrial.sandbox.apiserver.custom.formats import FORMATS

_SEMVER = re.compile(r"^(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?\Z")


@dataclass(frozen=True, order=True)
class Quantity:
    """A Kubernetes quantity."""

    amount: Fraction
    cel_type: ClassVar[str] = "kubernetes.Quantity"


@dataclass(frozen=True)
class Url:
    """A URL."""

    text: str
    cel_type: ClassVar[str] = "kubernetes.URL"


@dataclass(frozen=True)
class Address:
    """An IP address."""

    value: Any
    cel_type: ClassVar[str] = "net.IP"

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True)
class Network:
    """A CIDR."""

    value: Any
    cel_type: ClassVar[str] = "net.CIDR"

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True)
class Version:
    """A semantic version."""

    key: tuple[Any, ...]
    cel_type: ClassVar[str] = "kubernetes.Semver"


@dataclass(frozen=True)
class NamedFormat:
    """A format by name, whose `validate` answers with what is wrong."""

    name: str
    cel_type: ClassVar[str] = "kubernetes.NamedFormat"


def _is_valid(make: Callable[..., Any]) -> Callable[[Any], bool]:
    def check(value: Any) -> bool:
        if not isinstance(value, str):
            raise no_overload("is...", value)
        try:
            make(value)
        except CelError:
            return False
        return True

    return check


def quantity(text: Any) -> Quantity:
    """Read a quantity."""
    if not isinstance(text, str):
        raise no_overload("quantity", text)
    try:
        return Quantity(Fraction(parse_quantity(text).value))
    except QuantityError as error:
        raise CelError(error.message) from error


def _amount(value: Any) -> Fraction:
    return value.amount if isinstance(value, Quantity) else Fraction(value)


def _url(text: Any) -> Url:
    try:
        parts = urlsplit(text)
        valid = bool(parts.scheme) or text.startswith("/")
    except (ValueError, AttributeError):
        valid = False
    if not valid:
        raise CelError(f"URL parse error during conversion from string: {text}")
    return Url(text)


def _address(text: Any) -> Address:
    try:
        return Address(ipaddress.ip_address(text))
    except ValueError as error:
        raise CelError(f"IP Address '{text}' parse error during conversion from string: {error}") from None


def _network(text: Any) -> Network:
    if "/" not in str(text):
        raise CelError(f"network address parse error during conversion from string: no '/' in {text}")
    try:
        return Network(ipaddress.ip_interface(text))
    except ValueError as error:
        raise CelError(f"network address parse error during conversion from string: {error}") from None


def _version(text: Any, normalize: Any = False) -> Version:  # noqa: FBT002 -- CEL's own signature
    source = str(text)
    if normalize:
        source = source.removeprefix("v")
        source += ".0" * (2 - source.partition("-")[0].count("."))
    match = _SEMVER.match(source)
    if match is None:
        raise CelError(f"semver parse error: {text}")
    before = match[4]
    release = [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in (before or "").split(".") if part]
    return Version((int(match[1]), int(match[2]), int(match[3]), before is None, tuple(release)))


def _compared(one: Any, other: Any) -> int:
    for kind, key in ((Quantity, "amount"), (Version, "key")):
        if isinstance(one, kind) and isinstance(other, kind):
            first, second = getattr(one, key), getattr(other, key)
            return int(first > second) - int(first < second)
    raise no_overload("compareTo", one, other)


def _get(name: str, read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def method(value: Any) -> Any:
        if not isinstance(value, Url):
            raise no_overload(name, value)
        return read(urlsplit(value.text))

    return method


def _as_address(value: Any) -> Any:
    return value.value if isinstance(value, Address) else _address(value).value


def _as_network(value: Any) -> Any:
    return value.value if isinstance(value, Network) else _network(value).value


def _contains_address(network: Any, address: Any) -> bool:
    found = _as_address(address)
    return bool(found.version == _as_network(network).version and found in _as_network(network).network)


def _contains_network(network: Any, other: Any) -> bool:
    outer, inner = _as_network(network).network, _as_network(other).network
    return bool(outer.version == inner.version and inner.subnet_of(outer))


def _validate(form: Any, value: Any) -> Optional:
    if not isinstance(form, NamedFormat):
        raise no_overload("validate", form, value)
    check = FORMATS.get(form.name)
    if check is None or check(value):
        return NONE
    return Optional([f"{value!r} is not a valid {form.name}"], is_present=True)


def _named_format(name: Any) -> Optional:
    return Optional(NamedFormat(name), is_present=True) if name in FORMATS else NONE


def first_of(items: list[Any]) -> Optional:
    """The first item as an optional."""
    return Optional(items[0], is_present=True) if items else NONE


def _non_zero(value: Any) -> Optional:
    return NONE if value in (None, 0, "", b"", False) or value in ([], {}) else Optional(value, is_present=True)


def _extreme(name: str, sign: int) -> Callable[..., Any]:
    def extreme(*args: Any) -> Any:
        values = args[0] if len(args) == 1 and isinstance(args[0], list) else list(args)
        best = values[0]
        for value in values:
            if not is_number(value):
                raise no_overload(name, value)
            best = value if compare(name, value, best) * sign > 0 else best
        return best

    return extreme


def _decode(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=False)
    except (binascii.Error, ValueError, TypeError) as error:
        raise CelError(f"illegal base64 data: {error}") from None


def _quote(text: Any) -> str:
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return '"' + "".join(escapes.get(letter, letter) for letter in text) + '"'


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "quantity": quantity,
    "isQuantity": _is_valid(quantity),
    "url": _url,
    "isURL": _is_valid(_url),
    "ip": _address,
    "isIP": _is_valid(_address),
    "cidr": _network,
    "isCIDR": _is_valid(_network),
    "semver": _version,
    "isSemver": _is_valid(_version),
}
METHODS: dict[str, Callable[..., Any]] = {
    "compareTo": _compared,
    "isLessThan": lambda one, other: _compared(one, other) < 0,
    "isGreaterThan": lambda one, other: _compared(one, other) > 0,
    "sign": lambda value: (_amount(value) > 0) - (_amount(value) < 0),
    "add": lambda one, other: Quantity(_amount(one) + _amount(other)),
    "sub": lambda one, other: Quantity(_amount(one) - _amount(other)),
    "isInteger": lambda value: _amount(value).denominator == 1,
    "asInteger": lambda value: int(_amount(value)),
    "asApproximateFloat": lambda value: float(_amount(value)),
    "major": lambda value: value.key[0],
    "minor": lambda value: value.key[1],
    "patch": lambda value: value.key[2],
    "getScheme": _get("getScheme", lambda parts: parts.scheme),
    "getHost": _get("getHost", lambda parts: parts.netloc.rpartition("@")[2]),
    "getHostname": _get("getHostname", lambda parts: parts.hostname or ""),
    "getPort": _get("getPort", lambda parts: str(parts.port or "")),
    "getEscapedPath": _get("getEscapedPath", lambda parts: parts.path),
    "getQuery": _get("getQuery", lambda parts: parse_qs(parts.query, keep_blank_values=True)),
    "family": lambda value: value.value.version,
    "isUnspecified": lambda value: value.value.is_unspecified,
    "isLoopback": lambda value: value.value.is_loopback,
    "isLinkLocalMulticast": lambda value: str(value.value).startswith(("224.0.0.", "ff02")),
    "isLinkLocalUnicast": lambda value: value.value.is_link_local,
    "isGlobalUnicast": lambda value: (
        not (
            value.value.is_unspecified
            or value.value.is_loopback
            or value.value.is_multicast
            or value.value.is_link_local
        )
    ),
    "containsIP": _contains_address,
    "containsCIDR": _contains_network,
    "ip": lambda network: Address(network.value.ip),
    "masked": lambda network: Network(ipaddress.ip_interface(str(network.value.network))),
    "prefixLength": lambda network: network.value.network.prefixlen,
    "validate": _validate,
}
NAMESPACES: dict[str, Callable[..., Any]] = {
    "optional.of": lambda value: Optional(value, is_present=True),
    "optional.none": lambda: NONE,
    "optional.ofNonZeroValue": _non_zero,
    "ip.isCanonical": lambda text: str(_address(text)) == text,
    "sets.contains": lambda one, other: all(contains(one, item) for item in other),
    "sets.intersects": lambda one, other: any(contains(one, item) for item in other),
    "sets.equivalent": lambda one, other: (
        all(contains(one, item) for item in other) and all(contains(other, item) for item in one)
    ),
    "base64.encode": lambda value: base64.b64encode(value).decode(),
    "base64.decode": _decode,
    "strings.quote": _quote,
    "format.named": _named_format,
    **{f"format.{name}": (lambda name=name: NamedFormat(name)) for name in FORMATS},
    "math.greatest": _extreme("math.greatest", 1),
    "math.least": _extreme("math.least", -1),
    "math.abs": abs,
    "math.ceil": lambda value: float(math.ceil(value)),
    "math.floor": lambda value: float(math.floor(value)),
    "math.round": lambda value: float(math.floor(abs(value) + 0.5)) * math.copysign(1, value),
    "math.trunc": lambda value: float(math.trunc(value)),
    "math.sign": lambda value: type(value)((value > 0) - (value < 0)),
    "math.isNaN": math.isnan,
    "math.isInf": math.isinf,
    "math.isFinite": math.isfinite,
    "math.bitAnd": lambda one, other: one & other,
    "math.bitOr": lambda one, other: one | other,
    "math.bitXor": lambda one, other: one ^ other,
}
