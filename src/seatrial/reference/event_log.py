"""The page about events: what `--log-format` writes, from the classes of the events."""

from dataclasses import fields

from seatrial.runtime import events
from seatrial.runtime.events import Event
from seatrial.telemetry.log import event_name

_INTRODUCTION = """# Events

Written from the code by `make docs`. A run is a stream of events; `seatrial autonomous --log-format text|json` writes
each as one log line on standard error, with the event's name, its place (`round`, `scenario`, `step`) and these fields.
Names that end in `_ms` are milliseconds.
"""


def events_page() -> str:
    """The whole page."""
    parts = [_INTRODUCTION]
    for kind in event_kinds():
        names = ", ".join(f"`{each.name}`" for each in fields(kind)) or "none"
        parts.append(f"## `{event_name(kind)}`\n\n{' '.join((kind.__doc__ or '').split())}\n\nFields: {names}.\n")
    return "\n".join(parts)


def event_kinds() -> list[type[Event]]:
    """Every kind of event, in the order in which a run has them."""
    found = (each for each in vars(events).values() if isinstance(each, type))
    return [each for each in found if issubclass(each, Event) and each is not Event]
