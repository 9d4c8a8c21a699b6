"""What happens: the Events of the cluster and the account of what this session does, as they come."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

import msgspec
from rich.text import Text
from textual.widgets import RichLog

from seatrial.by_hand.hand_account import HandAccount
from seatrial.by_hand.live.events import LiveEvent
from seatrial.dashboard.colours import BAD, CHANGING, QUIET, WAITING, WELL
from seatrial.report.account import Tone
from seatrial.report.plain import plain
from seatrial.runtime.events import Record

_KEPT = 1000
_MOST_AT_ONCE = 100
_NARROWEST = 20
_TIME_WIDTH = len("12:34:56 ")
_STYLES: dict[Tone, str] = {
    "heading": "bold", "plain": "", "dim": QUIET, "good": WELL, "bad": f"bold {BAD}", "warn": CHANGING,
}  # fmt: skip


class Happening(msgspec.Struct, frozen=True):
    """What is to be told of one moment, and the namespace that it is about, empty for what concerns all.

    What is `whole` takes as many lines as it needs, everything else one.
    """

    time: datetime
    text: Text
    namespace: str = ""
    whole: bool = False


class Feed(RichLog):
    """What happened last; what is about other namespaces than the one that is looked at is left out."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 -- textual's word
        super().__init__(id=id, max_lines=_KEPT, auto_scroll=True, min_width=_NARROWEST)
        self._all: deque[Happening] = deque(maxlen=_KEPT)
        self._new: list[Happening] = []
        self._namespace = ""
        self._width = 0
        self._account = HandAccount()

    def take_event(self, event: LiveEvent) -> None:
        """Take in what a component of the cluster told."""
        self._new.append(Happening(_local(event.last), _of_event(event), event.about_namespace or event.namespace))

    def take_record(self, record: Record) -> None:
        """Take in what the session did or saw."""
        for line in self._account.lines(record):
            style = _STYLES[line.tone]
            text = Text().append("▸ ", style=f"bold {WAITING}").append("  " * line.depth)
            text.append_text(plain(f"{line.label} ", style=style or "bold"))
            text.append_text(plain(line.text, style="" if line.tone == "good" else style))
            self._new.append(Happening(_local(record.time), text, whole=True))

    def take_in(self) -> None:
        """Draw what has come since the last time; of very much, what came last."""
        if self._width != self.scrollable_content_region.width:
            self.look_at(self._namespace)
        new, self._new = self._new, []
        self._all.extend(new)
        shown = [each for each in new if self._is_wanted(each)]
        if len(shown) > _MOST_AT_ONCE:
            self.write(Text(f"         ... {len(shown) - _MOST_AT_ONCE} more", style=QUIET))
        self._write(shown[-_MOST_AT_ONCE:])

    def look_at(self, namespace: str) -> None:
        """Show what is about a namespace, or with an empty one everything."""
        self._namespace = namespace
        self._width = self.scrollable_content_region.width
        self.clear()
        self._write([each for each in self._all if self._is_wanted(each)])

    def _is_wanted(self, happening: Happening) -> bool:
        return not (self._namespace and happening.namespace) or happening.namespace == self._namespace

    def _write(self, happenings: Sequence[Happening]) -> None:
        width = max(_NARROWEST, self._width - _TIME_WIDTH)
        for each in happenings:
            head = Text(f"{each.time:%H:%M:%S} ", style=QUIET)
            for line in self._lines_of(each, width):
                self.write(Text().append_text(head).append_text(line))
                head = Text(" " * (_TIME_WIDTH + len("▸ ")))

    def _lines_of(self, happening: Happening, width: int) -> Iterator[Text]:
        if happening.whole:
            yield from happening.text.wrap(self.app.console, width - len("▸ "), overflow="fold")
            return
        text = happening.text.copy()
        text.truncate(width, overflow="ellipsis")
        yield text


def in_order(events: Iterable[LiveEvent]) -> list[LiveEvent]:
    """Events by when they were seen last."""
    return sorted(events, key=lambda each: each.last or datetime.min.replace(tzinfo=UTC))


def _of_event(event: LiveEvent) -> Text:
    is_warning = event.type != "Normal"
    head = plain(f"{'!' if is_warning else '·'} {event.reason}", style=CHANGING if is_warning else "")
    text = Text().append_text(head)
    text.append_text(plain(f" {event.about_kind.lower()}/{event.about}", style=WAITING))
    times = f" ({event.count} times)" if event.count > 1 else ""
    message = " ".join(event.message.split())
    return text.append_text(plain(f"  {message}{times}", style=QUIET))


def _local(moment: datetime | None) -> datetime:
    return (moment or datetime.now().astimezone()).astimezone()
