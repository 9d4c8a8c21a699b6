"""Custom resources as tables: the columns a definition asks for."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.custom.json_path import find
from seatrial.sandbox.apiserver.durations import age

_NAME = (
    "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a "
    "client to request the generation of an appropriate name automatically. Name is primarily intended for creation "
    "idempotence and configuration definition. Cannot be updated. More info: "
    "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names"
)
_CREATED = (
    "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed "
    "to be set in happens-before order across separate operations. Clients may not set this value. It is represented "
    "in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: "
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"
)


@dataclass(frozen=True, slots=True)
class PrinterColumn:
    """One column."""

    name: str
    type: str
    path: str
    format: str = ""
    description: str = ""
    priority: int = 0

    def definition(self) -> Object:
        """The column in a table's head."""
        said = self.description or f"Custom resource definition column (in JSONPath format): {self.path}"
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": said,
            "priority": self.priority,
        }

    def cell(self, obj: Object) -> Any:
        """What the column says of an object; null for nothing."""
        found = find(self.path, obj)
        return _cell(self.type, found[0]) if found and found[0] is not None else None


AGE = PrinterColumn("Age", "date", ".metadata.creationTimestamp", description=_CREATED)
_NAME_COLUMN: Object = {"name": "Name", "type": "string", "format": "name", "description": _NAME, "priority": 0}


def read_columns(version: Object) -> tuple[PrinterColumn, ...]:
    """The columns of a version; the age where it asks for none."""
    found = tuple(
        PrinterColumn(
            name=column["name"],
            type=column["type"],
            path=column["jsonPath"],
            format=column.get("format", ""),
            description=column.get("description", ""),
            priority=column.get("priority", 0),
        )
        for column in version.get("additionalPrinterColumns") or ()
    )
    return found or (AGE,)


def head(columns: Iterable[PrinterColumn]) -> list[Object]:
    """The column definitions of a table."""
    return [_NAME_COLUMN, *(column.definition() for column in columns)]


def cells(columns: Iterable[PrinterColumn], obj: Object) -> list[Any]:
    """The cells of an object's row."""
    return [obj["metadata"]["name"], *(column.cell(obj) for column in columns)]


def _cell(kind: str, value: Any) -> Any:
    if kind == "string":
        return _text(value)
    if kind == "date":
        return _age(value) if isinstance(value, str) else None
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if kind == "integer" or float(value).is_integer() else value


def _age(text: str) -> str:
    try:
        return age(text)
    except ValueError:
        return "<invalid>"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
