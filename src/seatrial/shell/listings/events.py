"""Events of the cluster as a table: what components told, newest last, what was told again counted."""

from collections.abc import Sequence
from datetime import UTC, datetime

from seatrial.by_hand.live.changes import about_in_words
from seatrial.by_hand.live.events import LiveEvent
from seatrial.shell.ages import age_seconds, age_text, utc_text
from seatrial.shell.states import CHANGING
from seatrial.shell.tables import Column, Row

_BEGINNING = datetime.min.replace(tzinfo=UTC)


def _times(count: int) -> str:
    return f"{count}x" if count > 1 else ""


def _type_style(type_: str) -> str:
    return "" if type_ == "Normal" else CHANGING


EVENT_COLUMNS = (
    Column(heading="LAST SEEN", key="lastSeconds", show=age_text, align="right"),
    Column(heading="TYPE", key="type", style=_type_style),
    Column(heading="TIMES", key="times", show=_times, align="right", drop=1),
    Column(heading="REASON", key="reason"),
    Column(heading="OBJECT", key="object", wraps=True),
    Column(heading="MESSAGE", key="message", wraps=True),
)


def event_rows(events: Sequence[LiveEvent], *, now: datetime) -> Sequence[Row]:
    """Events as `--output json` prints them: what was told in the same words of the same object is one, counted."""
    told: dict[tuple[str, ...], list[LiveEvent]] = {}
    for each in events:
        told.setdefault((each.type, each.reason, about_in_words(each), each.message), []).append(each)
    ordered = sorted(told.values(), key=lambda same: _when(_newest(same)))
    return [_row(same, now=now) for same in ordered]


def _newest(same: Sequence[LiveEvent]) -> LiveEvent:
    return max(same, key=_when)


def _when(event: LiveEvent) -> tuple[datetime, int]:
    """When it was last told; times are whole seconds, within which the API server's count of changes tells more."""
    return event.last or _BEGINNING, int(event.version) if event.version.isdecimal() else 0


def _row(same: Sequence[LiveEvent], *, now: datetime) -> Row:
    newest = _newest(same)
    first = min((each.first for each in same if each.first), default=None)
    return {
        "type": newest.type,
        "reason": newest.reason,
        "object": about_in_words(newest),
        "message": " ".join(newest.message.split()),
        "times": sum(each.count for each in same),
        "component": newest.component,
        "first": utc_text(first),
        "last": utc_text(newest.last),
        "lastSeconds": age_seconds(newest.last, now=now),
    }
