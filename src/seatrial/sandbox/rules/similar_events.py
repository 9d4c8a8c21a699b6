"""Combines events that say nearly the same: the tenth message of one reason about one object stands for all later ones.

A Deployment that is rolled out again and again, or a pod that fails in ever new words, would fill the list of events.
So components count such events up in one that is "combined from similar events" and has the latest message. The
figures are those of Kubernetes' event recorder (client-go, `EventAggregator`).
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final

_MOST_MESSAGES: Final = 10
_FORGET_SECONDS: Final = 600.0
_MOST_REMEMBERED: Final = 2000
_PREFIX: Final = "(combined from similar events): "


@dataclass
class _Group:
    last_seconds: float
    messages: set[str] = field(default_factory=set)


class SimilarEvents:
    """Remembers which messages events of a group had.

    Args:
        clock: seconds that rise.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._groups: OrderedDict[Hashable, _Group] = OrderedDict()

    def combine(self, group: Hashable, message: str) -> tuple[Hashable, str]:
        """What an event is counted as, and the message that it gets.

        Args:
            group: who tells it about what, with which type and reason.
            message: what it says.
        """
        now = self._clock()
        known = self._groups.get(group)
        if known is None or now - known.last_seconds > _FORGET_SECONDS:
            known = self._groups[group] = _Group(now)
        known.last_seconds = now
        self._groups.move_to_end(group)
        if len(self._groups) > _MOST_REMEMBERED:
            self._groups.popitem(last=False)
        if message in known.messages or len(known.messages) < _MOST_MESSAGES - 1:
            known.messages.add(message)
            return (group, message), message
        return (group, None), _PREFIX + message
