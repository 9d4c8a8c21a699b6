"""Who asks and how: what every operation is told besides its object."""

from dataclasses import dataclass, field
from typing import Literal

FieldValidation = Literal["Strict", "Warn", "Ignore"]


@dataclass(frozen=True, slots=True)
class User:
    """An authenticated client, or a system component."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: dict[str, list[str]] = field(default_factory=dict)


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))
INTERNAL = User("system:apiserver-internal", ("system:masters", "system:authenticated"))


@dataclass(frozen=True, slots=True)
class Call:
    """The circumstances of one request; `is_put`: the writer states the whole object.

    `warnings` collects what goes out as `Warning` headers.
    """

    user: User = INTERNAL
    dry_run: bool = False
    manager: str = "seatrial"
    validation: FieldValidation = "Ignore"
    force: bool = False
    is_put: bool = False
    warnings: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        """Tell the client something that isn't an error."""
        if text not in self.warnings:
            self.warnings.append(text)


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """The body or query of a deletion."""

    grace_period_seconds: int | None = None
    propagation_policy: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    dry_run: bool = False
