"""When rounds may begin by a schedule: its crontab, windows and holidays on the calendar of its timezone.

All that is handed in and out is an instant with its zone, compared in UTC, so that the hours which daylight saving
skips or repeats lead nobody astray: a window that opens at a time which doesn't exist opens when clocks are put
forward; one whose hour comes twice is open from the first time to the second.
"""

import logging
import os
import zoneinfo
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path

from cronsim import CronSim

from seatrial.errors import ConfigurationError
from seatrial.policy.schedule import Schedule, Window, as_date
from seatrial.policy.times import DAYS
from seatrial.policy.wording import counted, printable

_log = logging.getLogger(__name__)

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_MOST_DAYS = 366 * 10
_MOST_COUNTED = 1000
_LOCAL_TIME = Path("/etc/localtime")


class Timetable:
    """A schedule as a calendar.

    Args:
        schedule: what the policy says.
        directory: where a relative `holidaysFile` is looked for.
    """

    def __init__(self, schedule: Schedule, *, directory: Path) -> None:
        self._schedule = schedule
        self._zone = zoneinfo.ZoneInfo(schedule.timezone) if schedule.timezone else local_zone()
        self._holidays = frozenset(as_date(each) for each in schedule.holidays)
        self._file = HolidaysFile(directory / schedule.holidays_file) if schedule.holidays_file else None

    @property
    def has_times(self) -> bool:
        """Whether rounds begin at times of a crontab; otherwise one after the other, in their hours."""
        return self._schedule.cron is not None

    @property
    def makes_up(self) -> bool:
        """Whether one round makes up for times that were missed."""
        return self._schedule.missed == "run"

    def read(self) -> bool:
        """Read the file of holidays; whether it says something else than before.

        Raises:
            ConfigurationError: it can't be read, and never could; later on that is logged, and what it said holds.
        """
        return self._file is not None and self._file.read()

    def next_after(self, moment: datetime) -> datetime | None:
        """The first time after a moment at which a round is to begin; None where there is none for years.

        Without a crontab that is the moment itself, if rounds may begin then.
        """
        if self.has_times:
            return next(self._times(moment), None)
        return moment if self.is_open(moment) else self._next_opening(moment)

    def missed(self, first: datetime, until: datetime) -> int:
        """How many times of the crontab there were from one that it has up to a moment: 1 at least, 1000 at most."""
        if not self.has_times:
            return 1
        count = 1
        for each in self._times(first):
            if each > until or count >= _MOST_COUNTED:
                break
            count += 1
        return count

    def is_open(self, moment: datetime) -> bool:
        """Whether rounds may begin at a moment, as far as hours and holidays go."""
        local = moment.astimezone(self._zone)
        if self._is_holiday(local.date()):
            return False
        if self._schedule.windows is None:
            return True
        yesterday = local.date() - _DAY
        spans = (*self._spans(yesterday), *self._spans(local.date()))
        return any(opens <= moment < closes for opens, closes in spans)

    def _times(self, moment: datetime) -> Iterator[datetime]:
        """The times of the crontab after a moment at which rounds may begin, each once."""
        cursor, end = moment, moment + _MOST_DAYS * _DAY
        while (each := self._next_of_crontab(cursor)) and each <= end:
            if self.is_open(each):
                yield each
                cursor = each
            elif opens := self._next_opening(each):
                cursor = opens - _SECOND
            else:
                return

    def _next_of_crontab(self, moment: datetime) -> datetime | None:
        times = CronSim(self._schedule.cron or "", moment.astimezone(self._zone))
        # In an hour that comes twice, a time of the first one is found again in the second.
        return next((each for each in (found.astimezone(UTC) for found in times) if each > moment), None)

    def _next_opening(self, moment: datetime) -> datetime | None:
        today = moment.astimezone(self._zone).date()
        for number in range(-1, _MOST_DAYS):
            day = today + number * _DAY
            # Rounds may begin when a window opens, and at midnight within one, when a holiday ends.
            chances = {self._instant(day, time.min), *(opens for opens, _ in self._spans(day))}
            for each in sorted(chances):
                if each > moment and self.is_open(each):
                    return each
        return None

    def _spans(self, day: date) -> Sequence[tuple[datetime, datetime]]:
        """From when until when windows are open that open on a day."""
        windows = self._schedule.windows or ()
        return [self._span(each, day) for each in windows if DAYS[day.weekday()] in each.only_days]

    def _span(self, window: Window, day: date) -> tuple[datetime, datetime]:
        start = window.start_time.as_time() if window.start_time else time.min
        if window.end_time is None:
            return self._instant(day, start), self._instant(day + _DAY, time.min)
        end = window.end_time.as_time()
        closes_on = day if start <= end else day + _DAY
        # Its last second belongs to it, as it does with `dayTime`.
        return self._instant(day, start), self._instant(closes_on, end, last=True) + _SECOND

    def _instant(self, day: date, clock: time, *, last: bool = False) -> datetime:
        """When clocks show a time: the first time, or the last; where they skip it, when they do."""
        local = datetime.combine(day, clock, tzinfo=self._zone).replace(fold=int(last))
        instant = local.astimezone(UTC)
        if instant.astimezone(self._zone).replace(tzinfo=None) == local.replace(tzinfo=None):
            return instant
        # A time that doesn't exist: between what it would be by the offset after the change and by that before it.
        early, late = (local.replace(fold=fold).astimezone(UTC) for fold in (1, 0))
        while late - early > _SECOND:
            middle = early + (late - early) / 2
            if middle.astimezone(self._zone).replace(tzinfo=None) < local.replace(tzinfo=None):
                early = middle
            else:
                late = middle
        return late.replace(microsecond=0)

    def _is_holiday(self, day: date) -> bool:
        return day in self._holidays or (self._file is not None and day in self._file.days)


class HolidaysFile:
    """Days in a file that somebody may change while the run lasts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._content: bytes | None = None
        self._problem = ""
        self.days: frozenset[date] = frozenset()

    def read(self) -> bool:
        """Read it; see `Timetable.read`."""
        try:
            content = self._path.read_bytes()
            is_changed = content != self._content
            if is_changed:
                self.days, self._content = self._days_in(content), content
            self._problem = ""
        except (OSError, ConfigurationError) as error:
            problem = self._in_words(error)
            if self._content is None:
                raise ConfigurationError(problem, hint="config.schedule.holidaysFile of the policy names it") from error
            if problem != self._problem:
                _log.warning("%s; %s of before hold", problem, counted(len(self.days), "holiday"))
            self._problem = problem
            return False
        return is_changed

    def _days_in(self, content: bytes) -> frozenset[date]:
        days = set()
        for number, line in enumerate(content.decode(errors="replace").splitlines(), start=1):
            text = line.partition("#")[0].strip()
            try:
                days |= {as_date(text)} if text else set()
            except ValueError:
                shown = printable(text)
                raise ConfigurationError(f"{self._path}:{number}: '{shown}' is no date (such as 2026-12-24)") from None
        return frozenset(days)

    def _in_words(self, error: OSError | ConfigurationError) -> str:
        if isinstance(error, ConfigurationError):
            return error.message
        return f"can't read the holidays {self._path}: {error.strerror}"


def local_zone() -> tzinfo:
    """The timezone of this machine, with its daylight saving; UTC where it says nothing of it."""
    try:
        if name := os.environ.get("TZ", "").removeprefix(":"):
            return zoneinfo.ZoneInfo(name)
        with _LOCAL_TIME.open("rb") as file:
            return zoneinfo.ZoneInfo.from_file(file, key="localtime")
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
