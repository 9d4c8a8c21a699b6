"""Label and field selectors as clients write them in a query: which objects of a resource they select.

They are read by `kube.selectors`; here are the fields that a resource can be selected by, and their values. See "Field
Selectors" in the Kubernetes documentation.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from seatrial.kube.selectors import FieldSelector, LabelSelector, SelectorError, parse_field_selector
from seatrial.kube.selectors import parse_label_selector as parse_labels
from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.statuses import bad_request

NAME_PART = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]\Z")
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")


@lru_cache(maxsize=512)
def parse_label_selector(text: str) -> LabelSelector:
    """Read a label selector; 400 with Kubernetes' words when it is wrong."""
    try:
        return parse_labels(text)
    except SelectorError as error:
        raise bad_request(error.message) from error


@lru_cache(maxsize=512)
def _field_selector(text: str) -> FieldSelector:
    try:
        return parse_field_selector(text)
    except SelectorError as error:
        raise bad_request(error.message) from error


def selector_text(selector: Object) -> str:
    """A `LabelSelector` object as a query writes it: its terms by key."""
    terms = [(key, f"{key}={value}") for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        key, values = expression["key"], ",".join(sorted(expression.get("values") or ()))
        forms = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}
        terms.append((key, forms.get(expression["operator"], f"!{key}")))
    return ",".join(text for _, text in sorted(terms))


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


def _check_fields(selector: FieldSelector, group: str, plural: str, selectable: tuple[str, ...] | None = None) -> None:
    """Refuse field labels that this resource doesn't select by."""
    allowed = (*_COMMON, *(FIELDS.get((group, plural), ()) if selectable is None else selectable))
    for field in selector.fields:
        if field in allowed:
            continue
        if (group, plural) in _SHORT_WORDING or selectable is not None:
            raise bad_request(f"field label not supported: {field}")
        raise bad_request(f'"{field}" is not a known field selector: only "metadata.name", "metadata.namespace"')


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
    """Both selectors of a request as one test; `everything`: whether nothing is filtered."""

    def __init__(
        self,
        label_selector: str,
        field_selector: str,
        *,
        group: str,
        plural: str,
        selectable: tuple[str, ...] | None = None,
    ) -> None:
        self._labels = parse_label_selector(label_selector) if label_selector else LabelSelector()
        self._fields = _field_selector(field_selector) if field_selector else FieldSelector()
        _check_fields(self._fields, group, plural, selectable)
        self.everything = not self._labels.requirements and not self._fields.requirements

    def matches(self, obj: Object) -> bool:
        """Whether an object is selected."""
        if self._labels.requirements and not self._labels.matches(obj["metadata"].get("labels")):
            return False
        return not self._fields.requirements or self._fields.matches(lambda path: field_value(obj, path))
