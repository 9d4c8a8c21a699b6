"""Objects as `meta.k8s.io` Tables, and as PartialObjectMetadata."""

from collections.abc import Iterable
from typing import Any

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.custom.columns import cells, head
from seatrial.sandbox.apiserver.custom.definition import KEY as DEFINITIONS
from seatrial.sandbox.apiserver.printers.cells import cells_of
from seatrial.sandbox.apiserver.printers.columns import COLUMNS, DEFAULT
from seatrial.sandbox.apiserver.resources import Resource
from seatrial.sandbox.apiserver.statuses import bad_request

_ENDINGS = {
    phase: {"type": "Completed", "status": "True", "reason": phase, "message": message}
    for phase, message in (("Succeeded", "The pod has completed successfully."), ("Failed", "The pod failed."))
}


def check_include(include: str) -> None:
    """Refuse an `includeObject` that isn't one."""
    if include not in ("", "Metadata", "Object", "None"):
        text = f"Invalid value: \"{include}\": must be 'Metadata', 'Object', 'None', or empty"
        raise bad_request(f"Unable to convert to Table as requested: includeObject: {text}")


def partial(obj: Object, *, version: str = "v1") -> Object:
    """Metadata alone."""
    return {"kind": "PartialObjectMetadata", "apiVersion": f"meta.k8s.io/{version}", "metadata": obj["metadata"]}


def table(
    resource: Resource,
    objects: Iterable[Object],
    metadata: Object,
    *,
    include: str = "",
    version: str = "v1",
    header: bool = True,
) -> Object:
    """A Table; `include` says what stands behind each row, `header` whether the columns are defined."""
    columns: list[dict[str, Any]] | None = None
    found = list(objects)
    name = "scales" if found and found[0].get("kind") == "Scale" else resource.table
    if header:
        custom = resource.custom if name == resource.table else None
        columns = head(custom.columns) if custom else [c.definition() for c in COLUMNS.get(name, DEFAULT)]
    rows = [_row(resource, name, obj, include, version) for obj in found]
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": metadata,
        "columnDefinitions": columns,
        # The server of definitions has no rows where the others have an empty list of them.
        "rows": None if resource.key == DEFINITIONS and not rows else rows,
    }


def _row(resource: Resource, name: str, obj: Object, include: str, version: str) -> Object:
    custom = resource.custom if name == resource.table else None
    row: Object = {"cells": cells(custom.columns, obj) if custom else cells_of(name, obj)}
    ending = _ENDINGS.get((obj.get("status") or {}).get("phase", "")) if name == "pods" else None
    if ending is not None:
        row["conditions"] = [ending]
    if include == "Object":
        row["object"] = obj
    elif include != "None":
        row["object"] = partial(obj, version=version)
    return row
