"""One round in detail: its steps, what lasted (faults, outages, a mesh that was not whole), its probes, its account."""

from collections.abc import Iterator

import msgspec

from seatrial.report.account import Account
from seatrial.report.run_report.model import Moment, ProbeBucket, ProbeLane, RoundDetail, Span, StepTold
from seatrial.runtime.events import (
    ContainerRestarted,
    ContainerSignalled,
    Event,
    FaultCleared,
    FaultProven,
    MachineRebooted,
    MachineStarted,
    MachineStopped,
    MeshSampled,
    OutageSeen,
    PodEvicted,
    PodKilled,
    PodMoved,
    PodRecovered,
    Record,
    RecoveryMissed,
    SampleTaken,
    ScenarioFinished,
    SteadyStateLost,
    StepFinished,
    StepStarted,
)
from seatrial.runtime.verdict import Verdict

_MOST_RECORDS = 2000
_MOST_LINES = 200
_MOST_SPANS = 100
_MOST_LANES = 12
_MOST_SAMPLES = 20_000
_BUCKETS = 240
_FIRST_WIDTH_SECONDS = 0.05


class Story:
    """Takes in the events of one round, from its beginning on."""

    def __init__(self, begin: Record, *, name: str) -> None:
        self.round = begin.where.round
        self.started = begin.time.isoformat()
        self._began = self._now = begin.monotonic
        self._began_unix = begin.time.timestamp()
        self._records = [begin]
        self._left_out = 0
        self._spans = _Spans(self._began_unix)
        self._samples: list[SampleTaken] = []
        self._lanes: dict[str, _Lane] = {}
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

    def _lane(self, probe: str) -> "_Lane":
        name = probe if probe in self._lanes or len(self._lanes) < _MOST_LANES else "others"
        return self._lanes.setdefault(name, _Lane())

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


class _Open(msgspec.Struct):
    kind: str
    label: str
    text: str
    start: float
    end: float | None = None


