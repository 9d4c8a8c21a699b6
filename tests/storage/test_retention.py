"""What a store keeps for how long: samples condensed, old things dropped, a size that is kept to."""

from datetime import timedelta

import pytest

from seatrial.errors import StateError
from seatrial.runtime.events import RoundStarted, Where
from seatrial.storage.records import Gap
from seatrial.storage.retention import Retention
from seatrial.storage.store import open_store
from tests.storage.sample_runs import (
    BEGIN,
    KEY,
    PROBE,
    measured,
    records,
    run_over,
    run_record,
    sample,
    sampled,
    scenario_over,
    started,
)

START = BEGIN.timestamp()
DAY = 86400
_SMALL = Retention(days=90, largest_bytes=1 << 40, raw_hours=24)


def tidied(store, *, now, retention=_SMALL):
    """Tidy until there is nothing to do; how many bites it took."""
    for number in range(5000):
        if not store.tidy(retention, now=now):
            return number
    raise AssertionError("it never ends")


def rounds(store, count, *, every_seconds, run="run1", samples=0, note="", **changes):
    """A run with so many rounds, in each a measurement and some samples."""
    record = run_record(run, **changes)
    store.begin(record)
    first = 1
    for number in range(1, count + 1):
        begin = BEGIN + timedelta(seconds=number * every_seconds)
        events = [
            *([started(run)] if number == 1 else []),
            RoundStarted(number=number),
            *[sample(begin.timestamp() + each, latency_ms=1.0 + each) for each in range(samples)],
            sampled(samples),
            measured(float(number), name=f"timeToRecover{note}"),
            scenario_over(),
        ]
        where = Where(round=number, scenario="Kill half")
        store.add(record, records(*events, begin=begin, first=first, where=where))
        first += len(events)
    return record, first


def raw_samples(store):
    return [each for each in store.records("run1") if type(each.event).__name__ == "SampleTaken"]


def test_samples_are_condensed_beyond_the_raw_window(store):
    """Each minute keeps its counts and the distribution of its latencies; younger samples stay as they are."""
    rounds(store, 3, every_seconds=3600, samples=120)
    before = store.sample_minutes("run1")
    assert len(raw_samples(store)) == 360
    tidied(store, now=START + DAY + 2 * 3600 + 1800)
    after = store.sample_minutes("run1")
    assert len(raw_samples(store)) == 120
    assert [(each.at, each.ok, each.latencies) for each in after] == [
        (each.at, each.ok, each.latencies) for each in before
    ]
    assert after[0].latencies.percentile(50) == pytest.approx(30, rel=0.02)
    assert store.minutes(KEY, PROBE, since=0)[0].good == 60


def test_what_is_old_goes(store):
    """Events, measurements, samples; at last the run itself."""
    _, first = rounds(store, 4, every_seconds=30 * DAY, samples=2)
    tidied(store, now=START + 175 * DAY)
    assert [each.value for each in store.points(KEY, "timeToRecover")] == [3.0, 4.0]
    kept = store.run("run1")
    assert kept.events_from is not None
    assert {each.where.round for each in store.records("run1")} == {1, 3, 4}  # how it began is kept with the run
    assert [each.round for each in store.counts(KEY, None)] == [3, 4]
    store.add(kept, records(run_over(), first=first, begin=BEGIN + timedelta(days=121)))
    tidied(store, now=START + 400 * DAY)
    assert store.runs() == []
    assert store.keys() == []


@pytest.mark.parametrize(("window", "left"), [("1y", 4), ("3 runs", 3), ("1 runs", 2), ("30d", 2)])
def test_the_windows_of_objectives_are_kept(store, window, left):
    """However old what is in them: a budget over a year needs a year."""
    rounds(store, 4, every_seconds=30 * DAY, samples=2, windows={"Kill half": (window,)})
    tidied(store, now=START + 175 * DAY)
    assert len(store.points(KEY, "timeToRecover")) == left
    assert len(store.counts(KEY, None)) == left


