"""An event, the place in a run that it belongs to, and both with their times: the record that listeners get.

Events are structs of msgspec, not dataclasses: every start defines all of the many kinds, and defining a struct takes a
twentieth of the time.
"""

from datetime import datetime

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """The root of all events."""


class Where(msgspec.Struct, frozen=True):
    """The place in a run that an event or a decision belongs to; rounds count from 1, all others from 0."""

    round: int = 0
    scenario: str = ""
    step: int | None = None
    attempt: int = 0
    action: int | None = None


class Record(msgspec.Struct, frozen=True):
    """An event with its place and its two times."""

    sequence: int
    time: datetime
    monotonic: float
    where: Where
    event: Event
