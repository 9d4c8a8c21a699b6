"""Namespaces as a table."""

from collections.abc import Mapping
from datetime import datetime

from seatrial.by_hand.live.nodes import LiveNamespace
from seatrial.shell.ages import age_seconds, age_text, utc_text
from seatrial.shell.states import state_style
from seatrial.shell.tables import Column, Row

NAMESPACE_COLUMNS = (
    Column(heading="NAME", key="name"),
    Column(heading="STATUS", key="status", style=state_style),
    Column(heading="PODS", key="pods", align="right", drop=1, optional=True),
    Column(heading="AGE", key="ageSeconds", show=age_text, align="right", drop=2),
)


def namespace_row(namespace: LiveNamespace, *, pods: Mapping[str, int] | None, now: datetime) -> Row:
    """A namespace as `--output json` prints it; `pods` are counted by namespace."""
    return {
        "name": namespace.name,
        "status": namespace.status,
        "pods": None if pods is None else pods.get(namespace.name, 0),
        "ageSeconds": age_seconds(namespace.created, now=now),
        "created": utc_text(namespace.created),
    }
