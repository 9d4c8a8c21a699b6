"""Objects as `meta.k8s.io` Tables, and as PartialObjectMetadata."""

from collections.abc import Iterable
from typing import Any

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.printers.cells import cells_of
from seatrial.sandbox.apiserver.printers.columns import COLUMNS, DEFAULT
from seatrial.sandbox.apiserver.resources import Resource
from seatrial.sandbox.apiserver.statuses import bad_request


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
    if header:
        columns = [column.definition() for column in COLUMNS.get(resource.table, DEFAULT)]
    rows = [_row(resource, obj, include, version) for obj in objects]
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": metadata,
        "columnDefinitions": columns,
        "rows": rows,
    }


def _row(resource: Resource, obj: Object, include: str, version: str) -> Object:
    row: Object = {"cells": cells_of(resource.table, obj)}
    if include == "Object":
        row["object"] = obj
    elif include != "None":
        row["object"] = partial(obj, version=version)
    return row
