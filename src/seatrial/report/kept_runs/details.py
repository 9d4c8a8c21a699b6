"""One run that a store keeps: what it was, what it came to, what was measured, and how to run it again."""

import heapq
import math
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from seatrial.policy.wording import counted
from seatrial.report.closing import Row, summary_rows
from seatrial.report.kept_runs.listing import judgement_as_json, local_time, run_as_json, utc_time
from seatrial.report.run_report.reproduction import reproduction_of
from seatrial.report.summary import Summary
from seatrial.runtime.events import OutageSeen, Record, SampleTaken
from seatrial.slo.measurements import PASSED
from seatrial.slo.quantiles import quantile_bounds
from seatrial.slo.wording import time_in_words
from seatrial.storage.records import RunRecord, RunState, StoredJudgement, StoredMeasurement

_CONFIDENCE = 0.95
_OUTAGES = 5


class RunDetails(msgspec.Struct, frozen=True, kw_only=True):
    """All that is shown of a run; `outages` are the longest ones, of so many in all."""

    run: RunRecord
    summary: Summary
    judgements: Sequence[StoredJudgement]
    measurements: Sequence[StoredMeasurement]
    outages: Sequence[tuple[str, OutageSeen]]
    outage_count: int


def details_of(
    run: RunRecord,
    records: Iterable[Record],
    *,
    judgements: Sequence[StoredJudgement],
    measurements: Sequence[StoredMeasurement],
) -> RunDetails:
    """The details of a run, its closing summary counted anew from what is kept of it."""
    summary, outages = Summary(), []
    for record in records:
        if isinstance(record.event, SampleTaken):
            continue
        summary(record)
        if isinstance(record.event, OutageSeen):
            outages.append((record.where.scenario, record.event))
    return RunDetails(
        run=run,
        summary=summary,
        judgements=judgements,
        measurements=measurements,
        outages=heapq.nlargest(_OUTAGES, outages, key=lambda each: each[1].seconds),
        outage_count=len(outages),
    )


def detail_rows(details: RunDetails) -> list[Row]:
    """What is shown of a run, row by row."""
    run = details.run
    rows = [Row("run", f"{run.id}, of {run.policy}"), Row("when", _when(run)), Row("where", _where(run))]
    rows.append(Row("versions", ", ".join(f"{name} {version}" for name, version in run.versions.items() if version)))
    if run.verdict is None:
        rows.append(Row("verdict", f"none: the run {_UNFINISHED[run.state]}", "bold yellow"))
        rows += [Row(heading, text) for heading, text in details.summary.lines()]
    else:
        rows += [row for row in summary_rows(details.summary) if row.heading != "run"]
    rows += [Row("measured", text) for text in measurement_lines(details.measurements)]
    rows += _outage_rows(details)
    rows += _notes(run)
    rows += [Row("again", text) for text in _again(run)]
    return rows


_UNFINISHED = {
    RunState.RUNNING: "is still at work",
    RunState.DIED: "died; what it left behind is undone by: seatrial recover",
    RunState.ENDED: "ended without one",
}


def _when(run: RunRecord) -> str:
    if run.ended is not None:
        return f"{local_time(run.started)} to {local_time(run.ended)}"
    return f"{local_time(run.started)}, last heard of {local_time(run.seen)}"


def _where(run: RunRecord) -> str:
    context = f" (context {run.context})" if run.context else ""
    return f"{run.server}{context}, from {run.host}"


def measurement_lines(measurements: Sequence[StoredMeasurement]) -> list[str]:
    """A line for each measurement of each scenario: how many, the median, the 95th percentile with its bounds."""
    groups: dict[tuple[str, str], list[StoredMeasurement]] = {}
    for each in measurements:
        groups.setdefault((each.scenario, each.name), []).append(each)
    times = {key: found for key, found in groups.items() if key[1] != PASSED}
    return [f"{scenario}, {name}: {_distribution(found)}" for (scenario, name), found in times.items()]


def _distribution(found: Sequence[StoredMeasurement]) -> str:
    values = [each.value for each in found if not each.is_lower_bound]
    longer = [each.value for each in found if each.is_lower_bound]
    median = quantile_bounds(values, 0.5, confidence=_CONFIDENCE, longer_than=longer).estimate
    tail = quantile_bounds(values, 0.95, confidence=_CONFIDENCE, longer_than=longer)
    words = f"{len(found)} times, median {_time(median)}, p95 {_time(tail.estimate)}"
    if tail.upper is not None:
        words += f" (at most {time_in_words(tail.upper)} at 95 %)"
    if values:
        words += f", {time_in_words(min(values))} to {time_in_words(max(values))}"
    return words + (f"; {len(longer)} not seen to the end" if longer else "")


def _time(seconds: float | None) -> str:
    return "not seen" if seconds is None or math.isinf(seconds) else time_in_words(seconds)


def _outage_rows(details: RunDetails) -> list[Row]:
    rows = [
        Row(
            "outage",
            f"{scenario}, {outage.probe}: from {local_time(outage.began)} for {time_in_words(outage.seconds)}"
            + (", not over when the steps were" if outage.is_open else ""),
        )
        for scenario, outage in details.outages
    ]
    if details.outage_count > len(rows):
        rows.append(Row("", f"the longest of {details.outage_count} outages"))
    return rows


def _notes(run: RunRecord) -> list[Row]:
    rows = []
    if run.redacted:
        rows.append(Row("left out", f"{counted(run.redacted, 'secret')} of the policy"))
    if run.events_from is not None:
        rows.append(Row("condensed", f"what happened before {local_time(run.events_from)} is kept as figures only"))
    if run.lost:
        rows.append(Row("missing", f"{counted(run.lost, 'event')} that the store could not take in time"))
    return rows


def _again(run: RunRecord) -> list[str]:
    found = reproduction_of(run)
    return [found.command, *found.notes]


def details_as_json(details: RunDetails) -> dict[str, Any]:
    """A run with its policy, for programs; measurements in seconds."""
    return {
        **run_as_json(details.run),
        "policyText": details.run.policy_text,
        "objectives": [judgement_as_json(each) for each in details.judgements],
        "measurements": [measurement_as_json(each) for each in details.measurements],
        "outages": {
            "count": details.outage_count,
            "longest": [
                {
                    "scenario": scenario,
                    "probe": outage.probe,
                    "began": utc_time(outage.began),
                    "seconds": outage.seconds,
                    "isOpen": outage.is_open,
                }
                for scenario, outage in details.outages
            ],
        },
        "summary": details.summary.as_json(),
    }


def measurement_as_json(measurement: StoredMeasurement) -> dict[str, Any]:
    """A measurement, for programs."""
    return {
        "run": measurement.run_id,
        "round": measurement.round,
        "scenario": measurement.scenario,
        "name": measurement.name,
        "of": measurement.of,
        "value": measurement.value,
        "at": utc_time(measurement.at),
        "isLowerBound": measurement.is_lower_bound,
    }
