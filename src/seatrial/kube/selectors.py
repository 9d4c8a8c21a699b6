"""Label and field selectors: parsed, checked, matched and written as the Kubernetes API does.

The tool checks selectors of a policy before anything is sent, and matches owners' selectors by itself; the sandbox
answers `labelSelector=` and `fieldSelector=` with the same code. Grammar and rules: Kubernetes documentation,
"Labels and Selectors" and "Field Selectors"; the wording of errors is the API server's own.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from seatrial.errors import UsageError

Operator = Literal["in", "notin", "exists", "!", "=", "==", "!=", ">", "<"]
_BINARY_OPERATORS = "in, notin, =, ==, !=, gt, lt"
_NAME = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_NAME_RE = re.compile(rf"\A{_NAME}\Z", re.ASCII)
_VALUE_RE = re.compile(rf"\A({_NAME})?\Z", re.ASCII)
_SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_SUBDOMAIN_RE = re.compile(rf"\A{_SUBDOMAIN}\Z", re.ASCII)
_INTEGER_RE = re.compile(r"\A[+-]?[0-9]+\Z", re.ASCII)
_TOKEN_RE = re.compile(r"[ \t\r\n]*(==|!=|[=!(),<>]|[^=!(),<> \t\r\n]+)")
_OPERATORS: dict[str, Operator] = {
    "in": "in", "notin": "notin", "=": "=", "==": "==", "!=": "!=", ">": ">", "<": "<"
}  # fmt: skip
_EXPRESSION_OPERATORS: dict[str, Operator] = {
    "In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"
}  # fmt: skip
_SYMBOLS = frozenset({"=", "==", "!=", "!", "(", ")", ",", "<", ">", ""})


class SelectorError(UsageError, ValueError):
    """A selector that can't be read; the message is what the API server would answer."""


class Requirement(msgspec.Struct, frozen=True):
    """One condition on one label; all of a selector's requirements must hold."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels meets the requirement."""
        value = labels.get(self.key)
        match self.operator:
            case "in" | "=" | "==":
                return value is not None and value in self.values
            case "notin" | "!=":
                return value is None or value not in self.values
            case "exists":
                return value is not None
            case "!":
                return value is None
            case _:
                return self._compares(value)

    def _compares(self, value: str | None) -> bool:
        if value is None or not _INTEGER_RE.match(value):
            return False
        bound = int(self.values[0])
        return int(value) > bound if self.operator == ">" else int(value) < bound

    def __str__(self) -> str:
        match self.operator:
            case "exists":
                return self.key
            case "!":
                return f"!{self.key}"
            case "in" | "notin":
                return f"{self.key} {self.operator} ({','.join(self.values)})"
            case _:
                return f"{self.key}{self.operator}{self.values[0]}"


class LabelSelector(msgspec.Struct, frozen=True):
    """A set of requirements; none at all match everything, unless `nothing` is set."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    @classmethod
    def from_dict(cls, selector: Mapping[str, Any] | None) -> "LabelSelector":
        """Build from an object's `selector` with `matchLabels` and `matchExpressions`.

        As in the API, an empty selector matches everything and none (null) matches nothing.

        Raises:
            SelectorError: an operator, key or value isn't valid.
        """
        if selector is None:
            return cls(nothing=True)
        found = [_checked(key, "in", [value]) for key, value in (selector.get("matchLabels") or {}).items()]
        found.extend(_from_expression(expression) for expression in selector.get("matchExpressions") or ())
        return cls(tuple(sorted(found, key=lambda requirement: requirement.key)))

    @classmethod
    def from_labels(cls, labels: Mapping[str, str] | None) -> "LabelSelector":
        """Build from a plain map, as in a Service's `spec.selector`: an empty map selects nothing there."""
        return cls.from_dict({"matchLabels": labels}) if labels else cls(nothing=True)

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        """Whether an object with these labels is selected."""
        if self.nothing:
            return False
        found = labels or {}
        return all(requirement.matches(found) for requirement in self.requirements)

    def __str__(self) -> str:
        """The form that `labelSelector=` takes; a selector of nothing becomes a contradiction, never empty."""
        if self.nothing:
            return "!seatrial.io/nothing,seatrial.io/nothing"
        return ",".join(_one_value_short(requirement) for requirement in self.requirements)


