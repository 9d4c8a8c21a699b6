"""One round in detail: its steps, what lasted (faults, outages, a mesh that was not whole), its probes, its account."""

from collections.abc import Iterator

from seatrial.report.account import Account
from seatrial.report.run_report.lanes import Lane
from seatrial.report.run_report.model import Moment, ProbeLane, RoundDetail, StepTold
from seatrial.report.run_report.spans import Spans
from seatrial.runtime.events import (
    Record,
    SampleTaken,
    ScenarioFinished,
    StepFinished,
    StepStarted,
)
from seatrial.runtime.verdict import Verdict

_MOST_RECORDS = 2000
_MOST_LINES = 200
_MOST_LANES = 12
_MOST_SAMPLES = 20_000


class Story:
    """Takes in the events of one round, from its beginning on."""

    def __init__(self, begin: Record, *, name: str) -> None:
        self.round = begin.where.round
        self.started = begin.time.isoformat()
        self._began = self._now = begin.monotonic
        self._began_unix = begin.time.timestamp()
        self._records = [begin]
        self._left_out = 0
        self._spans = Spans(self._began_unix)
        self._samples: list[SampleTaken] = []
        self._lanes: dict[str, Lane] = {}
        self._finished: ScenarioFinished | None = None
        self.scenario = name

    def add(self, record: Record) -> None:
        """Take in one event; samples have a way of their own."""
        self._now = record.monotonic
        self._spans.add(record.event, record.monotonic - self._began)
        if len(self._records) < _MOST_RECORDS:
            self._records.append(record)
        else:
            self._left_out += 1

    def add_sample(self, sample: SampleTaken) -> None:
        """Take in a sample: most rounds are never told in detail, so it is looked at when it has to be."""
        self._samples.append(sample)
        if len(self._samples) >= _MOST_SAMPLES:
            self._sort_samples()

    def _sort_samples(self) -> None:
        for sample in self._samples:
            self._lane(sample.probe).add(max(0.0, sample.due - self._began_unix), sample)
        self._samples.clear()

    def finish(self, record: Record, finished: ScenarioFinished) -> None:
        """The round is over."""
        self._now = record.monotonic
        self._finished = finished
        self._records.append(record)

    @property
    def badness(self) -> tuple[float, ...]:
        """How much there is to tell of it, beside its verdict: outages, then what took longest."""
        return (self._spans.outage_seconds, self._spans.slowest_seconds, self._now - self._began)

    def _lane(self, probe: str) -> Lane:
        name = probe if probe in self._lanes or len(self._lanes) < _MOST_LANES else "others"
        return self._lanes.setdefault(name, Lane())

    def told(self) -> RoundDetail:
        """The round as the report has it."""
        self._sort_samples()
        moments = list(self._moments())
        return RoundDetail(
            round=self.round,
            scenario=self.scenario,
            started=self.started,
            seconds=round(self._now - self._began, 3),
            verdict=self._finished.verdict if self._finished else None,
            reasons=self._finished.reasons if self._finished else (),
            steps=tuple(self._steps()),
            spans=self._spans.told(),
            lanes=tuple(ProbeLane(probe=name, buckets=lane.told()) for name, lane in self._lanes.items()),
            account=tuple(moments[:_MOST_LINES]),
            left_out=self._left_out + max(0, len(moments) - _MOST_LINES),
        )

    def _moments(self) -> Iterator[Moment]:
        account = Account()
        for record in self._records[1:]:
            if isinstance(record.event, ScenarioFinished):
                continue  # its verdict stands above
            for line in account.lines(record):
                at = round(record.monotonic - self._began, 3)
                yield Moment(at_seconds=at, depth=line.depth, label=line.label, text=line.text, tone=line.tone)

    def _steps(self) -> Iterator[StepTold]:
        begun: tuple[StepStarted, float] | None = None
        for record in self._records:
            at = record.monotonic - self._began
            match record.event:
                case StepStarted() as started:
                    begun = (started, at)
                case StepFinished(verdict=verdict, reasons=reasons, duration_ms=ms) if begun:
                    yield _step(begun, seconds=ms / 1000, verdict=verdict, reasons=reasons)
                    begun = None
        if begun:
            yield _step(begun)


def _step(
    begun: tuple[StepStarted, float],
    *,
    seconds: float | None = None,
    verdict: Verdict | None = None,
    reasons: tuple[str, ...] = (),
) -> StepTold:
    started, at = begun
    return StepTold(
        index=started.index,
        key=started.key,
        start_seconds=round(at, 3),
        seconds=None if seconds is None else round(seconds, 3),
        verdict=verdict,
        reasons=reasons,
    )
