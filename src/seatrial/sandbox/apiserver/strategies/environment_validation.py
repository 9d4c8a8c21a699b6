"""What a container's environment may not say: `env` and `envFrom`."""

import re
from typing import Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.metadata import qualified_name_errors
from seatrial.sandbox.apiserver.statuses import FieldError, invalid, required, unsupported
from seatrial.sandbox.apiserver.strategies.configuration_validation import key_errors

_ENV_NAME: Final = re.compile(r"^[ -<>-~]+\Z")
_ENV_NAME_RULE: Final = (
    "a valid environment variable name must consist only of printable ASCII characters other than '='"
)
_SOURCES: Final = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_LABELS: Final = frozenset({"spec.restartPolicy", "spec.schedulerName", "status.phase", "spec.host"})
FIELDS: Final = (
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
    "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
)  # fmt: skip
_SUBSCRIPT: Final = re.compile(r"^metadata\.(labels|annotations)\['(.*)'\]\Z")
_ONE_ONLY: Final = "may not have more than one field specified at a time"


def environment_errors(variables: list[Object], path: str) -> list[FieldError]:
    """What is wrong with `env`."""
    errors: list[FieldError] = []
    for index, variable in enumerate(variables):
        where = f"{path}[{index}]"
        name = variable.get("name", "")
        if not name:
            errors.append(required(f"{where}.name"))
        elif not _ENV_NAME.match(name):
            errors.append(invalid(f"{where}.name", name, _ENV_NAME_RULE))
        if variable.get("valueFrom") is not None:
            errors += _source_errors(variable, f"{where}.valueFrom")
    return errors


def _source_errors(variable: Object, path: str) -> list[FieldError]:
    source = variable["valueFrom"]
    found = [key for key in _SOURCES if source.get(key) is not None]
    errors: list[FieldError] = []
    if "fieldRef" in found:
        errors += _field_errors(source["fieldRef"], f"{path}.fieldRef")
    for key in ("configMapKeyRef", "secretKeyRef"):
        if key in found:
            errors += _key_errors(source[key], f"{path}.{key}")
    if not found:
        names = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        errors.append(invalid(path, "", f"must specify one of: {names}"))
    if variable.get("value"):
        errors += [invalid(path, "", "may not be specified when `value` is not empty")] if found else []
    elif len(found) > 1:
        errors.append(invalid(path, "", _ONE_ONLY))
    return errors


def _field_errors(reference: Object, path: str) -> list[FieldError]:
    field = reference.get("fieldPath", "")
    if not field:
        return [required(f"{path}.fieldPath")]
    subscript = _SUBSCRIPT.match(field)
    if subscript is not None:
        return qualified_name_errors(subscript.group(2), path)
    if field in FIELDS:
        return []
    if field in _LABELS or field in ("metadata.labels", "metadata.annotations"):
        return [unsupported(f"{path}.fieldPath", field, FIELDS)]
    text = f"error converting fieldPath: field label not supported: {field}"
    return [invalid(f"{path}.fieldPath", field, text)]


def _key_errors(reference: Object, path: str) -> list[FieldError]:
    errors = [] if reference.get("name") else [required(f"{path}.name")]
    key = reference.get("key", "")
    return errors + (key_errors(key, f"{path}.key") if key else [required(f"{path}.key")])


def environment_source_errors(sources: list[Object], path: str) -> list[FieldError]:
    """What is wrong with `envFrom`."""
    errors: list[FieldError] = []
    for index, source in enumerate(sources):
        where = f"{path}[{index}]"
        prefix = source.get("prefix")
        if prefix and not _ENV_NAME.match(prefix):
            errors.append(invalid(f"{where}.prefix", prefix, _ENV_NAME_RULE))
        found = [key for key in ("configMapRef", "secretRef") if source.get(key) is not None]
        errors += [required(f"{where}.{key}.name") for key in found if not source[key].get("name")]
        if not found:
            errors.append(invalid(where, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(found) > 1:
            errors.append(invalid(where, "", _ONE_ONLY))
    return errors
