"""What is written of a run's events: each as it is, and what it means as a row of a series."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec

from seatrial.runtime.events import (
    Event,
    ObjectiveJudged,
    PolicyReloaded,
    ProbeSampled,
    Record,
    RunFinished,
    SampleTaken,
    ScenarioFinished,
    SteadyStateSampled,
)
from seatrial.slo.measurements import measurements_of
from seatrial.storage.database import Session
from seatrial.storage.event_codec import as_json, clean, encode
from seatrial.storage.records import Gap, RunRecord
from seatrial.storage.redaction import redact_policy, without_secrets

RESULTS: tuple[Literal["ok", "failed", "unseen"], ...] = ("ok", "failed", "unseen")
"""What a sample came to, by the number that stands for it."""


class SeriesNumbers:
    """The numbers of series and probes, remembered: a run has few of them, and asks with each event."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str, str, str], int] = {}
        self._probes: dict[tuple[int, int, str], int] = {}
        self._windows: dict[int, tuple[str, ...]] = {}

    def series(self, session: Session, run: RunRecord, scenario: str) -> int:
        """The number of a scenario's series, made if there is none; it knows the windows of its objectives."""
        key = (clean(run.cluster), clean(run.policy), clean(scenario), run.digests.get(scenario, ""))
        if key not in self._series:
            session.run(
                "INSERT INTO series (cluster, policy, scenario, digest) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                *key,
            )
            ((self._series[key],),) = session.rows(
                "SELECT id FROM series WHERE cluster = ? AND policy = ? AND scenario = ? AND digest = ?", *key
            )
        number, windows = self._series[key], run.windows.get(scenario, ())
        if self._windows.get(number) != windows:
            session.run("UPDATE series SET windows = ? WHERE id = ?", as_json(windows), number)
            self._windows[number] = windows
        return number

    def probe(self, session: Session, run_no: int, series: int, sample: SampleTaken) -> int:
        """The number of a probe, made if there is none."""
        key = (run_no, series, clean(sample.probe))
        if key not in self._probes:
            session.run(
                "INSERT INTO probes (run_no, series_id, name, number) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                *key, sample.number,
            )  # fmt: skip
            ((number,),) = session.rows("SELECT id FROM probes WHERE run_no = ? AND series_id = ? AND name = ?", *key)
            self._probes[key] = number
        return self._probes[key]

    def forget(self) -> None:
        """Ask anew: what was written down with them may not have come to stay."""
        self._series.clear()
        self._probes.clear()
        self._windows.clear()


def _says_more(event: Event) -> bool:
    """Whether an event is kept as it is.

    A look that belongs to a sample of a steady state's probe says no more than the sample where it went well; what went
    wrong is evidence.
    """
    return not (isinstance(event, ProbeSampled) and event.probe and event.ok)


def _without_secrets(record: Record) -> Record:
    match record.event:
        case PolicyReloaded(policy_text=text) as event:
            known, _ = redact_policy(text)
            return msgspec.structs.replace(record, event=msgspec.structs.replace(event, policy_text=known))
    return record


