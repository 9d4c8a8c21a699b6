"""Who was told of a run: the words for each message, and what all of them came to."""

from collections import Counter
from typing import Any, Literal, NamedTuple

from seatrial.policy.wording import counted
from seatrial.runtime.events import Event, NotificationFailed, NotificationSent


class ToldLine(NamedTuple):
    """A line: who was told or not, in words, and its tone."""

    label: str
    text: str
    tone: Literal["dim", "warn"]


def told_line(event: NotificationSent | NotificationFailed) -> ToldLine | None:
    """What there is to say; trouble is said when it begins, and when something is lost."""
    if isinstance(event, NotificationSent):
        return ToldLine("told", f"{event.channel}: {event.title} ({event.answer})", "dim")
    if event.again and not event.lost:
        return None
    what = f"{event.title} is lost" if event.lost else f"{event.title} waits"
    return ToldLine("not told", f"{event.channel}: {event.error}; {what}", "warn")


class ToldFigures:
    """What all messages came to, by channel; `lost` counts the notices in those that nobody took."""

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()

    def add(self, event: Event) -> None:
        """Take in one event."""
        match event:
            case NotificationSent(channel=channel):
                self.sent[channel] += 1
            case NotificationFailed(channel=channel, notices=notices, lost=True):
                self.lost[channel] += notices

    def lines(self) -> list[tuple[str, str]]:
        """For people: a row a channel; nothing where nobody was to be told."""
        rows = [("told", f"{channel}: {counted(number, 'message')}") for channel, number in self.sent.items()]
        return rows + [
            ("NOT told", f"{channel}: {counted(each, 'notice')} lost") for channel, each in self.lost.items()
        ]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"sent": dict(self.sent), "lost": dict(self.lost)}
