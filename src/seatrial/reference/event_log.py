"""The page about events: what `--log-format` writes, from the classes of the events."""

from types import ModuleType

from seatrial.runtime.events import (
    Event,
    changes,
    clean_up,
    evidence,
    failures,
    machines,
    notifications,
    objectives,
    observations,
    pod_faults,
    run,
    targets,
)
from seatrial.telemetry.log import event_name

_INTRODUCTION = """# Events

Written from the code by `make docs`. A run is a stream of events; `seatrial autonomous --log-format text|json` writes
each as one log line on standard error, with the event's name, its place (`round`, `scenario`, `step`) and these fields.
Names that end in `_ms` are milliseconds.
"""


_TOPICS = (
    run,
    failures,
    targets,
    pod_faults,
    machines,
    changes,
    observations,
    evidence,
    clean_up,
    objectives,
    notifications,
)


def events_page() -> str:
    """The whole page."""
    return "\n".join([_INTRODUCTION, *(_topic(each) for each in _TOPICS)])


def event_kinds() -> list[type[Event]]:
    """Every kind of event, topic by topic."""
    return [kind for topic in _TOPICS for kind in _kinds_of(topic)]


def _kinds_of(topic: ModuleType) -> list[type[Event]]:
    found = (each for each in vars(topic).values() if isinstance(each, type) and each.__module__ == topic.__name__)
    return [each for each in found if issubclass(each, Event)]


def _topic(topic: ModuleType) -> str:
    title = topic.__name__.rpartition(".")[2].replace("_", " ").capitalize()
    return "\n".join([f"## {title}\n\n{topic.__doc__}\n", *(_kind(each) for each in _kinds_of(topic))])


def _kind(kind: type[Event]) -> str:
    names = ", ".join(f"`{name}`" for name in kind.__struct_fields__) or "none"
    return f"### `{event_name(kind)}`\n\n{' '.join((kind.__doc__ or '').split())}\n\nFields: {names}.\n"
