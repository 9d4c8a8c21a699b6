"""A store of a million probe samples: cost and room per sample, windows of objectives, a report's worth of records.

Run it with `python -m benchmarks.store`. The peer is a bare `executemany` of the same rows into a table of SQLite with
the same settings: what is beyond it are events taken apart, counts by minute, and knowing what was written before.
Times are those of the processor, except for those that a person waits for.
"""

import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from benchmarks.sandbox_api import Figure
from seatrial.runtime.events import MeasurementTaken, Record, SampleTaken, ScenarioFinished, SteadyStateSampled, Where
from seatrial.runtime.verdict import Verdict
from seatrial.slo.series import SeriesKey
from seatrial.storage.records import RunRecord
from seatrial.storage.retention import Retention
from seatrial.storage.store import Store, open_store

T = TypeVar("T")

SAMPLES = 1_000_000
_A_ROUND = 100  # samples, ten a second
_BEGIN = datetime(2030, 1, 1, tzinfo=UTC)
_PROBE = "probes[0] (probeHTTP)"
_KEY = SeriesKey(cluster="c", policy="p", scenario="s", digest="d")
_RUN = RunRecord(
    id="run", policy="p", policy_text="", digests={"s": "d"}, seed="1", server="", context="", cluster="c", versions={},
    host="", started=_BEGIN.timestamp(), seen=_BEGIN.timestamp(),
)  # fmt: skip


def rounds(count: int) -> Iterator[list[Record]]:
    """What happens in each round."""
    for number in range(1, count + 1):
        begin = _BEGIN + timedelta(seconds=_A_ROUND / 10 * number)
        first, where = (_A_ROUND + 3) * number, Where(number, "s")
        events = [
            *[
                SampleTaken(
                    probe=_PROBE, number=0, result="ok", due=begin.timestamp() + each / 10, latency_ms=2 + each % 37
                )
                for each in range(_A_ROUND)
            ],
            SteadyStateSampled(probe=_PROBE, samples=_A_ROUND, failed=0, unseen=0, longest_outage_seconds=0),
            MeasurementTaken(name="timeToRecover", of="pod", seconds=1.0 + number % 10),
            ScenarioFinished(name="s", verdict=Verdict.PASSED, reasons=(), duration_ms=9000),
        ]
        yield [Record(first + each, begin, 0.0, where, event) for each, event in enumerate(events)]


def bare(directory: Path) -> float:
    """Microseconds of the processor for a row by `executemany`, in transactions of a round."""
    connection = sqlite3.connect(directory / "bare.sqlite3", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(
        "CREATE TABLE samples (run INTEGER, sequence INTEGER, probe INTEGER, at REAL, round INTEGER, result INTEGER,"
        " latency INTEGER, PRIMARY KEY (run, sequence)) WITHOUT ROWID"
    )
    count = SAMPLES // 10
    batches = [
        [(1, number + each, 1, number + each / 10, number, 0, 2000 + each) for each in range(_A_ROUND)]
        for number in range(0, count, _A_ROUND)
    ]
    begun = time.process_time()
    for batch in batches:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO samples VALUES (?, ?, ?, ?, ?, ?, ?)", batch)
        connection.execute("COMMIT")
    used = time.process_time() - begun
    connection.close()
    return used / count * 1e6


def fill(store: Store) -> float:
    """Microseconds of the processor for a sample, all that goes with a round included."""
    store.begin(_RUN)
    used = 0.0
    for batch in rounds(SAMPLES // _A_ROUND):
        begun = time.process_time()
        store.add(_RUN, batch)
        used += time.process_time() - begun
    return used / SAMPLES * 1e6


def milliseconds(work: Callable[[], T]) -> float:
    """How long something takes, the best of three times: what it costs, without who else is at work."""
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return min(times) * 1000


def windows(store: Store) -> Iterator[Figure]:
    """What objectives ask for after each round."""
    end = _BEGIN.timestamp() + SAMPLES / 10
    yield Figure(
        "burn rate: minutes of 6 h", milliseconds(lambda: store.minutes(_KEY, _PROBE, since=end - 21600)), "ms", 20
    )
    yield Figure("availability over 200 runs", milliseconds(lambda: store.counts(_KEY, _PROBE, last=200)), "ms", 20)
    yield Figure(
        "all 10,000 times of a measurement", milliseconds(lambda: store.points(_KEY, "timeToRecover")), "ms", 100
    )
    yield Figure("the last 200 of them", milliseconds(lambda: store.points(_KEY, "timeToRecover", last=200)), "ms", 20)
    yield Figure("the list of runs", milliseconds(store.runs), "ms", 20)


def main() -> list[Figure]:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        peer = bare(directory)
        store = open_store(None, state=directory)
        ours = fill(store)
        figures = [
            Figure("a sample recorded: processor", ours, "us"),
            Figure("  against bare executemany", ours / peer, "x", 8),
            Figure("room a sample takes", store.size_bytes() / SAMPLES, "bytes", 60),
            *windows(store),
        ]
        begun, bites, longest = time.process_time(), 0, 0.0
        while True:
            bite = time.perf_counter()
            if not store.tidy(Retention(raw_hours=0), now=_BEGIN.timestamp() + 2 * SAMPLES / 10):
                break
            bites, longest = bites + 1, max(longest, time.perf_counter() - bite)
        figures += [
            Figure("a sample condensed: processor", (time.process_time() - begun) / SAMPLES * 1e6, "us", 10),
            Figure(f"  the longest of {bites} bites", longest * 1000, "ms", 500),
            Figure("room a condensed sample takes", store.size_bytes() / SAMPLES, "bytes", 15),
        ]
        store.close()
        return figures


if __name__ == "__main__":
    found = main()
    for each in found:
        each.show()
    sys.exit(not all(each.is_kept for each in found))
