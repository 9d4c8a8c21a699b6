"""Times as Kubernetes writes them: RFC 3339, whole seconds for `Time`, microseconds for `MicroTime`."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time on the wall."""
    return datetime.now(UTC)


def to_time(moment: datetime) -> str:
    """A `Time`: whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def to_micro_time(moment: datetime) -> str:
    """A `MicroTime`, as in leases and in events of the newer kind."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_time(text: str) -> datetime:
    """Read either form."""
    return datetime.fromisoformat(text)
