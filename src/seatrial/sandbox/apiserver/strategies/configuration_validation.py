"""What ConfigMaps and Secrets may not say: their keys, their size, what a Secret's type asks for."""

import base64
import json
import re
from typing import Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.statuses import FieldError, invalid, required, too_long

_LARGEST: Final = 1024 * 1024
_KEY: Final = re.compile(r"^[-._a-zA-Z0-9]+\Z")
_KEY_RULE: Final = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  "
    "or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_ACCOUNT: Final = "kubernetes.io/service-account.name"


def key_errors(key: str, path: str) -> list[FieldError]:
    """What is wrong with a key of a ConfigMap or Secret."""
    errors = []
    if len(key) > 253:
        errors.append(invalid(path, key, "must be no more than 253 characters"))
    if not _KEY.match(key):
        errors.append(invalid(path, key, _KEY_RULE))
    if key in (".", ".."):
        errors.append(invalid(path, key, f"must not be '{key}'"))
    elif key.startswith(".."):
        errors.append(invalid(path, key, "must not start with '..'"))
    return errors


def config_map_errors(obj: Object) -> list[FieldError]:
    """Keys and size of a ConfigMap."""
    errors: list[FieldError] = []
    size = 0
    for group in ("data", "binaryData"):
        for key, value in (obj.get(group) or {}).items():
            errors += key_errors(key, f"{group}[{key}]")
            size += len(value.encode()) if group == "data" else len(value) * 3 // 4
    return [*errors, too_long("[]", _LARGEST)] if size > _LARGEST else errors


def secret_errors(obj: Object) -> list[FieldError]:
    """Keys and size of a Secret, and what its type asks for."""
    data: dict[str, str] = obj.get("data") or {}
    errors = [error for key in data for error in key_errors(key, f"data[{key}]")]
    if sum(len(value) * 3 // 4 for value in data.values()) > _LARGEST:
        errors.append(too_long("data", _LARGEST))
    kind = str(obj.get("type", "")).removeprefix("kubernetes.io/")
    if kind == "service-account-token" and not (obj["metadata"].get("annotations") or {}).get(_ACCOUNT):
        errors.append(required(f"metadata.annotations[{_ACCOUNT}]"))
    if kind == "basic-auth" and not data.keys() & {"username", "password"}:
        errors += [required("data[username]"), required("data[password]")]
    for name in (".dockercfg", ".dockerconfigjson"):
        if kind == name[1:] and name in data and not _is_json(data[name]):
            errors.append(invalid(f"data[{name}]", "<secret contents redacted>", "invalid character"))
    return errors


def _is_json(encoded: str) -> bool:
    try:
        json.loads(base64.b64decode(encoded))
    except ValueError:
        return False
    return True
