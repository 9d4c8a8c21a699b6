"""The store over a database, SQLite's or PostgreSQL's; see `store.Store`. Statements are the same for both.

`writing` says what becomes of events, `retention` what is dropped when.
"""

import hashlib
import heapq
import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from seatrial.errors import UsageError
from seatrial.runtime.events import ObjectiveJudged, Record, SampleTaken, Where
from seatrial.runtime.verdict import Verdict
from seatrial.storage.database import Database, Session
from seatrial.storage.event_codec import Encoded, as_json, clean, decode
from seatrial.storage.histogram import Histogram
from seatrial.storage.records import (
    Gap,
    ProbeMinute,
    RunRecord,
    ScenarioRun,
    StoredJudgement,
    StoredMeasurement,
)
from seatrial.storage.retention import Retention, drop_run, tidy
from seatrial.storage.series_queries import SeriesQueries
from seatrial.storage.writing import RESULTS, Batch, SeriesNumbers

_log = logging.getLogger(__name__)

_PAGE = 2000
_RUN = (
    "SELECT r.body, p.text, r.seen, r.ended, r.verdict, r.reasons, r.exit_code, r.events_from, r.lost,"
    " CASE WHEN r.ended IS NULL THEN coalesce((SELECT max(round) FROM scenario_runs WHERE run_no = r.no), 0)"
    " ELSE r.rounds END"
    " FROM runs r JOIN policies p ON p.digest = r.policy_digest"
)


