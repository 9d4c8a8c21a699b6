"""Label and field selectors as clients write them in a query, with the errors of Kubernetes' own parser.

A parsed selector is a function of an object. The grammar is that of the "Labels and Selectors" and "Field
Selectors" pages of the Kubernetes documentation.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.statuses import bad_request

NAME_PART = re.compile(r"^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$")
SUBDOMAIN = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
KEY_RULE = (
    "a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. "
    "'example.com/MyName')"
)
VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
    "start and end "
    "with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_TOKEN = re.compile(r"\s*(==|!=|[=!<>(),]|[^\s=!<>(),]+)")
_OPERATORS = {"=": "in", "==": "in", "!=": "notin", "in": "in", "notin": "notin", ">": "gt", "<": "lt"}


class Requirement(NamedTuple):
    """One term of a label selector."""

    key: str
    operator: str  # in, notin, exists, absent, gt, lt
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels satisfy the term."""
        value = labels.get(self.key)
        if self.operator in ("gt", "lt"):
            return self._compares(value)
        return {
            "in": value is not None and value in self.values,
            "notin": value is None or value not in self.values,
            "exists": value is not None,
            "absent": value is None,
        }[self.operator]

    def _compares(self, value: str | None) -> bool:
        if value is None or not re.fullmatch(r"[+-]?\d+", value):
            return False
        bound = int(next(iter(self.values)))
        return int(value) > bound if self.operator == "gt" else int(value) < bound


class _LabelParser:
    def __init__(self, text: str) -> None:
        self._words = [match.group(1) for match in _TOKEN.finditer(text.rstrip())]
        self._position = 0

    def _peek(self) -> str:
        return self._words[self._position] if self._position < len(self._words) else ""

    def _take(self) -> str:
        word = self._peek()
        self._position += 1
        return word

    def parse(self) -> list[Requirement]:
        found: list[Requirement] = []
        if not self._words:
            return found
        while True:
            if self._peek() in ("", *"=<>(),", "==", "!="):
                expected = "identifier after ','" if found else "!, identifier, or 'end of string'"
                raise bad_request(f"found '{self._peek()}', expected: {expected}")
            found.append(self._requirement())
            word = self._take()
            if not word:
                return found
            if word != ",":
                raise bad_request(f"found '{word}', expected: ',' or 'end of string'")

    def _requirement(self) -> Requirement:
        if self._peek() == "!":
            self._take()
            return Requirement(_label_key(self._take()), "absent")
        key = _label_key(self._take())
        word = self._peek()
        if word in ("", ","):
            return Requirement(key, "exists")
        operator = _OPERATORS.get(word)
        if operator is None:
            if self._position > 0 and word not in ("(", ")", "!"):
                raise bad_request(
                    f"unable to parse requirement: found '{word}', expected: in, notin, =, ==, !=, gt, lt"
                )
            raise bad_request(f"unable to parse requirement: found '{word}', expected: in, notin, =, ==, !=, gt, lt")
        self._take()
        values = self._set() if word in ("in", "notin") else self._single()
        return self._checked(key, operator, values)

    @staticmethod
    def _checked(key: str, operator: str, values: list[str]) -> Requirement:
        for index, value in enumerate(values):
            if operator in ("gt", "lt"):
                if not re.fullmatch(r"[+-]?\d+", value):
                    why = "for 'Gt', 'Lt' operators, the value must be an integer"
                    raise bad_request(f'unable to parse requirement: values[{index}]: Invalid value: "{value}": {why}')
            elif value and (not NAME_PART.match(value) or len(value) > 63):
                where = f"values[{index}][{key}]"
                raise bad_request(f'unable to parse requirement: {where}: Invalid value: "{value}": {VALUE_RULE}')
        return Requirement(key, operator, frozenset(values))

    def _single(self) -> list[str]:
        return [""] if self._peek() in ("", ",") else [self._take()]

    def _set(self) -> list[str]:
        word = self._take()
        if word != "(":
            raise bad_request(f"unable to parse requirement: found '{word}' expected: '('")
        values: list[str] = []
        last = ","
        while (word := self._take()) != ")":
            if word == "":
                raise bad_request("unable to parse requirement: found '', expected: ',' or ')'")
            if word == ",":
                if last == ",":
                    values.append("")
            else:
                values.append(word)
            last = word
        if last == ",":
            values.append("")
        return values


def _label_key(key: str) -> str:
    prefix, slash, name = key.rpartition("/")
    if not NAME_PART.match(name) or len(name) > 63 or (slash and not SUBDOMAIN.match(prefix)):
        raise bad_request(f'unable to parse requirement: <nil>: Invalid value: "{key}": {KEY_RULE}')
    return key


@lru_cache(maxsize=512)
def label_requirements(text: str) -> tuple[Requirement, ...]:
    """Parse a label selector; 400 with Kubernetes' words when it is wrong."""
    return tuple(_LabelParser(text).parse())


def labels_match(requirements: tuple[Requirement, ...], labels: Mapping[str, str]) -> bool:
    """Whether the labels satisfy every term."""
    return all(requirement.matches(labels) for requirement in requirements)


