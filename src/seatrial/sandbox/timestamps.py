"""Times as Kubernetes writes them: RFC 3339, whole seconds for `Time`, microseconds for `MicroTime`.

Controllers reckon with moments, kubelets with seconds since the epoch, in which the kernel tells them.
"""

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


def format_seconds(timestamp: float) -> str:
    """A `Time`, of seconds since the epoch."""
    return to_time(datetime.fromtimestamp(int(timestamp), UTC))


def format_micros(timestamp: float) -> str:
    """A `MicroTime`, of seconds since the epoch."""
    return to_micro_time(datetime.fromtimestamp(timestamp, UTC))


def parse_time(text: str | None) -> float:
    """Seconds since the epoch; 0 for none."""
    if not text:
        return 0.0
    # Python reads six digits after the point, log lines have nine.
    head, point, rest = text.removesuffix("Z").partition(".")
    if not point:
        return from_time(text).timestamp()
    return from_time(f"{head}.{rest[:6]}+00:00").timestamp()
