"""The list of the runs that a store keeps."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from seatrial.policy.wording import printable
from seatrial.runtime.events import ObjectiveStatus
from seatrial.storage.records import RunRecord, StoredJudgement

TITLES = ("RUN", "STARTED", "VERDICT", "ROUNDS", "OBJECTIVES", "POLICY")
_WORDS = {ObjectiveStatus.VIOLATED: "violated", ObjectiveStatus.UNDECIDED: "undecided", ObjectiveStatus.MET: "met"}
_GAP = 3


class ListedRun(NamedTuple):
    """A run, and what its objectives came to."""

    run: RunRecord
    judgements: Sequence[StoredJudgement]


def list_rows(runs: Sequence[ListedRun], *, width: int | None) -> list[tuple[str, ...]]:
    """A row for each run, as wide as given: policies' names give way, from their beginning."""
    rows = [_row(each) for each in runs]
    if width is None or not rows:
        return rows
    columns = list(zip(TITLES, *rows, strict=True))[:-1]
    left = max(12, width - sum(max(map(len, column)) + _GAP for column in columns))
    return [(*row[:-1], row[-1] if len(row[-1]) <= left else f"…{row[-1][1 - left :]}") for row in rows]


def _row(listed: ListedRun) -> tuple[str, ...]:
    run = listed.run
    return (
        run.id, local_time(run.started), verdict_of(run), str(run.rounds), _objectives(listed.judgements),
        printable(run.policy),
    )  # fmt: skip


def verdict_of(run: RunRecord) -> str:
    """The verdict, or that there is none: the run is at work, or died."""
    return str(run.state) if run.verdict is None else str(run.verdict)


def _objectives(judgements: Sequence[StoredJudgement]) -> str:
    """The worst that was said, and of how many."""
    counts = Counter(each.judged.status for each in judgements)
    return next((f"{counts[status]} {word}" for status, word in _WORDS.items() if counts[status]), "-")


def local_time(at: float) -> str:
    """A time of day where the reader is."""
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def listed_as_json(listed: ListedRun) -> dict[str, Any]:
    """A run of the list, for programs; times as RFC 3339 has them."""
    objectives = [judgement_as_json(each) for each in listed.judgements]
    return {**run_as_json(listed.run), "objectives": objectives}


def run_as_json(run: RunRecord) -> dict[str, Any]:
    """A run, for programs, without its policy's text."""
    return {
        "run": run.id,
        "policy": run.policy,
        "state": str(run.state),
        "verdict": None if run.verdict is None else str(run.verdict),
        "reasons": list(run.reasons),
        "exitCode": run.exit_code,
        "started": utc_time(run.started),
        "ended": None if run.ended is None else utc_time(run.ended),
        "seen": utc_time(run.seen),
        "rounds": run.rounds,
        "seed": run.seed,
        "cluster": run.cluster,
        "server": run.server,
        "context": run.context,
        "host": run.host,
        "versions": dict(run.versions),
        "digests": dict(run.digests),
        "command": run.command,
        "plan": run.plan or None,
        "redacted": run.redacted,
        "lost": run.lost,
        "eventsFrom": None if run.events_from is None else utc_time(run.events_from),
    }


def judgement_as_json(judgement: StoredJudgement) -> dict[str, Any]:
    """What was said of an objective."""
    judged = judgement.judged
    return {
        "scenario": judgement.scenario,
        "objective": judged.objective,
        "status": str(judged.status),
        "text": judged.text,
        "at": utc_time(judgement.at),
    }


def utc_time(at: float) -> str:
    """A time as RFC 3339 has it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