def parse_label_selector(text: str) -> LabelSelector:
    """Read `app=web,tier in (a,b),!canary`; an empty text selects everything.

    Raises:
        SelectorError: with the API server's own words.
    """
    requirements = list(_LabelParser(text).requirements())
    return LabelSelector(tuple(sorted(requirements, key=lambda requirement: requirement.key)))


def check_label_key(key: str) -> None:
    """Raise `SelectorError` unless this may be a label's key (`name` or `prefix/name`)."""
    problems = _key_problems(key)
    if problems:
        raise SelectorError(f"<nil>: Invalid value: {_quoted(key)}: {'; '.join(problems)}")


def label_value_problems(value: str) -> list[str]:
    """What is wrong with a label's value, in the API server's words; empty when it is valid."""
    problems = []
    if len(value.encode()) > 63:
        problems.append("must be no more than 63 bytes")
    if not _VALUE_RE.match(value):
        problems.append(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
            "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', "
            f"regex used for validation is '({_NAME})?')"
        )
    return problems


def _key_problems(key: str) -> list[str]:
    prefix, slash, name = key.rpartition("/")
    name_rule = (
        "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
        f"character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_NAME}')"
    )
    if "/" in prefix:
        return [
            f"a valid label key {name_rule} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        ]
    problems = _prefix_problems(prefix) if slash else []
    if not name:
        problems.append("name part must be non-empty")
    elif len(name) > 63:
        problems.append("name part must be no more than 63 bytes")
    if not _NAME_RE.match(name):
        problems.append(f"name part {name_rule}")
    return problems


def _prefix_problems(prefix: str) -> list[str]:
    if not prefix:
        return ["prefix part must be non-empty"]
    problems = []
    if len(prefix) > 253:
        problems.append("prefix part must be no more than 253 bytes")
    if not _SUBDOMAIN_RE.match(prefix):
        problems.append(
            "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
            "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for "
            f"validation is '{_SUBDOMAIN}')"
        )
    return problems


def _checked(key: str, operator: Operator, values: Sequence[str]) -> Requirement:
    """A requirement whose key and values are valid, or an error as the API server words it."""
    check_label_key(key)
    if operator in {"<", ">"} and not all(_INTEGER_RE.match(value) for value in values):
        raise SelectorError(
            f"values[0]: Invalid value: {_quoted(values[0])}: for 'Gt', 'Lt' operators, the value must be an integer"
        )
    for index, value in enumerate(values):
        problems = label_value_problems(value)
        if problems:
            raise SelectorError(f"values[{index}][{key}]: Invalid value: {_quoted(value)}: {'; '.join(problems)}")
    return Requirement(key, operator, tuple(values))


def _from_expression(expression: Mapping[str, Any]) -> Requirement:
    name = str(expression.get("operator", ""))
    operator = _EXPRESSION_OPERATORS.get(name)
    if operator is None:
        raise SelectorError(f"{_quoted(name)} is not a valid label selector operator")
    values = sorted({str(value) for value in expression.get("values") or ()})
    if operator in {"in", "notin"} and not values:
        raise SelectorError("values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty")
    if operator in {"exists", "!"} and values:
        raise SelectorError("values: Invalid value: values set must be empty for exists and does not exist")
    return _checked(str(expression.get("key", "")), operator, values)


def _one_value_short(requirement: Requirement) -> str:
    if requirement.operator == "in" and len(requirement.values) == 1:
        return f"{requirement.key}={requirement.values[0]}"
    return str(requirement)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


class _LabelParser:
    """Recursive descent over tokens; an empty string is the end."""

    def __init__(self, text: str) -> None:
        self._tokens: list[str] = [*_TOKEN_RE.findall(text), ""]
        self._at = 0

    def requirements(self) -> Iterator[Requirement]:
        if not self._peek():
            return
        if self._is_symbol() and self._peek() != "!":
            raise SelectorError(f"found '{self._peek()}', expected: !, identifier, or 'end of string'")
        while True:
            try:
                yield self._requirement()
            except SelectorError as error:
                raise SelectorError(f"unable to parse requirement: {error.message}") from None
            found = self._take()
            if not found:
                return
            if found != ",":
                raise SelectorError(f"found '{found}', expected: ',' or 'end of string'")
            if self._is_symbol() and self._peek() != "!":
                raise SelectorError(f"found '{self._peek()}', expected: identifier after ','")

    def _requirement(self) -> Requirement:
        absent = self._peek() == "!"
        if absent:
            self._take()
        key = self._identifier()
        check_label_key(key)
        if absent:
            return Requirement(key, "!")
        if self._peek() in {"", ","}:
            return Requirement(key, "exists")
        found = self._take()
        operator = _OPERATORS.get(found)
        if operator is None:
            raise SelectorError(f"found '{found}', expected: {_BINARY_OPERATORS}")
        values = self._set() if operator in {"in", "notin"} else {self._value()}
        return _checked(key, operator, sorted(values))

    def _value(self) -> str:
        return "" if self._peek() in {"", ","} else self._identifier()

    def _set(self) -> set[str]:
        if self._peek() != "(":
            raise SelectorError(f"found '{self._peek()}' expected: '('")
        self._take()
        values: set[str] = set()
        while True:
            # An empty place, as in "()", "(a,)" or "(,a)", stands for the empty value.
            values.add("" if self._peek() in {",", ")"} else self._identifier("',', ')' or identifier"))
            found = self._take()
            if found == ")":
                return values
            if found != ",":
                raise SelectorError(f"found '{found}', expected: ',' or ')'")

    def _identifier(self, expected: str = "identifier") -> str:
        if self._is_symbol():
            raise SelectorError(f"found '{self._peek()}', expected: {expected}")
        return self._take()

    def _peek(self) -> str:
        return self._tokens[self._at]

    def _take(self) -> str:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _is_symbol(self) -> bool:
        return self._peek() in _SYMBOLS


class FieldRequirement(NamedTuple):
    """One condition on one field."""

    field: str
    operator: Literal["=", "!="]
    value: str

    def __str__(self) -> str:
        escaped = re.sub(r"([\\,=])", r"\\\1", self.value)
        return f"{self.field}{self.operator}{escaped}"


class FieldSelector(msgspec.Struct, frozen=True):
    """A set of conditions on fields. Which fields can be asked for depends on the resource, not on the selector."""

    requirements: tuple[FieldRequirement, ...] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields asked for, for a server to check."""
        return tuple(requirement.field for requirement in self.requirements)

    def matches(self, value_of: Callable[[str], str]) -> bool:
        """Whether an object is selected; `value_of` gives a field's value as text, empty where unset."""
        return all((value_of(r.field) == r.value) == (r.operator == "=") for r in self.requirements)

    def __str__(self) -> str:
        return ",".join(str(requirement) for requirement in self.requirements)


_TERM_RE = re.compile(r"((?:[^\\,]|\\.|\\\Z)*)(?:,|\Z)", re.DOTALL)
_FIELD_RE = re.compile(r"\A((?:[^\\=!]|\\.|!(?!=))*)(!=|==|=)(.*)\Z", re.DOTALL)
_UNESCAPED_RE = re.compile(r"\A(?:[^\\,=]|\\[\\,=])*\Z", re.DOTALL)


def parse_field_selector(text: str) -> FieldSelector:
    r"""Read `status.phase=Running,spec.nodeName!=node1`; `\\`, `\,` and `\=` stand for themselves.

    Raises:
        SelectorError: with the API server's own words.
    """
    requirements = []
    for term in filter(None, _TERM_RE.findall(text)):
        found = _FIELD_RE.match(term)
        if not found:
            raise SelectorError(f"invalid selector: '{text}'; can't understand '{term}'")
        field, operator, value = found.groups()
        if not _UNESCAPED_RE.match(value):
            raise SelectorError(
                f"invalid field selector: invalid value {_quoted(value)}: escape \\, ',' and '=' with \\"
            )
        plain = re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)
        requirements.append(FieldRequirement(field, "!=" if operator == "!=" else "=", plain))
    return FieldSelector(tuple(requirements))