def test_the_newest_windows_count(store):
    """A run with a shorter window lets go of what an earlier one wanted."""
    rounds(store, 4, every_seconds=30 * DAY, windows={"Kill half": ("1y",)})
    late = run_record("run2", windows={"Kill half": ("1d",)}, started=START + 125 * DAY)
    store.begin(late)
    store.add(late, records(scenario_over(), begin=BEGIN + timedelta(days=125)))
    tidied(store, now=START + 175 * DAY)
    assert [each.value for each in store.points(KEY, "timeToRecover")] == [3.0, 4.0]


def test_what_is_missing_is_forgotten_with_what_is_beside_it(store):
    """A gap is kept for as long as a window may hold it, and no longer."""
    record, first = rounds(store, 1, every_seconds=60)
    gap = Gap(scenario="Kill half", digest="d1", sequence=first, at=START + 100, figures=3, samples=0)
    store.add(record, records(run_over(), first=first + 1), gaps=[gap])
    tidied(store, now=START + 80 * DAY)
    with pytest.raises(StateError, match="3 events are missing"):
        store.points(KEY, "passed", since=START)
    tidied(store, now=START + 100 * DAY)
    assert store.points(KEY, "passed", since=START) == []
    assert store.runs() == []


def test_a_store_that_is_too_large_loses_events_first(sqlite, caplog):
    """The oldest ones; figures stay, and so does what the windows of objectives hold."""
    rounds(sqlite, 300, every_seconds=600, windows={"Kill half": ("200 runs",)}, note="x" * 300)
    full, now = sqlite.size_bytes(), START + 300 * 600
    largest = int(full * 0.6)
    tidied(sqlite, now=now, retention=Retention(largest_bytes=largest))
    assert sqlite.size_bytes() <= largest
    assert len(sqlite.points(KEY, f"timeToRecover{'x' * 300}")) == 300
    assert 0 < len(list(sqlite.records("run1"))) < 900
    tidied(sqlite, now=now, retention=Retention(largest_bytes=1))
    left = [each.round for each in sqlite.points(KEY, f"timeToRecover{'x' * 300}")]
    assert left == list(range(101, 301))
    assert caplog.text.count("objectives look back on what is in it") == 1


def test_memory_has_a_limit_of_its_own(tmp_path):
    """A run that keeps nothing may last for weeks."""
    store = open_store("none", state=tmp_path)
    rounds(store, 100, every_seconds=600, note="x" * 300)
    store._database.largest_bytes = store.size_bytes() // 2
    tidied(store, now=START + 100 * 600)
    assert store.size_bytes() <= store._database.largest_bytes
    store.close()


def test_the_file_stays_as_large_as_what_is_in_it(sqlite, tmp_path):
    """Room that is free is given back, a little at a time."""
    rounds(sqlite, 200, every_seconds=60, samples=50)
    file = tmp_path / "runs.sqlite3"
    the_writer = sqlite._database._writer
    the_writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    before = file.stat().st_size
    assert tidied(sqlite, now=START + 500 * DAY) > 1
    the_writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    assert file.stat().st_size < before / 4


def test_a_year_of_rounds_takes_no_more_room_than_a_month(sqlite):
    """With what is older than thirty days dropped each day, the store stops growing."""
    retention = Retention(days=30, raw_hours=24)
    record, sizes, first = run_record(), [], 1
    sqlite.begin(record)
    for day in range(365):
        begin = BEGIN + timedelta(days=day)
        events = [
            *[sample(begin.timestamp() + each) for each in range(100)],
            sampled(100),
            measured(1.0),
            scenario_over(),
        ]
        sqlite.add(record, records(*events, begin=begin, first=first, where=Where(round=day + 1, scenario="Kill half")))
        first += len(events)
        tidied(sqlite, now=begin.timestamp() + 3600, retention=retention)
        sizes.append(sqlite.size_bytes())
    assert max(sizes[60:]) <= 1.05 * max(sizes[30:60])
