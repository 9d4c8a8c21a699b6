"""The shape of a strategy: what one kind adds to the way of every object through the server.

The order on a create: defaults, preparation, admission, validation. On an update: defaults, preparation (what the
subresource may not touch comes from the old object), validation against the old object.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.statuses import FieldError


class Surroundings(Protocol):
    """What admission may look up and allocate."""

    service_cidr: str

    def lookup(self, table: str, namespace: str, name: str) -> Object | None:
        """Read another object."""
        ...

    def objects(self, table: str, namespace: str | None = None) -> list[Object]:
        """Read a table."""
        ...


def _leave(_obj: Object) -> None:
    """Change nothing."""


def _leave_update(_new: Object, _old: Object) -> None:
    """Change nothing."""


def _admit(_obj: Object, _around: Surroundings) -> None:
    """Change nothing."""


def _accept(_obj: Object) -> list[FieldError]:
    return []


def _accept_update(_new: Object, _old: Object) -> list[FieldError]:
    return []


def _unremarkable(_obj: Object) -> list[str]:
    return []


@dataclass(frozen=True, slots=True)
class Strategy:
    """One kind's functions; each may change the new object in place, never the old one."""

    defaults: Callable[[Object], None] = _leave
    prepare_create: Callable[[Object], None] = _leave
    prepare_update: Callable[[Object, Object], None] = _leave_update
    admit: Callable[[Object, Surroundings], None] = _admit
    admit_update: Callable[[Object, Object, Surroundings], None] | None = None
    validate: Callable[[Object], list[FieldError]] = _accept
    validate_update: Callable[[Object, Object], list[FieldError]] = _accept_update
    prepare_status: Callable[[Object, Object], None] = _leave_update
    warnings: Callable[[Object], list[str]] = _unremarkable
    name_rule: str = "subdomain"
    empty_status: Any = None
    keeps_status: bool = False  # whether a create may bring a status along


def fill(target: Object, **values: Any) -> None:
    """Set what isn't set yet."""
    for key, value in values.items():
        target.setdefault(key, value)
