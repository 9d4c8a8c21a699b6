"""All that a store keeps of a run, as lines of JSON; its measurements as CSV."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from seatrial.report.kept_runs.details import measurement_as_json
from seatrial.report.kept_runs.listing import run_as_json, utc_time
from seatrial.runtime.events import Record
from seatrial.storage.records import ProbeMinute, RunRecord, ScenarioRun, StoredMeasurement

_COLUMNS = ("run", "round", "scenario", "name", "of", "value", "at", "isLowerBound")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def jsonl(
    run: RunRecord,
    records: Iterable[Record],
    *,
    scenario_runs: Sequence[ScenarioRun],
    measurements: Sequence[StoredMeasurement],
    minutes: Sequence[ProbeMinute],
) -> Iterator[str]:
    """A line for each thing, which `type` names: the run first, then what happened, and what it came to."""
    run_line = {**run_as_json(run), "policyText": run.policy_text, "savedPlan": run.saved_plan or None}
    yield _line("run", run_line)
    for record in records:
        yield _line("event", _event(record))
    for each in scenario_runs:
        body = msgspec.to_builtins(each)
        yield _line("scenarioRun", {**body, "started": utc_time(each.started)})
    for measurement in measurements:
        yield _line("measurement", measurement_as_json(measurement))
    for minute in minutes:
        yield _line("probeMinute", _minute(minute))


def measurements_csv(measurements: Iterable[StoredMeasurement]) -> Iterator[str]:
    """The measurements, a line each below their titles; a text that a spreadsheet would compute is quoted."""
    yield _csv_line(_COLUMNS)
    for each in measurements:
        values = measurement_as_json(each)
        yield _csv_line([_harmless(values[column]) for column in _COLUMNS])


def _line(kind: str, values: dict[str, Any]) -> str:
    return json.dumps({"type": kind, **values}, ensure_ascii=False)


def _event(record: Record) -> dict[str, Any]:
    return {
        "sequence": record.sequence,
        "at": utc_time(record.time.timestamp()),
        "monotonic": record.monotonic,
        "where": msgspec.to_builtins(msgspec.structs.asdict(record.where)),
        "event": type(record.event).__name__,
        "fields": msgspec.to_builtins(record.event),
    }


def _minute(minute: ProbeMinute) -> dict[str, Any]:
    latencies = minute.latencies
    return {
        "scenario": minute.scenario,
        "probe": minute.probe,
        "at": utc_time(minute.at),
        "ok": minute.ok,
        "failed": minute.failed,
        "unseen": minute.unseen,
        "latencyMs": {f"p{each:g}": latencies.percentile(each) for each in (50, 95, 99, 100)},
    }


def _csv_line(values: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(values)
    return text.getvalue()


def _harmless(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
