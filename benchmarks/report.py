"""A report of a long run: 2,000 rounds with 100,000 samples of a steady state's probe, out of a store in a file.

Run it with `python -m benchmarks.report`. The peer reads the same events from the same store and does nothing with
them. Limits: eight times the peer's processor time for HTML, the file 2 MB.
"""

import sys
import tempfile
import time
from collections import deque
from pathlib import Path

from benchmarks.sandbox_api import Figure
from seatrial.report.formats import FORMATS, rendered
from seatrial.report.run_report.gathering import gather
from seatrial.storage.store import Store, open_store
from tests.report.kept_runs import RUN_ID, long_run, run_record

ROUNDS = 2000
_SAMPLES_EACH = 50
_AT_ONCE = 10_000


def main() -> list[Figure]:
    with tempfile.TemporaryDirectory() as directory:
        store = open_store(None, state=Path(directory))
        events = fill(store)
        try:
            return [Figure("events in the store", events, ""), *measure(store)]
        finally:
            store.close()


def fill(store: Store) -> int:
    """The run, as it would have been written; answers how many events there were."""
    records = long_run(ROUNDS, samples_each=_SAMPLES_EACH).records
    store.begin(run_record())
    for start in range(0, len(records), _AT_ONCE):
        store.add(run_record(), records[start : start + _AT_ONCE])
    return len(records)


def measure(store: Store) -> list[Figure]:
    """Reading alone, gathering, and each form."""
    begun = time.process_time()
    deque(store.records(RUN_ID), maxlen=0)
    reading = time.process_time() - begun
    begun = time.process_time()
    report = gather(store.run(RUN_ID), store)
    gathering = time.process_time() - begun
    figures = [
        Figure("reading the events alone: processor", reading, "s"),
        Figure("gathering the report: processor", gathering, "s"),
    ]
    for form in FORMATS:
        begun = time.process_time()
        text = rendered(report, form)
        taken = time.process_time() - begun
        figures.append(Figure(f"{form}: processor", taken, "s"))
        figures.append(Figure(f"{form}: size", len(text.encode()) / 1e6, "MB", 2))
        if form == "html":
            figures.append(Figure("html, all of it: processor", (gathering + taken) / reading, "x reading", 8))
    return figures


if __name__ == "__main__":
    found = main()
    for figure in found:
        figure.show()
    sys.exit(not all(figure.is_kept for figure in found))
