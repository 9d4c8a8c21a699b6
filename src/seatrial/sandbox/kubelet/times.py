"""Times as the Kubernetes API writes them."""

from datetime import UTC, datetime


def format_seconds(timestamp: float) -> str:
    """RFC 3339 with whole seconds, as in `metadata` and `status`."""
    return f"{datetime.fromtimestamp(int(timestamp), UTC):%Y-%m-%dT%H:%M:%SZ}"


def format_micros(timestamp: float) -> str:
    """RFC 3339 with microseconds, as in Leases."""
    return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def parse_time(text: str | None) -> float:
    """Seconds since the epoch; 0 for none."""
    if not text:
        return 0.0
    # Python reads six digits after the point, log lines have nine.
    head, point, rest = text.removesuffix("Z").partition(".")
    if not point:
        return datetime.fromisoformat(text).timestamp()
    return datetime.fromisoformat(f"{head}.{rest[:6]}+00:00").timestamp()