class _Spans:
    """What lasted: begun by one event, ended by another one; `began_unix` is when the round began."""

    def __init__(self, began_unix: float) -> None:
        self._began_unix = began_unix
        self._all: list[_Open] = []
        self._open: dict[tuple[str, str], _Open] = {}
        self.outage_seconds = 0.0
        self.slowest_seconds = 0.0

    def add(self, event: Event, at: float) -> None:
        self._pods(event, at)
        self._others(event, at)
        self._seen(event, at)

    def _pods(self, event: Event, at: float) -> None:
        match event:
            case PodKilled(pod=pod):
                self._begin("fault", str(pod), "killed", at)
            case PodEvicted(pod=pod):
                self._begin("fault", str(pod), "evicted", at)
            case PodRecovered(pod=pod, replacement=replacement, ready_ms=ms):
                self.slowest_seconds = max(self.slowest_seconds, ms / 1000)
                self._end("fault", str(pod), at, f"until {replacement.name} was Ready")
            case PodMoved(pod=pod, to_node=node):
                self._end("fault", str(pod), at, f"until it was Ready on {node}")
            case RecoveryMissed(pod=pod, reason=reason):
                self._note("fault", str(pod), reason)

    def _others(self, event: Event, at: float) -> None:
        match event:
            case MachineStopped(name=name):
                self._begin("fault", f"machine of {name}", "stopped", at)
            case MachineStarted(name=name) | MachineRebooted(name=name):
                self._end("fault", f"machine of {name}", at, "until it was up")
            case ContainerSignalled(pod=pod, container=container, signal=signal):
                self._begin("fault", f"{pod}, container {container}", signal, at)
            case ContainerRestarted(pod=pod, container=container):
                self._end("fault", f"{pod}, container {container}", at, "until it was ready again")

    def _seen(self, event: Event, at: float) -> None:
        match event:
            case FaultProven(subject=subject, proof=proof):
                self._begin("fault", _subject(subject), proof, at)
            case FaultCleared(subject=subject, proof=proof):
                self._clear(_subject(subject), at, proof)
            case SteadyStateLost(probe=probe, reason=reason):
                self._begin("outage", probe, reason, at)
            case OutageSeen() as outage:
                self._outage(outage, at)
            case MeshSampled(failed=failed, error=error):
                self._mesh(failed, error, at)

    def _mesh(self, failed: tuple[str, ...], error: str, at: float) -> None:
        if error:
            return
        if failed:
            self._begin("mesh", "goldpinger's peers", f"failed: {', '.join(failed[:3])}", at)
        else:
            self._end("mesh", "goldpinger's peers", at, "")

    def _clear(self, subject: str, at: float, proof: str) -> None:
        """What ends a workload ends the faults in its pods, which are named after it (`NAMESPACE/NAME-...`)."""
        _, _, workload = subject.rpartition(" ")
        labels = [label for kind, label in self._open if kind == "fault"]
        for label in labels:
            if label == subject or (workload != subject and label.startswith(f"{workload}-")):
                self._end("fault", label, at, proof)

    def _outage(self, outage: OutageSeen, at: float) -> None:
        """It is known to the sample when it began and ended; the events of its beginning and end come later."""
        self.outage_seconds += outage.seconds
        span = self._open.get(("outage", outage.probe))
        if span is None:
            self._begin("outage", outage.probe, "", at)
            span = self._open.get(("outage", outage.probe))
        if span is None:
            return
        span.start = max(0.0, outage.began - self._began_unix)
        if not outage.is_open:
            span.end = span.start + outage.seconds
            del self._open["outage", outage.probe]

    def _begin(self, kind: str, label: str, text: str, at: float) -> None:
        if (kind, label) in self._open:
            if kind == "fault":
                self._note(kind, label, text)
            return
        if len(self._all) < _MOST_SPANS:
            self._open[kind, label] = span = _Open(kind, label, text, at)
            self._all.append(span)

    def _end(self, kind: str, label: str, at: float, text: str) -> None:
        self._note(kind, label, text)
        if span := self._open.pop((kind, label), None):
            span.end = at

    def _note(self, kind: str, label: str, text: str) -> None:
        span = self._open.get((kind, label))
        if span and text and text not in span.text:
            span.text = f"{span.text}; {text}"

    def told(self) -> tuple[Span, ...]:
        return tuple(
            Span(
                kind=each.kind,  # type: ignore[arg-type] # one of the three, as `add` has them
                label=each.label,
                text=each.text,
                start_seconds=round(each.start, 3),
                end_seconds=None if each.end is None else round(each.end, 3),
            )
            for each in self._all
        )


def _subject(of_proof: str) -> str:
    """What a proof is about, as faults call it: one span for both."""
    return of_proof.removeprefix("pod ")


class _Bucket(msgspec.Struct):
    succeeded: int = 0
    failed: int = 0
    unseen: int = 0
    slowest_ms: float | None = None

    def add(self, other: "_Bucket") -> None:
        self.succeeded += other.succeeded
        self.failed += other.failed
        self.unseen += other.unseen
        times = [each for each in (self.slowest_ms, other.slowest_ms) if each is not None]
        self.slowest_ms = max(times) if times else None


class _Lane:
    """Samples in buckets of one width, which doubles whenever there are too many."""

    def __init__(self) -> None:
        self._width = _FIRST_WIDTH_SECONDS
        self._buckets: dict[int, _Bucket] = {}

    def add(self, at: float, sample: SampleTaken) -> None:
        while at >= self._width * _BUCKETS:
            self._double()
        one = _Bucket(slowest_ms=sample.latency_ms)
        one.succeeded += sample.result == "ok"
        one.failed += sample.result == "failed"
        one.unseen += sample.result == "unseen"
        self._buckets.setdefault(int(at / self._width), _Bucket()).add(one)

    def _double(self) -> None:
        self._width *= 2
        halves, self._buckets = self._buckets, {}
        for number, bucket in halves.items():
            self._buckets.setdefault(number // 2, _Bucket()).add(bucket)

    def told(self) -> tuple[ProbeBucket, ...]:
        return tuple(
            ProbeBucket(
                start_seconds=round(number * self._width, 3),
                end_seconds=round((number + 1) * self._width, 3),
                succeeded=each.succeeded,
                failed=each.failed,
                unseen=each.unseen,
                slowest_ms=each.slowest_ms,
            )
            for number, each in sorted(self._buckets.items())
        )