class SqlStore(SeriesQueries):
    """A store in a database."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._numbers = SeriesNumbers()
        self._is_size_told = False

    @property
    def place(self) -> str:
        """See `store.Store`."""
        return self._database.place

    def begin(self, run: RunRecord) -> None:
        """See `store.Store`."""
        self._write(lambda session: _begin(session, run))

    def add(self, run: RunRecord, records: Sequence[Record], *, gaps: Sequence[Gap] = ()) -> None:
        """See `store.Store`."""
        is_again = False

        def work(session: Session) -> None:
            nonlocal is_again
            if is_again:
                self._numbers.forget()  # those of a transaction that came to nothing
            is_again = True
            if not session.rows("SELECT 1 FROM runs WHERE id = ?", run.id):
                # A database that was restored, or fell back to a copy, may have lost it, and what has numbers.
                self._numbers.forget()
                _begin(session, run)
            batch = Batch(session, run, self._numbers)
            batch.write(records)
            if gaps or run.lost:
                batch.mark(gaps)

        self._write(work)

    def hold_up(self, problem: str) -> None:
        """See `store.Store`."""
        self._problem = problem

    def beat(self, run_id: str, at: float) -> None:
        """See `store.Store`."""
        self._write(lambda session: session.run("UPDATE runs SET seen = ? WHERE id = ?", at, run_id))

    def runs(self, *, most: int = 20, policy: str | None = None) -> Sequence[RunRecord]:
        """See `store.Store`."""
        if policy is None:
            rows = self._rows(f"{_RUN} ORDER BY r.started DESC, r.no DESC LIMIT ?", most)
        else:
            rows = self._rows(f"{_RUN} WHERE r.policy = ? ORDER BY r.started DESC, r.no DESC LIMIT ?", policy, most)
        return [_run_of(row) for row in rows]

    def run(self, id_or_prefix: str) -> RunRecord:
        """See `store.Store`."""
        if id_or_prefix == "last":
            found = list(self.runs(most=1))
        else:
            wanted = clean(id_or_prefix)
            rows = self._rows(f"{_RUN} WHERE substr(r.id, 1, ?) = ? LIMIT 2", len(wanted), wanted)
            found = [_run_of(row) for row in rows if wanted]
        if len(found) != 1:
            problem = "several runs begin with" if found else "there is no run"
            what = "" if id_or_prefix == "last" and not found else f" '{clean(id_or_prefix)}'"
            raise UsageError(f"{problem}{what} in {self.place}", hint="list them: seatrial runs list")
        return found[0]

    def records(self, run_id: str) -> Iterator[Record]:
        """See `store.Store`."""
        number = self._number(run_id)
        events, samples = self._events(number), self._samples_taken(number)
        return heapq.merge(events, samples, key=lambda record: record.sequence)

    def _events(self, number: int) -> Iterator[Record]:
        for row in self._in_order("sequence, at, monotonic, place, kind, body", "events", number):
            if (record := decode(Encoded(*row))) is not None:
                yield record

    def _samples_taken(self, number: int) -> Iterator[Record]:
        """Samples as the events that they were; the monotonic clock is reckoned from the run's beginning."""
        probes = {probe: (scenario, name, place) for probe, scenario, name, place in self._probes(number)}
        first = self._rows("SELECT at, monotonic FROM events WHERE run_no = ? ORDER BY sequence LIMIT 1", number)
        offset = first[0][0] - first[0][1] if first else 0.0
        for sequence, probe, due, round_, result, latency in self._in_order(
            "sequence, probe_id, at, round, result, latency_us", "samples", number
        ):
            scenario, name, place = probes[probe]
            seen = due + (latency or 0) / 1e6
            event = SampleTaken(
                probe=name, number=place, result=RESULTS[result], due=due,
                latency_ms=None if latency is None else latency / 1000,
            )  # fmt: skip
            time = datetime.fromtimestamp(seen, UTC)
            yield Record(sequence, time, seen - offset, Where(round=round_, scenario=scenario), event)

    def _in_order(self, columns: str, table: str, number: int) -> Iterator[tuple[Any, ...]]:
        """The rows of a run by their sequence, which is their first column, a page at a time."""
        last = -1
        while rows := self._rows(
            f"SELECT {columns} FROM {table} WHERE run_no = ? AND sequence > ? ORDER BY sequence LIMIT ?",  # noqa: S608 -- our own words
            number, last, _PAGE,
        ):  # fmt: skip
            last = rows[-1][0]
            yield from rows

    def scenario_runs(self, run_id: str) -> Sequence[ScenarioRun]:
        """See `store.Store`."""
        rows = self._rows(
            "SELECT round, scenario, digest, began, duration_ms, verdict, reasons FROM scenario_runs t"
            " JOIN series s ON s.id = t.series_id WHERE run_no = ? ORDER BY sequence",
            self._number(run_id),
        )
        return [
            ScenarioRun(
                run_id=run_id, round=round_, scenario=scenario, digest=digest, started=began, duration_ms=ms,
                verdict=Verdict(verdict), reasons=tuple(msgspec.json.decode(reasons)),
            )
            for round_, scenario, digest, began, ms, verdict, reasons in rows
        ]  # fmt: skip

    def measurements(self, run_id: str) -> Sequence[StoredMeasurement]:
        """See `store.Store`."""
        rows = self._rows(
            "SELECT round, scenario, name, subject, value, at, is_lower_bound FROM measurements t"
            " JOIN series s ON s.id = t.series_id WHERE run_no = ? ORDER BY sequence, number",
            self._number(run_id),
        )
        return [
            StoredMeasurement(
                run_id=run_id, round=round_, scenario=scenario, name=name, of=of, value=value, at=at,
                is_lower_bound=bool(bound),
            )
            for round_, scenario, name, of, value, at, bound in rows
        ]  # fmt: skip

    def sample_minutes(self, run_id: str) -> Sequence[ProbeMinute]:
        """See `store.Store`."""
        number = self._number(run_id)
        raw = self._latencies(number)
        return [minute for probe in self._probes(number) for minute in self._minutes_of(*probe[:3], raw=raw)]

    def _minutes_of(
        self, number: int, scenario: str, name: str, *, raw: Mapping[tuple[int, int], Sequence[float]]
    ) -> Iterator[ProbeMinute]:
        for minute, ok, failed, unseen, latencies in self._rows(
            "SELECT minute, ok, failed, unseen, latencies FROM probe_minutes WHERE probe_id = ? ORDER BY minute", number
        ):
            condensed = Histogram.from_bytes(bytes(latencies)) if latencies else Histogram()
            yield ProbeMinute(
                scenario=scenario, probe=name, at=minute * 60.0, ok=ok, failed=failed, unseen=unseen,
                latencies=condensed + Histogram.of(raw.get((number, minute), ())),
            )  # fmt: skip

    def _latencies(self, run_no: int) -> Mapping[tuple[int, int], Sequence[float]]:
        """The latencies of the samples that are kept one by one, in milliseconds, by probe and minute."""
        found: dict[tuple[int, int], list[float]] = {}
        for _, probe, at, latency in self._in_order("sequence, probe_id, at, latency_us", "samples", run_no):
            if latency is not None:
                found.setdefault((probe, int(at // 60)), []).append(latency / 1000)
        return found

    def _probes(self, run_no: int) -> list[tuple[Any, ...]]:
        return self._rows(
            "SELECT t.id, s.scenario, t.name, t.number FROM probes t JOIN series s ON s.id = t.series_id"
            " WHERE t.run_no = ? ORDER BY s.scenario, t.number",
            run_no,
        )

    def latest_judgements(self, run_id: str) -> Sequence[StoredJudgement]:
        """See `store.Store`."""
        number = self._number(run_id)
        rows = self._rows(
            "SELECT scenario, at, body FROM judgements t JOIN series s ON s.id = t.series_id WHERE run_no = ?"
            " AND sequence IN (SELECT max(sequence) FROM judgements WHERE run_no = ? GROUP BY series_id, objective)"
            " ORDER BY sequence",
            number, number,
        )  # fmt: skip
        return [
            StoredJudgement(scenario=scenario, judged=msgspec.json.decode(body, type=ObjectiveJudged), at=at)
            for scenario, at, body in rows
        ]

    def tidy(self, retention: Retention, *, now: float) -> bool:
        """See `store.Store`."""
        has_more = tidy(self._database, retention, now=now)
        if not has_more and not self._is_size_told and (size := self._database.size_bytes()) > retention.largest_bytes:
            self._is_size_told = True
            _log.warning(
                "the store %s takes %.0f MB, more than the %.0f MB it should: objectives look back on what is in it",
                self.place, size / 1e6, retention.largest_bytes / 1e6,
            )  # fmt: skip
        return has_more

    def forget(self, run_ids: Sequence[str]) -> None:
        """See `store.Store`."""
        for each in run_ids:
            drop_run(self._database, self._number(each))

    def size_bytes(self) -> int:
        """See `store.Store`."""
        return self._database.size_bytes()

    def close(self) -> None:
        """See `store.Store`."""
        self._database.close()

    def _write(self, work: Any) -> None:
        try:
            self._database.write(work)
        except BaseException:
            self._numbers.forget()
            raise

    def _number(self, run_id: str) -> int:
        rows = self._rows("SELECT no FROM runs WHERE id = ?", run_id)
        return int(rows[0][0]) if rows else -1


def _begin(session: Session, run: RunRecord) -> None:
    text = clean(run.policy_text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    session.run("INSERT INTO policies VALUES (?, ?) ON CONFLICT DO NOTHING", digest, text)
    session.run(
        "INSERT INTO runs (id, policy, policy_digest, started, seen, body) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        run.id, clean(run.policy), digest, run.started, run.seen,
        as_json(msgspec.structs.replace(run, policy_text="")),
    )  # fmt: skip


def _run_of(row: tuple[Any, ...]) -> RunRecord:
    body, text, seen, ended, verdict, reasons, exit_code, events_from, lost, rounds = row
    return msgspec.structs.replace(
        msgspec.json.decode(body, type=RunRecord),
        policy_text=text,
        seen=seen,
        ended=ended,
        verdict=None if verdict is None else Verdict(verdict),
        reasons=tuple(msgspec.json.decode(reasons)),
        exit_code=exit_code,
        rounds=rounds,
        events_from=events_from,
        lost=lost,
    )
