"""Events as JSON and back. What a later version wrote and this one doesn't know is left out."""

import json
import re
from datetime import UTC, datetime
from functools import cache
from typing import Any

import msgspec

from seatrial.runtime import events
from seatrial.runtime.events import Event, Record, Where

_HALVES = re.compile(r"\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|\\ud[89a-f][0-9a-f]{2}")


class Encoded(msgspec.Struct, frozen=True):
    """A record as a store keeps it: plain values, and the event's fields as JSON."""

    sequence: int
    at: float
    monotonic: float
    where: str
    kind: str
    body: str


def encode(record: Record) -> Encoded:
    """A record as plain values."""
    return Encoded(
        record.sequence,
        record.time.timestamp(),
        record.monotonic,
        as_json(msgspec.structs.astuple(record.where)),
        type(record.event).__name__,
        as_json(record.event),
    )


def as_json(value: Any) -> str:
    """JSON that every database takes; bytes that are no text, as in names of files, become question marks."""
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        text = json.dumps(msgspec.to_builtins(value))
        return _HALVES.sub(lambda found: found[0] if len(found[0]) > 6 else "?", text)


def clean(text: str) -> str:
    """A text that every database takes: PostgreSQL has no NUL, and none has halves of characters."""
    return text.replace("\0", "?").encode(errors="replace").decode()


def decode(encoded: Encoded) -> Record | None:
    """The record again; None where its event isn't known."""
    kind = _kinds().get(encoded.kind)
    if kind is None:
        return None
    try:
        event = msgspec.json.decode(encoded.body, type=kind)
        where = Where(*msgspec.json.decode(encoded.where))
    except (msgspec.ValidationError, TypeError):
        return None
    time = datetime.fromtimestamp(encoded.at, UTC)
    return Record(encoded.sequence, time, encoded.monotonic, where, event)


@cache
def _kinds() -> dict[str, type[Event]]:
    members = (getattr(events, name) for name in events.__all__)
    return {each.__name__: each for each in members if isinstance(each, type) and issubclass(each, Event)}
