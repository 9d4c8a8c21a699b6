"""Schedules: at what times of which days rounds begin.

What a schedule comes to on a given day, with holidays and daylight saving, is worked out in `engine.timetable`.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from seatrial.policy.base import Complaint, Model, complain
from seatrial.policy.scalars import FilledItems, Items
from seatrial.policy.times import DAYS, Day, TimeOfDay, Timezone
from seatrial.policy.wording import quote

_SOME_DAY = datetime(2000, 1, 1, tzinfo=UTC)
_FIELDS = 5


def _as_cron(value: str) -> str:
    from cronsim import CronSim, CronSimError  # noqa: PLC0415 -- few policies have a schedule

    if len(value.split()) != _FIELDS:
        raise complain(f"is {quote(value)}; needs five fields: minute, hour, day of the month, month, day of the week")
    try:
        next(CronSim(value, _SOME_DAY))
    except CronSimError as error:
        raise complain(f"is {quote(value)}, which is no cron expression: {str(error).lower()}") from None
    except StopIteration:
        raise complain(f"is {quote(value)}, which never comes") from None
    return " ".join(value.split())


def as_date(value: str) -> date:
    """The day that a text such as `2026-12-24` is.

    Raises:
        ValueError: it is none.
    """
    day = date.fromisoformat(value)
    if value != day.isoformat():  # of all that ISO 8601 allows, the form that everybody reads alike
        raise ValueError(value)
    return day


def _as_holiday(value: str) -> str:
    try:
        as_date(value)
    except ValueError:
        raise complain(f"is {quote(value)}, which is no date (such as 2026-12-24)") from None
    return value


Cron = Annotated[str, AfterValidator(_as_cron), Field(json_schema_extra={"pattern": r"^\s*\S+(\s+\S+){4}\s*$"})]
"""Five fields of a crontab: minute, hour, day of the month, month, day of the week."""

Holiday = Annotated[
    str, AfterValidator(_as_holiday), Field(json_schema_extra={"pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"})
]
"""A day, as `2026-12-24`."""


class Window(Model):
    """Hours in which rounds may begin."""

    only_days: Items[Day] = DAYS
    """The days of the week on which the window opens."""

    start_time: TimeOfDay | None = None
    """When it opens; without it, at midnight. A window whose end lies before its start crosses midnight, and belongs
    to the day on which it opened."""

    end_time: TimeOfDay | None = None
    """When it closes; without it, at midnight."""

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        """A window that says no time would always be open; one without days never."""
        if all(given.get(key) is None for key in ("onlyDays", "startTime", "endTime")):
            yield Complaint("says no time; needs at least one of: onlyDays, startTime, endTime")
        if given.get("onlyDays") in ([], ()):
            yield Complaint("is an empty list; needs at least one day", ("onlyDays",))


class Schedule(Model):
    """When rounds begin: at the times of a crontab, within hours, and not on holidays.

    A round that has begun runs to its end, also past the end of its window.
    """

    cron: Cron | None = None
    """When rounds begin, as a crontab has it (minute, hour, day of the month, month, day of the week): `0 3 * * 1-5`
    is at three in the morning of each working day. Without it, rounds follow each other with pauses, within `windows`.
    Where clocks are put forward, a time that is skipped counts as the next that there is; where they are put back, one
    that comes twice counts the first time."""

    timezone: Timezone | None = None
    """The IANA name of the timezone that all times and days are meant in, such as `Europe/Vienna`; without it, that of
    the machine that Seatrial runs on."""

    windows: FilledItems[Window] | None = None
    """The hours in which rounds may begin, all of them together; without it, at any hour."""

    holidays: Items[Holiday] = ()
    """Days on which no round begins: `2026-12-24`."""

    holidays_file: Annotated[str, Field(min_length=1)] | None = None
    """A file with more of them: a date a line; what follows a `#` is a comment. A relative path is looked for beside
    the policy. It is read again when it has changed."""

    missed: Literal["run", "skip"] = "skip"
    """What becomes of a time of `cron` that has passed by more than a minute, because the round before took too long,
    the machine slept, or its clock was set: `skip` waits for the next one, `run` begins one round at once, however many
    times were missed, if its hour is one of the `windows` still. Both say so."""

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        """It must say when; and only times of `cron` can be made up for."""
        if not any(given.get(key) for key in ("cron", "windows", "holidays", "holidaysFile")):
            yield Complaint("says no time; needs at least one of: cron, windows, holidays, holidaysFile")
        if given.get("missed") == "run" and given.get("cron") is None:
            yield Complaint("is 'run', which goes with cron only", ("missed",))
