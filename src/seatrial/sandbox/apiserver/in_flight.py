"""How many requests are served at a time: a flood gets 429 with Retry-After instead of slowing everybody down.

As kube-apiserver's `--max-requests-inflight` and `--max-mutating-requests-inflight`: what lives long (watches,
logs, exec, proxies) doesn't count, and administrators and kubelets are always let in.
"""

from typing import Final

from seatrial.sandbox.apiserver.calls import User
from seatrial.sandbox.apiserver.request_info import CONNECTING, RequestInfo

MOST_READING: Final = 400
MOST_WRITING: Final = 200
_READING: Final = frozenset({"get", "list", "watch"})
# Administrators, who must be able to end a flood, and kubelets, whose nodes would seem dead in one.
_ALWAYS_LET_IN: Final = frozenset({"system:masters", "system:nodes"})


class InFlight:
    """Counts requests.

    Args:
        most_reading: how many reads may be served at a time.
        most_writing: how many writes.
    """

    def __init__(self, most_reading: int = MOST_READING, most_writing: int = MOST_WRITING) -> None:
        self._most = {True: most_reading, False: most_writing}
        self._served = {True: 0, False: 0}

    def enter(self, info: RequestInfo, user: User) -> bool:
        """Count a request; False if there are too many. Each one that is let in has to `leave`."""
        if _lives_long(info):
            return True
        reads = info.verb in _READING
        if self._served[reads] >= self._most[reads] and _ALWAYS_LET_IN.isdisjoint(user.groups):
            return False
        self._served[reads] += 1
        return True

    def leave(self, info: RequestInfo) -> None:
        """A request that was let in is done."""
        if not _lives_long(info):
            self._served[info.verb in _READING] -= 1


def _lives_long(info: RequestInfo) -> bool:
    return info.verb == "watch" or info.subresource in CONNECTING
