"""Waiting for the next time of a schedule, by the clock on the wall.

A pause is measured by a clock that nobody sets; a time of day can't be. That clock stands still while a laptop sleeps,
and the one on the wall may be set back and forth. So the wait goes in slices, and looks at the wall after each.

A time is kept when its round begins within a minute of it; after that it was missed, which is said. Where the clock is
set back by up to three hours, times that have been dealt with don't come again, as with cron; when by more, it had been
wrong.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Literal

from seatrial.engine.timetable import Timetable
from seatrial.policy.spans import span_in_words
from seatrial.runtime.context import Context
from seatrial.runtime.events import PauseStarted, ScheduleMissed

_SLICE_SECONDS = 15.0
_GRACE = timedelta(minutes=1)
_JUMP_SECONDS = 5.0
_CORRECTION = timedelta(hours=3)


Due = Literal["now", "never", "changed"]
"""How a wait ended: a round is due, the schedule has no time left, or somebody changed what is waited for."""


class ScheduleWait:
    """Waits for the times of a timetable, one after the other."""

    def __init__(self, timetable: Timetable, context: Context) -> None:
        self._timetable = timetable
        self._context = context
        self._clock = context.clock
        self._done = context.clock.now()
        self._mark = self._clocks()

    @property
    def has_times(self) -> bool:
        """Whether rounds begin at times of a crontab, so that there are no pauses between them."""
        return self._timetable.has_times

    async def until_due(self, changed: Callable[[], Awaitable[bool]]) -> Due:
        """Return when the next round is due; `changed` is asked after each slice of the wait."""
        why = self._why_late(waiting=False)
        self._timetable.read()
        due = self._next()
        while due is not None:
            now = self._clock.now()
            if now - due > _GRACE:
                if self._miss(due, now, why):
                    return self._go(now)
            elif now >= due:
                return self._go(due)
            else:
                self._context.emit(PauseStarted(seconds=(due - now).total_seconds(), until=due))
                if await self._passes(due, changed):
                    return "changed"
                why = self._why_late(waiting=True)
                if not self.has_times:
                    self._look_for_missed_window(due, why)
                elif self._clock.now() >= due:
                    continue
            due = self._next()
        return "never"

    async def _passes(self, due: datetime, changed: Callable[[], Awaitable[bool]]) -> bool:
        """Wait until a time, or until it may be another one; whether that is because of what somebody changed."""
        while (left := (due - self._clock.now()).total_seconds()) > 0:
            self._mark = self._clocks()
            await self._clock.sleep(min(_SLICE_SECONDS, left))
            if await changed():
                return True
            if self._timetable.read() or abs(self._jumped()) > _JUMP_SECONDS:
                break
        return False

    def _next(self) -> datetime | None:
        now = self._clock.now()
        if self._done - now > _CORRECTION or not self.has_times:
            self._done = now
        return self._timetable.next_after(self._done)

    def _go(self, done: datetime) -> Due:
        self._done = done
        self._mark = self._clocks()
        return "now"

    def _miss(self, due: datetime, now: datetime, why: str) -> bool:
        """Say that times were missed; whether a round makes up for them."""
        makes_up = self._timetable.makes_up and self._timetable.is_open(now)
        # Of several, the last may be within its minute still.
        until = now if makes_up else now - _GRACE
        times = self._timetable.missed(due, until)
        self._context.emit(ScheduleMissed(first=due, times=times, reason=why, is_made_up=makes_up))
        self._done = until
        return makes_up

    def _look_for_missed_window(self, due: datetime, why: str) -> None:
        """Say that a window was missed as a whole, if it was."""
        now = self._clock.now()
        if now - due > _GRACE and not self._timetable.is_open(now):
            self._context.emit(ScheduleMissed(first=due, times=1, reason=why, is_made_up=False))

    def _clocks(self) -> tuple[datetime, float]:
        return self._clock.now(), self._clock.monotonic()

    def _jumped(self) -> float:
        """By how many seconds the wall clock went further than the monotonic one since the last mark."""
        (then, begun), (now, ended) = self._mark, self._clocks()
        return (now - then).total_seconds() - (ended - begun)

    def _why_late(self, *, waiting: bool) -> str:
        """What happened since the last mark that may make a round late."""
        if (jumped := self._jumped()) > _JUMP_SECONDS:
            return f"the machine slept for {span_in_words(jumped)}, or its clock was put forward"
        if waiting:
            return "this process was held up"
        return f"the round before took {span_in_words(max(self._clock.monotonic() - self._mark[1], 0))}"