class Batch:
    """Events of a run on their way into the tables."""

    def __init__(self, session: Session, run: RunRecord, numbers: SeriesNumbers) -> None:
        self._session = session
        self._run = run
        self._numbers = numbers
        self._events: list[tuple[Any, ...]] = []
        self._measurements: list[tuple[Any, ...]] = []
        self._samples: list[tuple[Any, ...]] = []
        self._minutes: dict[tuple[int, int], list[int]] = {}
        self._of_scenario: dict[str, int] = {}
        self._of_probe: dict[tuple[str, str], int] = {}

    def write(self, records: Sequence[Record]) -> None:
        """Write what has not been written before."""
        ((self._no, last),) = self._session.rows("SELECT no, last_sequence FROM runs WHERE id = ?", self._run.id)
        for record in records:
            if record.sequence <= last:
                continue
            if isinstance(record.event, SampleTaken):
                self._sample(record, record.event)
                continue
            if _says_more(record.event):
                encoded = encode(_without_secrets(record))
                body = clean(without_secrets(encoded.body))
                self._events.append((self._no, *msgspec.structs.astuple(encoded)[:5], body))
            self._measurements += self._measured(record)
            self._others(record)
        self._flush()
        newest = max((each.sequence for each in records), default=last)
        self._session.run(
            "UPDATE runs SET last_sequence = ?, seen = ? WHERE no = ? AND last_sequence < ?",
            newest, self._run.seen, self._no, newest,
        )  # fmt: skip

    def mark(self, gaps: Sequence[Gap]) -> None:
        """Write down what is missing, once; after what isn't."""
        for gap in gaps:
            run = msgspec.structs.replace(self._run, digests={gap.scenario: gap.digest})
            self._session.run(
                "INSERT INTO gaps VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                self._no, gap.sequence, self._numbers.series(self._session, run, gap.scenario), gap.at, gap.figures,
                gap.samples,
            )  # fmt: skip
        if self._run.lost:
            self._session.run("UPDATE runs SET lost = ? WHERE no = ?", self._run.lost, self._no)

    def _series(self, record: Record) -> int:
        scenario = record.where.scenario
        if scenario not in self._of_scenario:
            self._of_scenario[scenario] = self._numbers.series(self._session, self._run, scenario)
        return self._of_scenario[scenario]

    def _probe(self, record: Record, sample: SampleTaken) -> int:
        key = (record.where.scenario, sample.probe)
        if key not in self._of_probe:
            series = self._series(record)
            self._of_probe[key] = self._numbers.probe(self._session, self._no, series, sample)
        return self._of_probe[key]

    def _measured(self, record: Record) -> Iterator[tuple[Any, ...]]:
        for number, each in enumerate(measurements_of(record)):
            yield (
                self._no, record.sequence, number, self._series(record), record.where.round, clean(each.name),
                clean(each.of), each.value, record.time.timestamp(), int(each.is_lower_bound),
            )  # fmt: skip

    def _sample(self, record: Record, sample: SampleTaken) -> None:
        probe = self._probe(record, sample)
        result = RESULTS.index(sample.result)
        latency = None if sample.latency_ms is None else round(sample.latency_ms * 1000)
        self._samples.append((self._no, record.sequence, probe, sample.due, record.where.round, result, latency))
        self._minutes.setdefault((probe, int(sample.due // 60)), [0, 0, 0])[result] += 1

    def _others(self, record: Record) -> None:
        at = record.time.timestamp()
        match record.event:
            case ScenarioFinished(duration_ms=ms, verdict=verdict, reasons=reasons):
                self._session.run(
                    "INSERT INTO scenario_runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    self._no, record.sequence, self._series(record), record.where.round, at - ms / 1000, at, ms,
                    str(verdict), as_json(reasons),
                )  # fmt: skip
            case SteadyStateSampled() as sampled:
                seen = sampled.samples - sampled.unseen
                self._session.run(
                    "INSERT INTO probe_runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    self._no, record.sequence, self._series(record), record.where.round, clean(sampled.probe), at,
                    seen - sampled.failed, sampled.failed, sampled.unseen,
                )  # fmt: skip
            case ObjectiveJudged() as judged:
                self._session.run(
                    "INSERT INTO judgements VALUES (?, ?, ?, ?, ?, ?)",
                    self._no, record.sequence, self._series(record), at, clean(judged.objective), as_json(judged),
                )  # fmt: skip
            case RunFinished() as finished:
                self._session.run(
                    "UPDATE runs SET ended = ?, verdict = ?, reasons = ?, exit_code = ?, rounds = ? WHERE no = ?",
                    at, str(finished.verdict), as_json(finished.reasons), finished.exit_code, finished.rounds, self._no,
                )  # fmt: skip

    def _flush(self) -> None:
        if self._events:
            self._session.run_many("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", self._events)
        if self._measurements:
            self._session.run_many("INSERT INTO measurements VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", self._measurements)
        if self._samples:
            self._session.run_many("INSERT INTO samples VALUES (?, ?, ?, ?, ?, ?, ?)", self._samples)
            self._session.run_many(
                "INSERT INTO probe_minutes (probe_id, minute, ok, failed, unseen) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (probe_id, minute) DO UPDATE SET ok = probe_minutes.ok + excluded.ok,"
                " failed = probe_minutes.failed + excluded.failed, unseen = probe_minutes.unseen + excluded.unseen",
                [(*key, *counts) for key, counts in self._minutes.items()],
            )
