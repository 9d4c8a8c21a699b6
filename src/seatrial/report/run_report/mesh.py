"""What goldpinger's instances saw of each other: in all rounds, and before, during and after the worst one."""

from typing import Literal

import msgspec

from seatrial.report.mesh import MeshSummary
from seatrial.report.run_report.model import MeshLook, MeshTold
from seatrial.runtime.events import MeshSampled, Record, ScenarioStarted

Moment = Literal["before", "during", "after"]


class _Course(msgspec.Struct):
    """The looks of one round that count; times are since it began."""

    scenario: str
    round: int
    before: tuple[float, MeshSampled] | None = None
    during: tuple[float, MeshSampled] | None = None
    after: tuple[float, MeshSampled] | None = None

    def add(self, at: float, sample: MeshSampled, *, changed: bool) -> None:
        if not changed:
            self.before = (at, sample)
            return
        self.after = (at, sample)
        if self.during is None or self._badness(sample) > self._badness(self.during[1]):
            self.during = (at, sample)

    def _badness(self, sample: MeshSampled) -> tuple[int, int, float]:
        """Failed calls first, then instances that were there before and are missing, then slow calls."""
        times = [each for row in sample.calls_ms for each in row if each is not None]
        slowness = sum(times) / len(times) if times else sample.slowest_ms or 0.0
        missing = self.before[1].instances - sample.instances if self.before else 0
        return len(sample.failed), max(missing, 0), slowness

    @property
    def badness(self) -> tuple[int, int, float]:
        """That of its worst look."""
        return self._badness(self.during[1]) if self.during else (-1, 0, 0.0)

    def looks(self) -> tuple[MeshLook, ...]:
        """The three moments, as far as they were seen."""
        moments: list[tuple[Moment, tuple[float, MeshSampled] | None]] = [
            ("before", self.before), ("during", self.during), ("after", self.after),
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


def _look(moment: Moment, at: float, sample: MeshSampled) -> MeshLook:
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
