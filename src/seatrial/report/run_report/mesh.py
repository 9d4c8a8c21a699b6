"""What goldpinger's instances saw of each other: in all rounds, and before, during and after the worst one."""

import msgspec

from seatrial.report.mesh import MeshSummary
from seatrial.report.run_report.model import MeshLook, MeshMoment, MeshTold
from seatrial.runtime.events import FaultProven, MeshSampled, Record, ScenarioStarted, UndoDone, UndoWritten

_Look = tuple[float, MeshSampled]


class _Course(msgspec.Struct):
    """The looks of one round that count; times are since it began.

    Until a fault is proven to be there, what is seen is that it is being made: pods that come, rules that are written.
    """

    scenario: str
    round: int
    before: _Look | None = None
    making: _Look | None = None
    proven: _Look | None = None
    last: _Look | None = None
    is_put_back: bool = True
    is_proven: bool = False
    undos: int = 0

    def note(self, event: object) -> None:
        """Take in what is no look."""
        match event:
            case FaultProven():
                self.is_proven = True
            case UndoWritten():
                self.undos += 1
            case UndoDone():
                self.undos -= 1

    def add(self, at: float, sample: MeshSampled, *, changed: bool) -> None:
        if not changed:
            self.before = (at, sample)
            return
        self.last, self.is_put_back = (at, sample), self.undos <= 0
        worst = self.proven if self.is_proven else self.making
        if worst is None or self._badness(sample) > self._badness(worst[1]):
            if self.is_proven:
                self.proven = (at, sample)
            else:
                self.making = (at, sample)

    @property
    def during(self) -> _Look | None:
        """The worst look; one before the proof only where nothing was worse after it."""
        if self.making is None or self.proven is None:
            return self.proven or self.making
        pairs = zip(self._badness(self.proven[1]), self._badness(self.making[1]), strict=True)
        return self.proven if any(late > early for late, early in pairs) else self.making

    def _badness(self, sample: MeshSampled) -> tuple[int, int, float]:
        """Failed calls first, then instances that were there before and are missing, then slow calls."""
        times = [each for row in sample.calls_ms for each in row if each is not None]
        slowness = sum(times) / len(times) if times else sample.slowest_ms or 0.0
        missing = self.before[1].instances - sample.instances if self.before else 0
        return len(sample.failed), max(missing, 0), slowness

    @property
    def badness(self) -> tuple[int, int, float]:
        """That of its worst look."""
        worst = self.during
        return self._badness(worst[1]) if worst else (-1, 0, 0.0)

    def looks(self) -> tuple[MeshLook, ...]:
        """The three moments, as far as they were seen."""
        last: MeshMoment = "after" if self.is_put_back else "end"
        moments: list[tuple[MeshMoment, _Look | None]] = [
            ("before", self.before), ("during", self.during), (last, self.last),
        ]  # fmt: skip
        return tuple(_look(moment, *seen) for moment, seen in moments if seen)


class MeshCollector:
    """Takes in the looks at the graph."""

    def __init__(self) -> None:
        self._course: _Course | None = None
        self._worst: _Course | None = None
        self._began = 0.0

    def add(self, record: Record, *, changed: bool) -> None:
        """Take in one event; `changed` tells whether its scenario had changed anything by then."""
        event = record.event
        if isinstance(event, ScenarioStarted):
            self._close()
            self._course = _Course(event.name, record.where.round)
            self._began = record.monotonic
        elif isinstance(event, MeshSampled) and self._course and not event.error:
            self._course.add(record.monotonic - self._began, event, changed=changed)
        elif self._course:
            self._course.note(event)

    def told(self, summary: MeshSummary) -> MeshTold | None:
        """What there is; None without a single look."""
        self._close()
        if not summary.samples:
            return None
        worst = self._worst or _Course("", 0)
        return MeshTold(
            text=summary.line(),
            samples=summary.samples,
            degraded=summary.with_failed_calls + summary.with_fewer_instances,
            unanswered=summary.unanswered,
            scenario=worst.scenario,
            round=worst.round,
            looks=worst.looks(),
        )

    def _close(self) -> None:
        course, self._course = self._course, None
        if course and (course.before or course.during) and (not self._worst or course.badness > self._worst.badness):
            self._worst = course


def _look(moment: MeshMoment, at: float, sample: MeshSampled) -> MeshLook:
    """The look with its instances in the order of their names, and with those that were called but are gone."""
    times = {
        (caller, callee): ms
        for caller, row in zip(sample.names, sample.calls_ms, strict=False)
        for callee, ms in zip(sample.names, row, strict=False)
    }
    called = (pair.rpartition(" -> ")[2] for pair in sample.failed)
    names = sorted({*sample.names, *called}) if sample.names else []
    return MeshLook(
        moment=moment,
        at_seconds=round(at, 3),
        instances=sample.instances,
        pairs=sample.pairs,
        failed=sample.failed,
        slowest_ms=sample.slowest_ms,
        names=tuple(names),
        calls_ms=tuple(tuple(times.get((caller, callee)) for callee in names) for caller in names),
    )
