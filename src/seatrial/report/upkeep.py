"""What happens between the rounds of a run that goes on for weeks, in words: pauses, times missed, another policy."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from seatrial.policy.spans import span_in_words
from seatrial.policy.wording import counted
from seatrial.runtime.events import PauseStarted, PolicyRejected, PolicyReloaded, ScheduleMissed

_LONG_SECONDS = 600.0


class UpkeepLine(NamedTuple):
    """A line: what kind of thing happened, in words, and its tone."""

    label: str
    text: str
    tone: Literal["dim", "plain", "warn"]


def pause_in_words(event: PauseStarted) -> str:
    """How long a pause lasts; of a long one, when it ends, too."""
    if event.until is None or event.seconds < _LONG_SECONDS:
        return f"{event.seconds:.0f} s until the next round"
    return f"{span_in_words(event.seconds)} until the next round, at {_on_the_wall(event.until)}"


def upkeep_lines(event: ScheduleMissed | PolicyReloaded | PolicyRejected) -> Sequence[UpkeepLine]:
    """What there is to say, a line each."""
    match event:
        case ScheduleMissed():
            return [UpkeepLine("missed", _missed(event), "warn")]
        case PolicyReloaded():
            return [UpkeepLine("policy", f"{event.policy} has changed; from here on:", "plain"), *_below(event.changes)]
        case PolicyRejected():
            text = f"{event.policy} has changed, and can't be used; the last good one holds:"
            return [UpkeepLine("policy", text, "warn"), *_below(event.problems, "warn")]


def _missed(event: ScheduleMissed) -> str:
    what = f"{counted(event.times, 'time')} of the schedule, from {_on_the_wall(event.first)} on: {event.reason}"
    return f"{what}; a round makes up for {'it' if event.times == 1 else 'them'}" if event.is_made_up else what


def _below(texts: Sequence[str], tone: Literal["plain", "warn"] = "plain") -> list[UpkeepLine]:
    return [UpkeepLine("", each, tone) for each in texts]


def _on_the_wall(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M %Z}"
