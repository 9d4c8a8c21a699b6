"""When a CronJob is due: the five fields of cron, `@hourly` and its like, `@every 90m`.

The evaluation is cronsim's; this module holds to what Kubernetes' parser accepts, which knows neither cronsim's `L` and
`#` nor Sunday as 7. Source: Kubernetes documentation, "CronJob", Schedule syntax.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

_NAMED: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS: Final = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_DAYS: Final = "sun|mon|tue|wed|thu|fri|sat"
_NAMES: Final = ("", "", "", _MONTHS, _DAYS)
_EVERY: Final = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")
_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_LAST_DAY_OF_WEEK: Final = 6


class ScheduleError(ValueError):
    """A schedule that can't be read; the message says why."""


class Schedule:
    """The moments of a schedule.

    Args:
        text: as in `spec.schedule`.
        zone: in whose time the fields are meant.

    Raises:
        ScheduleError: it can't be read.
    """

    def __init__(self, text: str, *, zone: tzinfo = UTC) -> None:
        self._zone = zone
        self._every: timedelta | None = None
        self._fields = ""
        if text.startswith("@every "):
            self._every = _duration(text.removeprefix("@every "))
        else:
            self._fields = _checked(_NAMED.get(text, text), text)
            self.next_after(datetime(2024, 1, 1, tzinfo=UTC))

    def next_after(self, moment: datetime) -> datetime | None:
        """The first moment of the schedule after another, in UTC; None if there is none within years."""
        if self._every is not None:
            return moment.replace(microsecond=0) + self._every
        from cronsim import CronSim, CronSimError  # noqa: PLC0415 -- few sandboxes have CronJobs

        try:
            found = next(CronSim(self._fields, moment.astimezone(self._zone)))
        except CronSimError as error:
            raise ScheduleError(str(error)) from error
        except StopIteration:
            return None
        return found.astimezone(UTC)

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The moments of the schedule after one and up to another."""
        moment = self.next_after(after)
        while moment is not None and moment <= until:
            yield moment
            moment = self.next_after(moment)


def zone_of(name: str) -> tzinfo:
    """The time zone of that name.

    Raises:
        ScheduleError: there is none.
    """
    from zoneinfo import ZoneInfo  # noqa: PLC0415 -- likewise

    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError) as error:
        raise ScheduleError(f"unknown time zone {name}") from error


def _duration(text: str) -> timedelta:
    parts = _EVERY.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ScheduleError(f"failed to parse duration @every {text}")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return timedelta(seconds=max(1, int(seconds)))


def _checked(fields: str, text: str) -> str:
    parts = fields.lower().replace("?", "*").split()
    if len(parts) != len(_NAMES):
        raise ScheduleError(f"expected exactly 5 fields, found {len(parts)}: {text}")
    for part, names in zip(parts, _NAMES, strict=True):
        value = rf"(?:\d+|{names})" if names else r"\d+"
        if not re.fullmatch(rf"(?:\*|{value}(?:-{value})?)(?:/\d+)?(?:,(?:\*|{value}(?:-{value})?)(?:/\d+)?)*", part):
            raise ScheduleError(f"failed to parse {part!r} in {text!r}")
    days = re.sub(r"/\d+", "", parts[-1])
    if any(int(number) > _LAST_DAY_OF_WEEK for number in re.findall(r"\d+", days)):
        raise ScheduleError(f"end of range ({days}) above maximum ({_LAST_DAY_OF_WEEK}): {text}")
    return " ".join(parts)
