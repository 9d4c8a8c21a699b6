"""Days and times of day, as policies name them: for `dayTime` filters and for schedules."""

import zoneinfo
from datetime import time
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field

from seatrial.policy.base import Model, complain
from seatrial.policy.scalars import Integer
from seatrial.policy.wording import quote

Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
DAYS: tuple[Day, ...] = get_args(Day)


def _as_timezone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise complain(
            f"is {quote(value)}, which is no timezone of the IANA database (such as Europe/Vienna)"
        ) from None
    return value


Timezone = Annotated[str, AfterValidator(_as_timezone)]
"""The name of a timezone in the IANA database."""


class TimeOfDay(Model):
    """A time of the day."""

    hour: Annotated[Integer, Field(ge=0, le=23)]
    """0 to 23."""

    minute: Annotated[Integer, Field(ge=0, le=59)] = 0
    """0 to 59."""

    second: Annotated[Integer, Field(ge=0, le=59)] = 0
    """0 to 59."""

    def as_time(self) -> time:
        """The same as Python has it."""
        return time(self.hour, self.minute, self.second)