def selector_requirements(selector: Object | None) -> tuple[Requirement, ...] | None:
    """The terms of a `LabelSelector` object; None (nothing matches) for a missing one."""
    if selector is None:
        return None
    terms = [Requirement(key, "in", frozenset([value])) for key, value in (selector.get("matchLabels") or {}).items()]
    operators = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "absent"}
    for expression in selector.get("matchExpressions") or []:
        values = frozenset(expression.get("values") or [])
        terms.append(Requirement(expression["key"], operators[expression["operator"]], values))
    return tuple(terms)


class FieldTerm(NamedTuple):
    """One term of a field selector."""

    path: str
    equals: bool
    value: str


_FIELD_TERM = re.compile(r"^([^=!]+?)(==|!=|=)((?:\\[\\,=]|[^\\,=])*)$", re.DOTALL)


@lru_cache(maxsize=512)
def field_terms(text: str) -> tuple[FieldTerm, ...]:
    """Parse a field selector; 400 with Kubernetes' words when it is wrong."""
    terms = []
    for part in re.split(r"(?<!\\),", text):
        if not part:
            continue
        match = _FIELD_TERM.match(part)
        if match is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        value = re.sub(r"\\([\\,=])", r"\1", match.group(3))
        terms.append(FieldTerm(match.group(1), match.group(2) != "!=", value))
    return tuple(terms)


_COMMON = ("metadata.name", "metadata.namespace")
_EVENT = (
    "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
    "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason",
    "reportingComponent", "source", "type",
)  # fmt: skip
_NEW_EVENT = (
    *(path.replace("involvedObject", "regarding") for path in _EVENT[:7]), "reason", "reportingController", "type",
)  # fmt: skip
FIELDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "pods"): (
        "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
        "status.phase", "status.podIP", "status.podIPs", "status.nominatedNodeName",
    ),
    ("", "namespaces"): ("status.phase", "name"),
    ("", "nodes"): ("spec.unschedulable",),
    ("", "secrets"): ("type",),
    ("", "services"): ("spec.clusterIP", "spec.type"),
    ("", "events"): _EVENT,
    ("", "replicationcontrollers"): ("status.replicas",),
    ("events.k8s.io", "events"): _NEW_EVENT,
    ("batch", "jobs"): ("status.successful",),
}  # fmt: skip
# Kinds whose conversion names unsupported labels in the short form.
_SHORT_WORDING = frozenset(
    {("", "pods"), ("", "namespaces"), ("", "nodes"), ("", "secrets"), ("", "services"), ("", "events"),
     ("events.k8s.io", "events"), ("batch", "jobs"), ("", "replicationcontrollers")}
)  # fmt: skip


def check_fields(
    terms: tuple[FieldTerm, ...], group: str, plural: str, selectable: tuple[str, ...] | None = None
) -> None:
    """Refuse field labels that this resource doesn't select by."""
    allowed = (*_COMMON, *(FIELDS.get((group, plural), ()) if selectable is None else selectable))
    for term in terms:
        if term.path in allowed:
            continue
        if (group, plural) in _SHORT_WORDING or selectable is not None:
            raise bad_request(f"field label not supported: {term.path}")
        raise bad_request(f'"{term.path}" is not a known field selector: only "metadata.name", "metadata.namespace"')


_SPECIAL: dict[str, Callable[[Object], Any]] = {
    "spec.hostNetwork": lambda obj: obj.get("spec", {}).get("hostNetwork", False),
    "spec.unschedulable": lambda obj: obj.get("spec", {}).get("unschedulable", False),
    "status.successful": lambda obj: obj.get("status", {}).get("succeeded", 0),
    "status.replicas": lambda obj: obj.get("status", {}).get("replicas", 0),
    "source": lambda obj: (obj.get("source") or {}).get("component") or obj.get("reportingComponent"),
    "reportingController": lambda obj: obj.get("reportingComponent"),
    "name": lambda obj: obj["metadata"]["name"],
}


@lru_cache(maxsize=512)
def _keys(path: str) -> tuple[str, ...]:
    return tuple(path.replace("regarding", "involvedObject").split("."))


def field_value(obj: Object, path: str) -> str:
    """The text a field selector compares: empty for what is missing."""
    special = _SPECIAL.get(path)
    value: Any = obj
    if special is not None:
        value = special(obj)
    else:
        for key in _keys(path):
            value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


class Selector:
    """Both selectors of a request as one test."""

    def __init__(
        self,
        label_selector: str,
        field_selector: str,
        *,
        group: str,
        plural: str,
        selectable: tuple[str, ...] | None = None,
    ) -> None:
        self._labels = label_requirements(label_selector) if label_selector else ()
        self._fields = field_terms(field_selector) if field_selector else ()
        check_fields(self._fields, group, plural, selectable)

    @property
    def everything(self) -> bool:
        """Whether nothing is filtered."""
        return not self._labels and not self._fields

    @property
    def single_name(self) -> str:
        """The one name the field selector asks for, or empty."""
        return next((t.value for t in self._fields if t.path == "metadata.name" and t.equals), "")

    def matches(self, obj: Object) -> bool:
        """Whether an object is selected."""
        if self._labels and not labels_match(self._labels, obj["metadata"].get("labels") or {}):
            return False
        return all((field_value(obj, term.path) == term.value) is term.equals for term in self._fields)
