"""What `metadata` must be, for every kind: names, labels, annotations, owners, finalizers.

Here are also the fields that only the server sets.
"""

import datetime as dt
import re
import secrets
import uuid
from typing import Any

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.selectors import NAME_PART, SUBDOMAIN
from seatrial.sandbox.apiserver.statuses import FieldError, forbidden_field, invalid, required

LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")
SERVICE_LABEL = re.compile(r"^[a-z]([-a-z0-9]*[a-z0-9])?\Z")
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # no vowels: generated names spell nothing

SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end "
    "with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and "
    "end with an "
    "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
SERVICE_RULE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
    "character, and end "
    "with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
NAME_PART_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
LABEL_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
    "start and end "
    "with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


def now() -> str:
    """This second, as `metadata` writes times."""
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def later(timestamp: str, seconds: int) -> str:
    """A time so many seconds after another one."""
    moment = dt.datetime.fromisoformat(timestamp) + dt.timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def new_uid() -> str:
    """A fresh uid."""
    return str(uuid.uuid4())


def generated_suffix() -> str:
    """Five characters for `generateName`."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(5))


def name_errors(name: str, rule: str, field: str = "metadata.name") -> list[FieldError]:
    """What is wrong with a name under one of the rules `subdomain`, `label`, `service`, `path`."""
    if rule == "path":
        if name in (".", "..") or "/" in name or "%" in name:
            return [invalid(field, name, "may not contain '/'" if "/" in name else "may not be '.', '..' or hold '%'")]
        return []
    limit, pattern, text = {
        "subdomain": (253, SUBDOMAIN, SUBDOMAIN_RULE),
        "label": (63, LABEL, LABEL_RULE),
        "service": (63, SERVICE_LABEL, SERVICE_RULE),
    }[rule]
    errors = []
    if not pattern.match(name):
        errors.append(invalid(field, name, text))
    if len(name) > limit:
        errors.insert(0, invalid(field, name, f"must be no more than {limit} characters"))
    return errors


def qualified_name_errors(key: str, field: str) -> list[FieldError]:
    """What is wrong with a label or annotation key."""
    prefix, slash, name = key.rpartition("/")
    errors = []
    if "/" in prefix:
        rule = (
            "a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
            "with an "
            "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
            "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' "
            "(e.g. 'example.com/MyName')"
        )
        return [invalid(field, key, rule)]
    if slash and not prefix:
        errors.append(invalid(field, key, "prefix part must be non-empty"))
    elif slash and not SUBDOMAIN.match(prefix):
        errors.append(invalid(field, key, f"prefix part {SUBDOMAIN_RULE}"))
    if not name:
        errors.append(invalid(field, key, "name part must be non-empty"))
    elif len(name) > 63:
        errors.append(invalid(field, key, "name part must be no more than 63 characters"))
    if not NAME_PART.match(name):
        errors.append(invalid(field, key, NAME_PART_RULE))
    return errors


def label_value_errors(value: str, field: str) -> list[FieldError]:
    """What is wrong with a label's value."""
    errors = []
    if len(value) > 63:
        errors.append(invalid(field, value, "must be no more than 63 bytes"))
    if value and not NAME_PART.match(value):
        errors.append(invalid(field, value, LABEL_VALUE_RULE))
    return errors


def labels_errors(labels: dict[str, str], field: str) -> list[FieldError]:
    """What is wrong with a map of labels."""
    errors = []
    for key, value in labels.items():
        errors += qualified_name_errors(key, field) + label_value_errors(value, field)
    return errors


def _annotation_errors(annotations: dict[str, str]) -> list[FieldError]:
    errors = []
    for key in annotations:
        errors += qualified_name_errors(key.lower(), "metadata.annotations")
    size = sum(len(key) + len(value) for key, value in annotations.items())
    if size > 256 * 1024:
        errors.append(
            FieldError("FieldValueTooLong", "metadata.annotations", "Too long: may not be more than 262144 bytes")
        )
    return errors


def _owner_errors(owners: list[dict[str, Any]]) -> list[FieldError]:
    errors = []
    field = "metadata.ownerReferences"
    for owner in owners:
        if not owner.get("apiVersion"):
            errors.append(invalid(f"{field}.apiVersion", "", "version must not be empty"))
        missing = (key for key in ("kind", "name", "uid") if not owner.get(key))
        errors.extend(invalid(f"{field}.{key}", "", "must not be empty") for key in missing)
    controllers = [owner for owner in owners if owner.get("controller")]
    if len(controllers) > 1:
        detail = (
            'Only one reference can have Controller set to true. Found "true" in references for '
            f"{controllers[0].get('kind')}/{controllers[0].get('name')} and "
            f"{controllers[1].get('kind')}/{controllers[1].get('name')}"
        )
        errors.append(invalid(field, owners, detail))
    return errors


def errors_of(obj: Object, *, namespaced: bool, name_rule: str, is_extension: bool = False) -> list[FieldError]:
    """Everything wrong with an object's metadata; extensions (custom resources) may name finalizers freely."""
    metadata = obj["metadata"]
    errors: list[FieldError] = []
    generated = metadata.get("generateName")
    if generated:
        errors += (
            name_errors(generated.rstrip("-."), name_rule, "metadata.generateName") if generated.rstrip("-.") else []
        )
    if not metadata.get("name"):
        errors.append(required("metadata.name", "name or generateName is required"))
    else:
        errors += name_errors(metadata["name"], name_rule)
    if namespaced and not metadata.get("namespace"):
        errors.append(required("metadata.namespace"))
    errors += labels_errors(metadata.get("labels") or {}, "metadata.labels")
    errors += _annotation_errors(metadata.get("annotations") or {})
    errors += _owner_errors(metadata.get("ownerReferences") or [])
    for index, finalizer in enumerate(metadata.get("finalizers") or []):
        where = f"metadata.finalizers[{index}]"
        errors += qualified_name_errors(finalizer, where) if is_extension else _finalizer_errors(finalizer, where)
    return errors


def _finalizer_errors(finalizer: str, field: str) -> list[FieldError]:
    errors = qualified_name_errors(finalizer, field)
    if not errors and "/" not in finalizer and finalizer not in ("orphan", "foregroundDeletion", "kubernetes"):
        errors.append(invalid(field, finalizer, "name is neither a standard finalizer name nor is it fully qualified"))
    return errors


def update_errors(new: Object, old: Object) -> list[FieldError]:
    """What an update may not do to metadata; Kubernetes checks it twice for built-in kinds and reports both."""
    after, before = new["metadata"], old["metadata"]
    errors: list[FieldError] = []
    if before.get("deletionTimestamp"):
        added = sorted(set(after.get("finalizers") or []) - set(before.get("finalizers") or []))
        if added:
            names = ", ".join(f'"{name}"' for name in added)
            detail = "no new finalizers can be added if the object is being deleted, found new finalizers "
            errors.append(forbidden_field("metadata.finalizers", f"{detail}[]string{{{names}}}"))
    fixed = ("name", "namespace", "uid", "deletionTimestamp", "deletionGracePeriodSeconds")
    errors.extend(
        invalid(f"metadata.{key}", after.get(key), "field is immutable")
        for key in fixed
        if after.get(key) != before.get(key)
    )
    return errors + errors
