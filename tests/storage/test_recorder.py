"""A run kept as it goes on: what is written when, and what becomes of it where the store fails."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest

from seatrial.errors import StateError
from seatrial.runtime.events import PolicyReloaded, RoundStarted
from seatrial.runtime.process_identity import this_process
from seatrial.storage.recorder import Origin, Pace, Recorder, windows_in
from seatrial.storage.records import RunState
from seatrial.storage.store import open_store
from tests.storage.sample_runs import (
    BEGIN,
    KEY,
    a_run,
    measured,
    records,
    run_over,
    run_record,
    sample,
    scenario_over,
    started,
)

_QUICK = Pace(flush=0.01, beat=0.02, tidy=60, shortest_retry=0.01, longest_retry=0.02)
_POLICY = """\
scenarios:
- name: Kill half
  objectives:
  - {measurement: timeToRecover, percentile: 95, below: 5, window: 200 runs}
  - {measurement: passed, target: 99 %}
  steps:
  - probeHTTP: {target: {url: http://x}, headers: [{name: Authorization, value: Bearer abcdefgh}]}
"""


@pytest.fixture
def recorder():
    """Makes recorders, which end with their test."""
    made = []

    def recorder(store, **changes):
        given = {"policy_text": _POLICY, "digests": {"Kill half": "d1"}, "pace": _QUICK, **changes}
        made.append(Recorder(store, now=lambda: BEGIN.timestamp() + 100, **given))
        return made[-1]

    yield recorder
    for each in made:
        hear(each, run_over(), first=1000)


def hear(listener, *events, first=1):
    for each in records(*events, first=first):
        listener(each)


def until(condition, *, seconds=60):
    """Wait for what another thread does."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.005)
    return found


def the_writer(store):
    """The connection that a store writes by, for faults of the real database."""
    return store._database._writer


def test_keeps_a_run(store, recorder):
    """From its beginning to its end, with what it was begun with, secrets excepted."""
    origin = Origin(command="seatrial autonomous", plan="abc", saved_plan='{"digest": "abc"}')
    hear(recorder(store, origin=origin), *a_run())
    found = store.run("run1")
    assert len(list(store.records("run1"))) == len(a_run())
    assert (found.command, found.plan, found.saved_plan) == ("seatrial autonomous", "abc", '{"digest": "abc"}')
    assert (found.redacted, "abcdefgh" in found.policy_text) == (1, False)
    assert found.windows == {"Kill half": ("200 runs", "30d")}
    assert found.state is RunState.ENDED


def test_what_a_scenario_came_to_can_be_asked_for_at_its_end(store, recorder):
    """Who hears that a scenario has ended, finds it in the store: objectives are judged on it."""
    listener = recorder(store, pace=Pace())
    hear(listener, started(), measured(1.0), scenario_over())
    assert [each.value for each in store.points(KEY, "timeToRecover")] == [1.0]


def test_what_nobody_waits_for_is_written_soon(store, recorder):
    """A process that is killed takes little with it."""
    hear(recorder(store), started(), RoundStarted(number=1))
    until(lambda: len(list(store.records("run1"))) == 2)


def test_says_that_the_run_lives_while_nothing_happens(store, recorder):
    """Pauses between rounds may be long."""
    listener = recorder(store)
    hear(listener, started())
    until(lambda: store.runs() and store.run("run1").seen == BEGIN.timestamp() + 100)
    store.beat("run1", 1.0)
    until(lambda: store.run("run1").seen == BEGIN.timestamp() + 100)
    assert store.run("run1").state is RunState.RUNNING
    hear(listener, run_over(), first=2)


def test_a_policy_read_anew_begins_another_series(store, recorder):
    """From there on scenarios belong to the series of what they do by then."""
    listener = recorder(store)
    reloaded = PolicyReloaded(policy="p.yml", changes=("x",), policy_text=_POLICY, digests={"Kill half": "d2"})
    hear(listener, started(), scenario_over(), reloaded, scenario_over(), run_over())
    keys = store.keys()
    assert {each.digest for each in keys} == {"d1", "d2"}
    assert [len(store.points(each, "passed")) for each in keys] == [1, 1]


def test_keeps_what_happened_before_the_run_began(store, recorder):
    """Clean-up after an earlier run, say."""
    listener = recorder(store)
    hear(listener, RoundStarted(number=0), started(), run_over())
    assert len(list(store.records("run1"))) == 3


@pytest.mark.parametrize(
    ("broken", "mended"),
    [
        ("PRAGMA query_only = ON", "PRAGMA query_only = OFF"),
        ("PRAGMA max_page_count = 1", "PRAGMA max_page_count = 1073741823"),
    ],
    ids=["read-only", "full"],
)
def test_goes_on_where_the_store_fails(sqlite, recorder, caplog, broken, mended):
    """It is said once; what happened meanwhile is written as soon as it can be."""
    listener = recorder(sqlite)
    hear(listener, started(), scenario_over())
    the_writer(sqlite).execute(broken).fetchall()
    hear(listener, *[measured(float(number), name="x" * 2000) for number in range(20)], scenario_over(), first=3)
    until(lambda: "is not kept at the moment" in caplog.text)
    the_writer(sqlite).execute(mended).fetchall()
    until(lambda: "kept again" in caplog.text)
    hear(listener, run_over(), first=24)
    assert len(list(sqlite.records("run1"))) == 24
    assert caplog.text.count("is not kept at the moment") == 1


def test_goes_on_where_another_one_holds_the_store(sqlite, recorder, tmp_path, caplog):
    """A backup, or another Seatrial, that keeps it locked for long."""
    listener = recorder(sqlite)
    hear(listener, started(), scenario_over())
    the_writer(sqlite).execute("PRAGMA busy_timeout = 10").fetchall()
    other = sqlite3.connect(tmp_path / "runs.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    hear(listener, scenario_over(), first=3)
    until(lambda: "database is locked" in caplog.text)
    other.execute("ROLLBACK")
    other.close()
    hear(listener, run_over(), first=4)
    assert len(list(sqlite.records("run1"))) == 4


def test_counts_what_it_could_not_keep(sqlite, recorder, caplog):
    """More events than there is room for are dropped, and said; those that are there come when the store works."""
    listener = recorder(sqlite, pace=Pace(flush=0.01, shortest_retry=0.01, longest_retry=0.01, most_waiting=5))
    hear(listener, started(), scenario_over())
    the_writer(sqlite).execute("PRAGMA query_only = ON")
    hear(listener, scenario_over(), first=3)
    until(lambda: "is not kept at the moment" in caplog.text)
    hear(listener, *[measured(1.0)] * 10, first=4)
    the_writer(sqlite).execute("PRAGMA query_only = OFF")
    until(lambda: "6 events are lost" in caplog.text)
    hear(listener, run_over(), first=14)
    assert sqlite.run("run1").state is RunState.ENDED
    assert "6 events of this run are not kept" in caplog.text


def test_a_series_that_lost_something_is_no_basis_for_a_judgement(sqlite, recorder, caplog):
    """Not until what was lost lies outside the window; what knows of no window looks at what there is."""
    listener = recorder(sqlite, pace=Pace(flush=0.01, shortest_retry=0.01, longest_retry=0.01, most_waiting=3))
    hear(listener, started(), scenario_over())
    the_writer(sqlite).execute("PRAGMA query_only = ON")
    hear(listener, *[scenario_over()] * 5, first=3)
    until(lambda: "is not kept at the moment" in caplog.text)
    hear(listener, *[scenario_over()] * 5, first=8)
    the_writer(sqlite).execute("PRAGMA query_only = OFF")
    until(lambda: "events are lost" in caplog.text)
    hear(listener, run_over(), first=13)
    (lost,) = sqlite._database.read(lambda session: session.rows("SELECT figures, samples FROM gaps"))
    assert lost == (sqlite.run("run1").lost, 0)
    for ask in (sqlite.points, sqlite.counts):
        with pytest.raises(StateError, match=f"{lost[0]} events are missing that could not be kept, until 2030-01-01"):
            ask(KEY, "passed", since=BEGIN.timestamp())
        assert ask(KEY, "passed", since=BEGIN.timestamp() + 60) == []
    assert len(sqlite.points(KEY, "passed")) == 11 - lost[0]


def test_what_the_stream_lost_is_missing_in_every_series(sqlite, recorder, caplog):
    """A listener that was too slow gets numbers that don't follow each other: nobody knows what is in between."""
    listener = recorder(sqlite, digests={"Kill half": "d1", "Kill all": "d2"})
    hear(listener, started(), scenario_over())
    hear(listener, scenario_over(), run_over(), first=13)
    assert "10 events are lost" in caplog.text
    assert sqlite.run("run1").lost == 10
    for key in (KEY, msgspec.structs.replace(KEY, scenario="Kill all", digest="d2")):
        with pytest.raises(StateError, match="10 events are missing"):
            sqlite.points(key, "passed", last=5)


def test_evidence_makes_room_for_figures(sqlite, recorder, caplog):
    """Where the store is away for long, what no series is made of goes first: judgements stay possible."""
    listener = recorder(sqlite, pace=Pace(flush=0.01, shortest_retry=0.01, longest_retry=0.01, most_waiting=10))
    hear(listener, started(), scenario_over())
    the_writer(sqlite).execute("PRAGMA query_only = ON")
    hear(listener, scenario_over(), first=3)
    until(lambda: "is not kept at the moment" in caplog.text)
    hear(listener, *[sample(1.0)] * 9, *[scenario_over()] * 8, sample(2.0), first=4)
    the_writer(sqlite).execute("PRAGMA query_only = OFF")
    until(lambda: "10 events are lost" in caplog.text)
    hear(listener, run_over(), first=22)
    assert len(sqlite.points(KEY, "passed", last=200)) == 10
    with pytest.raises(StateError, match="10 events are missing"):
        sqlite.minutes(KEY, None, since=BEGIN.timestamp())


def test_series_are_not_read_while_writing_takes_long(sqlite, recorder, caplog, monkeypatch):
    """A disk that takes its time, say: the round that has just ended isn't in them yet."""
    monkeypatch.setattr("seatrial.storage.recorder._CLOSING_SECONDS", 0.05)
    add, may_go_on = sqlite.add, threading.Event()

    def slow(*given, **named):
        may_go_on.wait(60)
        add(*given, **named)

    monkeypatch.setattr(sqlite, "add", slow)
    listener = recorder(sqlite)
    hear(listener, started(), scenario_over())
    with pytest.raises(StateError, match="the latest runs are missing: writing takes more than"):
        sqlite.points(KEY, "passed", last=1)
    assert "writing takes more than" in listener.problem
    may_go_on.set()
    until(lambda: "kept again" in caplog.text)
    assert len(sqlite.points(KEY, "passed", last=1)) == 1
    monkeypatch.undo()


def test_says_at_the_end_what_is_not_kept(sqlite, recorder, caplog):
    """With the reason, and without holding up the end of the run for long."""
    listener = recorder(sqlite)
    the_writer(sqlite).execute("PRAGMA query_only = ON")
    hear(listener, *a_run())
    assert f"{len(a_run())} events of this run are not kept" in caplog.text
    assert "readonly" in caplog.text


def test_survives_a_store_that_loses_its_connection(postgres, recorder, tmp_path, caplog):
    """The server goes away and comes back: nothing is missing, nothing is there twice."""
    store = open_store(postgres.emptied(), state=tmp_path)
    listener = recorder(store)
    hear(listener, started(), sample(1.0), scenario_over())
    postgres.stop()
    try:
        hear(listener, sample(2.0), measured(1.0), scenario_over(), first=4)
        until(lambda: "is not kept at the moment" in caplog.text)
    finally:
        postgres.start()
    until(lambda: "kept again" in caplog.text)
    hear(listener, run_over(), first=7)
    assert len(list(store.records("run1"))) == 7
    assert [each.ok for each in store.sample_minutes("run1")] == [2]
    assert postgres.password not in caplog.text
    store.close()


def test_a_connection_cut_between_two_events_is_not_even_noticed(postgres, recorder, tmp_path, caplog):
    """A firewall, or an administrator, that ends idle connections."""
    store = open_store(postgres.emptied(), state=tmp_path)
    listener = recorder(store)
    hear(listener, started(), scenario_over())
    postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'seatrial'")
    hear(listener, scenario_over(), run_over(), first=3)
    assert len(list(store.records("run1"))) == 4
    assert not caplog.text
    store.close()


def test_a_server_that_keeps_silent_is_given_up(postgres, recorder, tmp_path, monkeypatch, caplog):
    """It has taken the connection and never answers: that is said, and nothing is missing when it does again."""
    monkeypatch.setattr("seatrial.storage.postgres._SILENT_SECONDS", 0.3)
    store = open_store(postgres.emptied().replace("connect_timeout=5", "connect_timeout=2"), state=tmp_path)
    listener = recorder(store)
    hear(listener, started(), scenario_over())
    with postgres.standing_still():
        hear(listener, scenario_over(), measured(1.0), first=3)
        until(lambda: "is not kept at the moment" in caplog.text)
    until(lambda: "kept again" in caplog.text)
    hear(listener, run_over(), first=5)
    assert len(list(store.records("run1"))) == 5
    assert len(store.points(KEY, "passed", last=10)) == 2
    store.close()


def test_a_silent_server_does_not_hold_up_the_end(postgres, recorder, tmp_path, monkeypatch, caplog):
    """What isn't kept is said, and neither reading nor closing the store waits for it."""
    monkeypatch.setattr("seatrial.storage.recorder._CLOSING_SECONDS", 0.2)
    monkeypatch.setattr("seatrial.storage.postgres._TURN_SECONDS", 0.1)
    monkeypatch.setattr("seatrial.storage.postgres._CLOSING_SECONDS", 0.1)
    store = open_store(postgres.emptied(), state=tmp_path)
    listener = recorder(store)
    hear(listener, started(), RoundStarted(number=1))
    until(lambda: len(list(store.records("run1"))) == 2)
    with postgres.standing_still():
        hear(listener, scenario_over(), run_over(), first=3)
        assert "2 events of this run are not kept" in caplog.text
        with pytest.raises(StateError, match="has not answered"):
            store.runs()
        store.close()
        until(lambda: not any(each.name == "recorder" for each in threading.enumerate()))


_WRITES_FOR_EVER = """
import itertools, sys
from pathlib import Path
from seatrial.storage.store import open_store
from tests.storage.sample_runs import measured, records, run_record, scenario_over
store = open_store(None, state=Path(sys.argv[1]))
run = run_record()
store.begin(run)
for number in itertools.count(1):
    store.add(run, records(*[measured(1.0)] * 50, scenario_over(), first=number * 100))
    print(number, flush=True)
"""


def test_survives_a_kill_at_any_moment(tmp_path):
    """What was committed is there after SIGKILL, whole, and the file is sound."""
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", _WRITES_FOR_EVER, tmp_path], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        for _ in range(7):
            told = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        told = int([f"{told}", *process.stdout.read().decode().split()][-1])
        process.stdout.close()
        process.wait()
        connection = sqlite3.connect(tmp_path / "runs.sqlite3")
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        ((scenarios,),) = connection.execute("SELECT count(*) FROM scenario_runs").fetchall()
        ((values,),) = connection.execute("SELECT count(*) FROM measurements WHERE name = 'timeToRecover'").fetchall()
        assert values == 50 * scenarios
        assert scenarios >= told
        connection.executescript("DELETE FROM runs; DELETE FROM scenario_runs; DELETE FROM measurements")
        connection.executescript("DELETE FROM events; DELETE FROM series")
        connection.close()


def test_a_run_whose_process_is_gone_has_died(sqlite):
    """At once where the process can be looked for; elsewhere when it has been silent for long."""
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    gone = type(this_process())(
        **{
            **{field: getattr(this_process(), field) for field in ("host", "boot", "namespace")},
            "pid": process.pid,
            "began": 1.0,
        }
    )
    process.wait()
    now = time.time()
    sqlite.begin(run_record("here", process=this_process(), seen=now))
    sqlite.begin(run_record("dead", process=gone, seen=now))
    sqlite.begin(run_record("elsewhere", seen=now))
    sqlite.begin(run_record("silent", seen=now - 300))
    states = {each.id: each.state for each in sqlite.runs()}
    assert states == {
        "here": RunState.RUNNING, "dead": RunState.DIED, "elsewhere": RunState.RUNNING, "silent": RunState.DIED,
    }  # fmt: skip


def test_ends_with_its_run(store, recorder):
    """No thread is left behind, and nothing that comes later is taken in."""
    listener = recorder(store)
    hear(listener, *a_run())
    hear(listener, RoundStarted(number=9), first=50)
    until(lambda: not any(each.name == "recorder" for each in threading.enumerate()))
    assert len(list(store.records("run1"))) == len(a_run())
    assert os.getpid() == store.run("run1").process.pid


def test_reads_the_windows_of_objectives():
    """Those that stand in a policy, with the default where none stands; and of none that it doesn't understand."""
    assert windows_in(_POLICY) == {"Kill half": ("200 runs", "30d")}
    assert windows_in("objectives: [") == {}
    assert windows_in("scenarios: []") == {}
