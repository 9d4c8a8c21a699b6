"""Events that wait for the store, as many as memory is for.

Where there are too many, those go first that no series is made of, so that a database which is away for a day costs
evidence, not figures. What goes is counted by the series that it would have belonged to: a series with a gap is no
basis for a judgement (see `series_queries`).
"""

from collections import deque
from collections.abc import Mapping, Sequence

import msgspec

from seatrial.runtime.events import (
    ObjectiveJudged,
    PolicyReloaded,
    Record,
    RunFinished,
    RunStarted,
    SampleTaken,
    SteadyStateSampled,
)
from seatrial.slo.measurements import measurements_of
from seatrial.storage.records import Gap


class WaitingEvents:
    """Not safe for threads by itself: `recorder.Recorder` has a lock around it.

    Args:
        most: how many may wait.
        digests: by scenario, that of what it does.
    """

    def __init__(self, most: int, *, digests: Mapping[str, str]) -> None:
        self._most = most
        self._digests = digests
        self._waiting: deque[Record] = deque()
        self._gaps: dict[tuple[str, str], Gap] = {}
        self._handed_gaps: dict[tuple[str, str], Gap] = {}
        self._handed_up_to = 0
        self._is_tight = False
        self._newest: int | None = None
        self.lost = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, record: Record) -> None:
        """Let an event wait, or count it as lost where there is no room."""
        if self._newest is not None and record.sequence > self._newest + 1:
            self._miss(record.sequence - self._newest - 1, before=record)
        self._newest = record.sequence
        if isinstance(record.event, PolicyReloaded):
            self._digests = record.event.digests
        if self._has_room_for(record):
            self._waiting.append(record)
        else:
            self._lose(record)

    def hand_out(self) -> tuple[list[Record], Sequence[Gap]]:
        """What is to be written; it waits on until it is `written`."""
        self._handed_gaps, self._gaps = _merged(self._handed_gaps, self._gaps), {}
        records = list(self._waiting)
        self._handed_up_to = records[-1].sequence if records else 0
        return records, tuple(self._handed_gaps.values())

    def written(self) -> None:
        """What was handed out last need wait no more."""
        while self._waiting and self._waiting[0].sequence <= self._handed_up_to:
            self._waiting.popleft()
        self._handed_gaps, self._handed_up_to, self._is_tight = {}, 0, False

    def not_written(self) -> None:
        """What was handed out last waits on."""
        self._handed_up_to = 0

    def _has_room_for(self, record: Record) -> bool:
        is_full = len(self._waiting) >= self._most
        if not _is_of_series(record):
            return not (is_full or self._is_tight)
        return not is_full or self._make_room() or _frames_the_run(record)

    def _make_room(self) -> bool:
        """Let go of what no series is made of; whether there was any. What is being written at the moment stays."""
        self._is_tight = True
        before, self._waiting = self._waiting, deque()
        for record in before:
            if _is_of_series(record) or record.sequence <= self._handed_up_to:
                self._waiting.append(record)
            else:
                self._lose(record)
        return len(self._waiting) < len(before)

    def _lose(self, record: Record) -> None:
        self.lost += 1
        scenario = record.where.scenario
        is_sample = isinstance(record.event, SampleTaken)
        if not scenario or not (is_sample or _is_of_series(record)):
            return
        digest = self._digests.get(scenario, "")
        gap = Gap(
            scenario=scenario, digest=digest, sequence=record.sequence, at=record.time.timestamp(),
            figures=int(not is_sample), samples=int(is_sample),
        )  # fmt: skip
        self._gaps = _merged(self._gaps, {(scenario, digest): gap})

    def _miss(self, events: int, *, before: Record) -> None:
        """Events that never came, for the stream was quicker than its listener: they may have been of any scenario."""
        self.lost += events
        for scenario, digest in self._digests.items():
            gap = Gap(
                scenario=scenario, digest=digest, sequence=before.sequence - 1, at=before.time.timestamp(),
                figures=events, samples=events,
            )  # fmt: skip
            self._gaps = _merged(self._gaps, {(scenario, digest): gap})


def _is_of_series(record: Record) -> bool:
    """Whether a series is made of it, or the run's own line; samples count in sums of their rounds, too."""
    event = record.event
    if isinstance(event, SampleTaken):
        return False
    if isinstance(event, ObjectiveJudged | SteadyStateSampled) or _frames_the_run(record):
        return True
    return any(True for _ in measurements_of(record))


def _frames_the_run(record: Record) -> bool:
    """Whether it says what all others belong to: there are few of these, and they always find room."""
    return isinstance(record.event, RunStarted | PolicyReloaded | RunFinished)


def _merged(first: Mapping[tuple[str, str], Gap], second: Mapping[tuple[str, str], Gap]) -> dict[tuple[str, str], Gap]:
    merged = dict(first)
    for key, gap in second.items():
        if (before := merged.get(key)) is not None:
            gap = msgspec.structs.replace(  # noqa: PLW2901 -- the two as one
                gap if gap.sequence > before.sequence else before,
                figures=before.figures + gap.figures, samples=before.samples + gap.samples,
            )  # fmt: skip
        merged[key] = gap
    return merged
