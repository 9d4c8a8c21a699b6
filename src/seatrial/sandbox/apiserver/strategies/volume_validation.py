"""What volumes and mounts may not say."""

from typing import Any, Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.metadata import name_errors
from seatrial.sandbox.apiserver.statuses import (
    FieldError,
    duplicate,
    forbidden_field,
    invalid,
    not_found_field,
    required,
    unsupported,
)

_HOST_PATH_TYPES: Final = (
    "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket",
)  # fmt: skip
_MODE_RULE: Final = "must be a number between 0 and 0777 (octal), both inclusive"
# A source and the field that must name something.
_NAMES: Final = {
    "hostPath": "path",
    "secret": "secretName",
    "configMap": "name",
    "persistentVolumeClaim": "claimName",
    "nfs": "server",
    "csi": "driver",
}


def volume_errors(volumes: list[Object], path: str) -> list[FieldError]:
    """What is wrong with a pod's volumes."""
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, volume in enumerate(volumes):
        where = f"{path}[{index}]"
        name = volume.get("name", "")
        errors += name_errors(name, "label", f"{where}.name") if name else [required(f"{where}.name")]
        if name in seen:
            errors.append(duplicate(f"{where}.name", name))
        seen.add(name)
        ranking = {"emptyDir": 0, "hostPath": 1}
        sources = sorted((key for key in volume if key != "name"), key=lambda key: ranking.get(key, 2))
        errors += _source_errors(sources[0], volume[sources[0]], f"{where}.{sources[0]}") if sources else []
        for extra in sources[1:]:
            errors.append(forbidden_field(f"{where}.{extra}", "may not specify more than 1 volume type"))
        if not sources:
            errors.append(required(where, "must specify a volume type"))
    return errors


def _source_errors(kind: str, source: Any, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    needed = _NAMES.get(kind)
    if needed is not None and not source.get(needed):
        errors.append(required(f"{path}.{needed}"))
    if kind == "hostPath":
        if ".." in source.get("path", "").split("/"):
            errors.append(invalid(f"{path}.path", source["path"], "must not contain '..'"))
        if source.get("type") not in (None, *_HOST_PATH_TYPES):
            errors.append(unsupported(f"{path}.type", source["type"], _HOST_PATH_TYPES))
    mode = source.get("defaultMode")
    if mode is not None and not 0 <= mode <= 0o777:
        errors.append(invalid(f"{path}.defaultMode", mode, _MODE_RULE))
    for index, item in enumerate(source.get("items") or ()):
        errors += _item_errors(item, f"{path}.items[{index}]", by_key=kind in ("secret", "configMap"))
    return errors


def _item_errors(item: Object, path: str, *, by_key: bool) -> list[FieldError]:
    errors = [required(f"{path}.key")] if by_key and not item.get("key") else []
    if not item.get("path"):
        errors.append(required(f"{path}.path"))
    else:
        errors += descending_errors(item["path"], f"{path}.path")
    mode = item.get("mode")
    return errors if mode is None or 0 <= mode <= 0o777 else [*errors, invalid(f"{path}.mode", mode, _MODE_RULE)]


def descending_errors(text: str, path: str) -> list[FieldError]:
    """What is wrong with a path that must lead downwards."""
    errors = [invalid(path, text, "must be a relative path")] if text.startswith("/") else []
    return [*errors, invalid(path, text, "must not contain '..'")] if ".." in text.split("/") else errors


def mount_errors(mounts: list[Object], path: str, volumes: set[str]) -> list[FieldError]:
    """What is wrong with a container's mounts, given the names of the pod's volumes."""
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, mount in enumerate(mounts):
        where = f"{path}[{index}]"
        if not mount.get("name"):
            errors.append(required(f"{where}.name"))
        elif mount["name"] not in volumes:
            errors.append(not_found_field(f"{where}.name", mount["name"]))
        if not mount.get("mountPath"):
            errors.append(required(f"{where}.mountPath"))
        elif mount["mountPath"] in seen:
            errors.append(invalid(f"{where}.mountPath", mount["mountPath"], "must be unique"))
        seen.add(mount.get("mountPath", ""))
        for key in ("subPath", "subPathExpr"):
            if mount.get(key):
                errors += descending_errors(mount[key], f"{where}.{key}")
        if mount.get("subPath") and mount.get("subPathExpr"):
            text = "subPathExpr and subPath are mutually exclusive"
            errors.append(invalid(f"{where}.subPathExpr", mount["subPathExpr"], text))
    return errors
