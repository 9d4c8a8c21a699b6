"""The API server's clock, by which ages are told: two clocks that disagree must not make a pod look a minute younger.

Every answer of HTTP has a `Date` (RFC 9110, 6.6.1), in whole seconds; so clocks that are as close as that are left
alone.
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import msgspec

from seatrial.errors import ClusterError
from seatrial.runtime.context import Context

_HALF_A_SECOND = timedelta(seconds=0.5)
_MOST_SECONDS = 3.0
_AS_CLOSE_AS_CAN_BE_TOLD = timedelta(seconds=2)


class ServerTime(msgspec.Struct, frozen=True):
    """How far the API server's clock is ahead of ours; not at all, where it was not seen."""

    ahead: timedelta
    is_seen: bool = True

    def now(self, ours: datetime) -> datetime:
        """What its clock says when ours says that."""
        return ours + self.ahead


async def server_time(context: Context) -> ServerTime:
    """Look at the API server's clock; where it can't be seen, it is ours."""
    clock = context.clock
    before = clock.now()
    try:
        answer = await context.cluster.request("GET", "/version", most_bytes=0, timeout_seconds=_MOST_SECONDS)
        theirs = parsedate_to_datetime(answer.headers.get("Date", ""))
    except (ClusterError, ValueError):
        return ServerTime(timedelta(), is_seen=False)
    # A moment "-0000" has no zone; RFC 9110 knows none but GMT.
    theirs = theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)
    ahead = theirs + _HALF_A_SECOND - (before + (clock.now() - before) / 2)
    return ServerTime(ahead if abs(ahead) > _AS_CLOSE_AS_CAN_BE_TOLD else timedelta())
