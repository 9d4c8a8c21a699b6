"""When a channel may speak: not more often than it wants, nothing said twice, and nothing lost that waits.

It knows no clock and no network: whoever uses it says what time it is.
"""

from collections.abc import Collection, Sequence

from seatrial.telemetry.notifications.notices import Notice

MOST_WAITING = 200
_GATHERING_SECONDS = 1.0


class Pacing:
    """The notices of one channel that wait, and the moment from which they may go.

    Args:
        wanted: the occasions that the channel wants to hear of.
        at_most_every_seconds: the shortest time between two messages.
        remind_every_seconds: how often to repeat what is still so; None for never.
        now: the time, in seconds of any clock.
    """

    def __init__(
        self, wanted: Collection[str], *, at_most_every_seconds: float, remind_every_seconds: float | None, now: float
    ) -> None:
        self._wanted = frozenset(wanted)
        self._at_most_every = at_most_every_seconds
        self._remind_every = remind_every_seconds
        self._began = now
        self._not_before = now
        self._told: dict[tuple[str, str], float] = {}
        self._waiting: list[Notice] = []
        self._omitted = 0
        self._first_came = now

    @property
    def waiting(self) -> int:
        """How many notices wait."""
        return len(self._waiting) + self._omitted

    def take(self, notice: Notice, *, now: float) -> None:
        """Take in a notice, if the channel is to hear of it."""
        if notice.occasion not in self._wanted or (notice.reminder and not self._reminds(notice, now)):
            return
        self._told[notice.occasion, notice.subject] = now
        if not self._waiting:
            self._first_came = now
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(notice)
        else:
            self._omitted += 1

    def wait_seconds(self, *, now: float) -> float | None:
        """How long until what waits may go; None where nothing waits.

        A moment longer than the pause asks for, since what happens together is told together.
        """
        if not self._waiting:
            return None
        return max(self._not_before, self._first_came + _GATHERING_SECONDS) - now

    def release(self, *, now: float) -> tuple[Sequence[Notice], int]:
        """All that waits, to be sent, and how many there was no room for."""
        released, self._waiting = self._waiting, []
        omitted, self._omitted = self._omitted, 0
        self._not_before = now + self._at_most_every
        return released, omitted

    def give_back(self, notices: Sequence[Notice], omitted: int) -> None:
        """What could not be sent waits again, before all that came since."""
        every = [*notices, *self._waiting]
        self._waiting = every[:MOST_WAITING]
        self._omitted += omitted + len(every) - len(self._waiting)

    def _reminds(self, notice: Notice, now: float) -> bool:
        """Whether it is time to say again what this process, or a run before it, has said."""
        last = self._told.get((notice.occasion, notice.subject), self._began)
        return self._remind_every is not None and now - last >= self._remind_every
