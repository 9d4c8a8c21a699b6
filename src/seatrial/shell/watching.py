"""Live changes as lines: those of a second up to a handful, and of the others how many there were.

Silence means that nothing happened. So where nothing can be seen, because the API server is away or refuses, that is
told, too. What watches belongs to the shell and ends with it; the lines stand above the prompt, as all that is written.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from seatrial.policy.wording import counted

if TYPE_CHECKING:
    from seatrial.by_hand.live.changes import Telling
    from seatrial.by_hand.live.kind import Change, LiveKind
    from seatrial.kube.reduction import Reduced

MOST_A_SECOND = 10
_WINDOW_SECONDS = 1.0
_AWAY = "the API server is away"


class Watching:
    """What is watched at the moment: kinds, each in a namespace, in those of a glob, or (empty) everywhere."""

    def __init__(
        self,
        tell: "Callable[[Telling, Change[Any]], None]",
        note: Callable[[str], None],
        *,
        most_a_second: int | None = MOST_A_SECOND,
    ) -> None:
        """`tell` writes one change, `note` a line about those that were too many, or can't be seen.

        Without `most_a_second` none are too many. Where they can't write any more, nothing is watched any more:
        `until_broken` raises what they raised.
        """
        self._tell = tell
        self._note = note
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._most = math.inf if most_a_second is None else most_a_second
        self._kinds: dict[str, LiveKind[Any]] = {}
        self._unseen: set[str] = set()
        self._ends: dict[str, Callable[[], None]] = {}
        self._places: dict[str, str] = {}
        self._left = self._most
        self._untold: dict[str, set[tuple[str, str]]] = {}
        self._window: asyncio.TimerHandle | None = None
        self._look: asyncio.TimerHandle | None = None

    @property
    def places(self) -> Mapping[str, str]:
        """The kinds that are watched, by their plural names, and where."""
        return self._places

    async def until_broken(self) -> None:
        """Wait for ever, or until a change could not be written."""
        await asyncio.shield(self._broken)

    def begin(self, kind: "LiveKind[Any]", namespace: str, *, only: Callable[[Any], bool] = lambda _item: True) -> None:
        """Tell the changes of a kind from here on; of a kind that is watched already, in another place."""
        name = kind.resource.plural
        self.end(name)

        def see(change: "Change[Any]") -> None:
            if is_in(change.object, namespace) and only(change.object):
                with self._writing():
                    self._see(change)

        self._ends[name] = kind.subscribe(see)
        self._places[name] = namespace
        self._kinds[name] = kind
        if self._look is None:
            self._look_later()

    def end(self, name: str = "") -> None:
        """Tell no more of a kind, or of any."""
        for each in [name] if name else list(self._ends):
            if end := self._ends.pop(each, None):
                end()
            self._places.pop(each, None)
            self._kinds.pop(each, None)
            self._unseen.discard(each)
        if self._ends:
            return
        if self._look is not None:
            self._look.cancel()
            self._look = None
        if self._window is not None:
            self._window.cancel()
            self._next_window()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Of an error of whoever writes, those hear who wait, and not the watch that this is called from."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 -- raised again where somebody waits
            if not self._broken.done():
                self._broken.set_exception(error)
                self._broken.exception()  # looked at, also where nobody waits: the reader has gone
            self._untold.clear()
            self.end()

    def _see(self, change: "Change[Any]") -> None:
        from seatrial.by_hand.live.changes import in_words, kind_in_words

        telling = in_words(change)
        if telling is None:
            return
        if self._window is None:
            self._window = asyncio.get_running_loop().call_later(_WINDOW_SECONDS, self._next_window)
        if self._left:
            self._left -= 1
            self._tell(telling, change)
        else:
            item = change.object
            self._untold.setdefault(kind_in_words(item), set()).add((item.namespace, item.name))

    def _next_window(self) -> None:
        """Sum up what was too much, and begin anew."""
        untold, self._untold = self._untold, {}
        self._left, self._window = self._most, None
        if untold:
            counts = Counter({word: len(items) for word, items in untold.items()})
            words = " and ".join(counted(count, f"more {word}") for word, count in counts.most_common())
            with self._writing():
                self._note(f"… and {words} changed")

    def _look_later(self) -> None:
        self._look = asyncio.get_running_loop().call_later(_WINDOW_SECONDS, self._look_whether_seen)

    def _look_whether_seen(self) -> None:
        """Tell of each kind of which nothing is seen any more, and of each that is seen again."""
        self._look_later()
        with self._writing():
            for name, kind in self._kinds.items():
                if not kind.is_current and name not in self._unseen:
                    self._unseen.add(name)
                    self._note(f"{name}: nothing is seen since {kind.seconds_behind:.0f} s, {kind.problem or _AWAY}")
                elif kind.is_current and name in self._unseen:
                    self._unseen.discard(name)
                    self._note(f"{name}: seen again")


def is_in(item: "Reduced", namespace: str) -> bool:
    """Whether an object is in a namespace, or in one of those that a glob means, or anywhere."""
    return not namespace or fnmatchcase(item.namespace, namespace)
