import asyncio
import json
import os
import socket
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

import psutil
import pytest

from seatrial.errors import StateError
from seatrial.runtime import journal_schema
from seatrial.runtime.journal import Journal, RunEntry
from seatrial.runtime.liveness import Liveness
from seatrial.runtime.process_identity import this_process
from seatrial.runtime.run_journal import RunJournal
from seatrial.runtime.undo import Undo


def entry(run_id="run-1"):
    return RunEntry(id=run_id, policy="p.yml", seed="7", server="https://example:6443", context="c")


def undo(name):
    return Undo(kind="deleteObject", args={"name": name}, description=f"delete {name}", manual=f"kubectl delete {name}")


async def test_an_undo_is_on_disk_when_write_returns(tmp_path):
    """Another process reads the undo from the file as soon as `write` has returned."""
    journal = await Journal.open(tmp_path)
    await journal.begin(entry())
    await journal.write("run-1", undo("a"))
    script = (
        "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT args FROM undo').fetchall()[0][0])"
    )
    done = subprocess.run([sys.executable, "-c", script, str(journal.path)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"name": "a"}
    await journal.close()


async def test_what_a_cancelled_caller_began_is_ended_before_anything_else_begins():
    """A disk that is slow when somebody stops waiting for it mixes no two transactions."""
    journal = Journal.in_memory()
    begun, go_on, done = threading.Event(), threading.Event(), []

    def slowly():
        begun.set()
        go_on.wait(30)
        done.append("first")

    first = asyncio.create_task(journal._call(slowly))
    await asyncio.to_thread(begun.wait, 30)
    first.cancel()
    second = asyncio.create_task(journal._call(lambda: done.append("second")))
    await asyncio.wait({second}, timeout=0.2)
    go_on.set()
    await second
    assert done == ["first", "second"]
    await journal.close()


async def test_an_undo_is_settled_in_the_file_also_where_the_step_is_cancelled(tmp_path):
    """Whoever cancels a step while it takes an undo back waits until the file says so."""
    journal = await Journal.open(tmp_path)
    await journal.begin(entry())
    run = RunJournal(journal, "run-1")
    written = await run.write(undo("a"))
    other = sqlite3.connect(journal.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    settling = asyncio.create_task(run.settle(written))
    await asyncio.sleep(0.1)
    settling.cancel()
    await asyncio.sleep(0.1)
    assert not settling.done()
    other.execute("ROLLBACK")
    other.close()
    with pytest.raises(asyncio.CancelledError):
        await settling
    assert await journal.open_undos("run-1") == []
    await journal.close()


async def test_open_undos_come_last_in_first_out_and_without_the_done_ones(tmp_path):
    """What was seen to work is not asked for again; the rest comes in the reverse order of writing."""
    journal = await Journal.open(tmp_path)
    await journal.begin(entry())
    written = [await journal.write("run-1", undo(name)) for name in "abc"]
    await journal.settle(written[1])
    await journal.settle(written[0], error="refused")
    assert [each.undo.args["name"] for each in await journal.open_undos("run-1")] == ["c", "a"]
    await journal.close()


async def test_a_run_whose_process_lives_is_not_abandoned(tmp_path):
    """This very process is alive, so its run is left alone."""
    journal = await Journal.open(tmp_path)
    await journal.begin(entry())
    await journal.write("run-1", undo("a"))
    [run] = await journal.runs()
    assert run.sighting.liveness is Liveness.ALIVE
    assert str(os.getpid()) in str(run.sighting)
    await journal.close()


async def test_a_run_whose_process_died_with_open_undos_is_abandoned(tmp_path):
    """A process that wrote an undo and was killed with SIGKILL leaves its run for recovery; a finished one doesn't."""
    script = """
import asyncio, os, signal, sys
from pathlib import Path
from seatrial.runtime.journal import Journal, RunEntry
from seatrial.runtime.undo import Undo

async def main():
    journal = await Journal.open(Path(sys.argv[1]))
    for name in ("died", "finished"):
        await journal.begin(RunEntry(id=name, policy="p", seed="1", server="s"))
        written = await journal.write(name, Undo(kind="k", args={}, description="d", manual="m"))
    await journal.settle(written)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""
    died = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert died.returncode == -9
    journal = await Journal.open(tmp_path)
    assert [(run.entry.id, run.sighting.is_dead, run.open_undos) for run in await journal.runs()] == [
        ("finished", True, 0),
        ("died", True, 1),
    ]
    await journal.close()


async def test_a_full_disk_is_said_and_what_was_written_before_is_still_undone(tmp_path):
    """SQLite's own "disk is full" becomes a StateError; undos written before stay known for clean-up."""
    journal = await Journal.open(tmp_path)
    await journal.begin(entry())
    mine = RunJournal(journal, "run-1")
    await mine.write(undo("a"))
    journal._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    journal._connection.execute("PRAGMA max_page_count = 1")
    with pytest.raises(StateError, match="disk is full"):
        await mine.write(undo("x" * 100_000))
    assert mine.newer_than(0)[-1].undo.args["name"] == "a"
    await journal.close()


async def test_a_failed_undo_is_remembered_once(tmp_path):
    """A failed undo makes the run's clean-up incomplete and isn't tried again in the same run."""
    journal = await Journal.open(tmp_path)
    await journal.begin(entry())
    mine = RunJournal(journal, "run-1")
    await mine.write(undo("a"))
    await mine.settle(mine.newer_than(0)[0], error="refused")
    assert mine.failures == ["delete a: refused"]
    assert mine.newer_than(0) == []
    assert [each.undo.args["name"] for each in await journal.open_undos("run-1")] == ["a"]
    await journal.close()


async def test_marks_tell_a_scenarios_undos_from_those_before(tmp_path):
    """Only what was written since the mark is undone at a scenario's end."""
    journal = await Journal.open(tmp_path)
    await journal.begin(entry())
    mine = RunJournal(journal, "run-1")
    await mine.write(undo("a"))
    mark = mine.mark
    await mine.write(undo("b"))
    await mine.write(undo("c"))
    assert [each.undo.args["name"] for each in mine.newer_than(mark)] == ["c", "b"]
    await journal.close()


async def test_what_is_settled_meanwhile_moves_no_mark(tmp_path):
    """An undo before the mark that is done leaves those after it where they are."""
    journal = await Journal.open(tmp_path)
    await journal.begin(entry())
    mine = RunJournal(journal, "run-1")
    first = await mine.write(undo("a"))
    mark = mine.mark
    await mine.write(undo("b"))
    await mine.settle(first)
    assert [each.undo.args["name"] for each in mine.newer_than(mark)] == ["b"]
    await journal.close()


async def test_what_failed_may_be_opened_again(tmp_path):
    """For another try: in its old place among the open ones, and no failure any more."""
    journal = await Journal.open(tmp_path)
    await journal.begin(entry())
    mine = RunJournal(journal, "run-1")
    written = [await mine.write(undo(name)) for name in "abc"]
    await mine.settle(written[1], error="refused")
    assert mine.failed == [written[1]]
    mine.open_again(mine.failed)
    assert (mine.newer_than(0), mine.failed, mine.failures) == (written[::-1], [], [])
    await journal.close()


async def test_somebody_is_there_before_an_undo_is_written(tmp_path):
    """And so before anything is changed."""
    journal = await Journal.open(tmp_path)
    await journal.begin(entry())
    mine = RunJournal(journal, "run-1")
    found = []

    async def guard():
        found.append(await journal.open_undos("run-1"))

    mine.guard = guard
    await mine.write(undo("a"))
    assert found == [[]]
    await journal.close()


async def test_a_run_that_is_kept_says_so(tmp_path):
    """Its undos stay open, and whoever reads the journal knows that they are meant to."""
    journal = await Journal.open(tmp_path)
    for name in ("kept", "left"):
        await journal.begin(entry(name))
        await journal.write(name, undo(name))
    await journal.keep("kept")
    assert {run.entry.id: (run.kept, run.open_undos) for run in await journal.runs()} == {
        "kept": (True, 1),
        "left": (False, 1),
    }
    await journal.close()


async def test_a_journal_of_a_later_version_is_left_alone(tmp_path):
    """A file with a later schema is refused with a hint instead of being misread."""
    journal = await Journal.open(tmp_path)
    await journal.close()
    with sqlite3.connect(tmp_path / "journal.sqlite3") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StateError, match="later version"):
        await Journal.open(tmp_path)


async def test_a_broken_file_is_said(tmp_path):
    """A file that is no database is a StateError with its path, not a traceback."""
    (tmp_path / "journal.sqlite3").write_bytes(b"not a database at all, " * 100)
    with pytest.raises(StateError, match=r"journal\.sqlite3"):
        await Journal.open(tmp_path)


async def test_two_processes_share_a_journal(tmp_path):
    """Two journals on one file write in turn and see each other's runs."""
    one, two = await Journal.open(tmp_path), await Journal.open(tmp_path)
    await one.begin(entry("one"))
    await two.begin(entry("two"))
    await asyncio.gather(*(journal.write(name, undo(name)) for journal, name in ((one, "one"), (two, "two"))))
    assert len(await one.open_undos("two")) == 1
    await one.close()
    await two.close()


async def test_only_this_user_reads_the_journal(tmp_path):
    """The file's mode is 0600: it may hold objects with what others should not read."""
    journal = await Journal.open(tmp_path)
    assert os.stat(journal.path).st_mode & 0o777 == 0o600  # noqa: PTH116 -- in a coroutine, and quick
    await journal.close()


async def test_what_is_done_keeps_no_arguments(tmp_path):
    """An undo may hold what a Secret held: once it is done, only its description is left in the file."""
    journal = await Journal.open(tmp_path)
    await journal.begin(entry())
    await journal.settle(await journal.write("run-1", undo("a")))
    rows = journal._connection.execute("SELECT args, description FROM undo").fetchall()
    assert rows == [("{}", "delete a")]
    await journal.close()


async def test_what_ended_long_ago_is_dropped(tmp_path):
    """The file doesn't grow for ever: a month after a run ended, the next run's beginning drops it; open undos stay."""
    journal = await Journal.open(tmp_path)
    for name in ("clean", "left", "recent"):
        await journal.begin(entry(name))
        written = await journal.write(name, undo(name))
        await journal.settle(written, error="refused" if name == "left" else "")
        await journal.finish(name, "passed")
    with journal._connection as connection:
        connection.execute("UPDATE run SET finished = '2001-01-01T00:00:00' WHERE id <> 'recent'")
        connection.execute("UPDATE undo SET written = '2001-01-01T00:00:00' WHERE run_id <> 'recent'")
    await journal.begin(entry("another"))
    rows = journal._connection.execute("SELECT id FROM run ORDER BY id").fetchall()
    assert rows == [("another",), ("left",), ("recent",)]
    await journal.close()


async def test_a_run_that_goes_on_for_ever_drops_what_was_done_long_ago(tmp_path):
    """One of its heartbeats in a while clears the file; what is open, and the run itself, stays."""
    journal = await Journal.open(tmp_path)
    await journal.begin(entry("endless"))
    for error in ("", "refused"):
        await journal.settle(await journal.write("endless", undo("a")), error=error)
    with journal._connection as connection:
        connection.execute("UPDATE undo SET written = '2001-01-01T00:00:00'")
    await journal.beat()
    assert journal._connection.execute("SELECT count(*) FROM undo").fetchone() == (2,)
    for _ in range(500):
        await journal.beat()
    assert journal._connection.execute("SELECT state FROM undo").fetchall() == [("failed",)]
    assert journal._connection.execute("SELECT id FROM run").fetchall() == [("endless",)]
    await journal.close()


async def test_the_number_of_an_undo_is_never_given_again(tmp_path):
    """A run that changes something once a month tells by numbers what came later, also when all else was dropped."""
    journal = await Journal.open(tmp_path)
    await journal.begin(entry("endless"))
    for _ in range(3):
        written = await journal.write("endless", undo("a"))
        await journal.settle(written)
    with journal._connection as connection:
        connection.execute("UPDATE undo SET written = '2001-01-01T00:00:00'")
    await journal.begin(entry("another"))
    assert journal._connection.execute("SELECT id FROM undo").fetchall() == [(written.id,)]
    assert (await journal.write("endless", undo("b"))).id > written.id
    await journal.close()


async def test_forgotten_undos_are_open_no_more(tmp_path):
    """Of a cluster that is gone nothing is asked any more; other runs keep theirs."""
    journal = await Journal.open(tmp_path)
    for name in ("gone", "here"):
        await journal.begin(entry(name))
        await journal.write(name, undo(name))
    await journal.forget("gone")
    assert [await journal.open_undos(name) for name in ("gone",)] == [[]]
    assert len(await journal.open_undos("here")) == 1
    await journal.close()


async def test_a_beat_is_written_for_the_runs_of_this_process_alone(tmp_path):
    """Runs that ended and runs of other processes keep their last heartbeat."""
    journal = await Journal.open(tmp_path)
    for name in ("mine", "ended", "theirs"):
        await journal.begin(entry(name))
    await journal.finish("ended", "passed")
    with journal._connection as connection:
        connection.execute("UPDATE run SET heartbeat = 'long ago'")
        connection.execute("UPDATE run SET pid_started = pid_started - 60 WHERE id = 'theirs'")
    await journal.beat()
    beats = dict(journal._connection.execute("SELECT id, heartbeat <> 'long ago' FROM run").fetchall())
    assert beats == {"mine": 1, "ended": 0, "theirs": 0}
    await journal.close()


async def test_a_journal_of_version_1_is_taken_over(tmp_path):
    """Its runs and open undos are there, a process of that version may go on writing, and nothing is done twice."""
    with sqlite3.connect(tmp_path / "journal.sqlite3") as connection:
        for statement in journal_schema._TABLES_1.split(";"):
            connection.execute(statement)
        connection.execute("PRAGMA user_version = 1")
        began = psutil.Process().create_time()
        for name, host, when in (
            ("lives", socket.gethostname(), began),
            ("died", socket.gethostname(), began - 3600),
            ("elsewhere", "another", began),
        ):
            connection.execute(
                "INSERT INTO run (id, started, host, pid, pid_started, policy, seed, server, kubeconfig, context)"
                " VALUES (?, '2030', ?, ?, ?, 'p', '1', 's', '', '')",
                (name, host, os.getpid(), when),
            )
            connection.execute(
                "INSERT INTO undo (run_id, written, kind, args, description, manual)"
                " VALUES (?, '2030', 'k', ?, 'd', 'm')",
                (name, json.dumps({"name": name})),
            )
    journal = await Journal.open(tmp_path)
    found = {run.entry.id: run.sighting.liveness for run in await journal.runs()}
    assert found == {"lives": Liveness.ALIVE, "died": Liveness.DEAD, "elsewhere": Liveness.UNSEEN}
    assert [each.undo.args for each in await journal.open_undos("died")] == [{"name": "died"}]
    connection.execute(
        "INSERT INTO run (id, started, host, pid, pid_started, policy, seed, server, kubeconfig, context)"
        " VALUES ('later', '2030', 'h', 1, 1, 'p', '1', 's', '', '')"
    )
    connection.commit()
    connection.close()
    await journal.close()
    again = await Journal.open(tmp_path)
    assert len(await again.runs()) == 4
    await again.close()


async def test_a_journal_of_version_2_is_taken_over(tmp_path):
    """Nothing in it was kept; a process of that version that still runs goes on writing to it."""
    me = this_process()
    begin = (
        "INSERT INTO run (id, started, host, boot, pid_namespace, pid, pid_started, policy, seed, server, kubeconfig,"
        " context) VALUES (?, '2030', ?, ?, ?, ?, ?, 'p', '1', 's', '', '')"
    )
    process = (me.host, me.boot, me.namespace, me.pid, me.began)
    with closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as connection:
        for statement in (journal_schema._TABLES_1 + journal_schema._FROM_1_TO_2).split(";"):
            connection.execute(statement)
        connection.execute("PRAGMA user_version = 2")
        connection.execute(begin, ("before", *process))
        connection.execute(
            "INSERT INTO undo (run_id, written, kind, args, description, manual)"
            " VALUES ('before', '2030', 'k', '{}', 'd', 'm')"
        )
        connection.commit()
        journal = await Journal.open(tmp_path)
        connection.execute(begin, ("after", *process))
        connection.commit()
    found = {run.entry.id: (run.kept, run.open_undos, run.sighting.liveness) for run in await journal.runs()}
    assert found == {"before": (False, 1, Liveness.ALIVE), "after": (False, 0, Liveness.ALIVE)}
    await journal.keep("before")
    await journal.close()
    again = await Journal.open(tmp_path)
    assert {run.entry.id: run.kept for run in await again.runs()} == {"before": True, "after": False}
    await again.close()


async def test_another_users_journal_is_refused(tmp_path, monkeypatch):
    """What stands in it is carried out: a file that somebody else owns is neither read nor written."""
    await (await Journal.open(tmp_path)).close()
    monkeypatch.setattr("os.geteuid", lambda: 4242)
    with pytest.raises(StateError, match="another user"):
        await Journal.open(tmp_path)


# Claims


async def test_a_claim_of_a_process_that_lives_holds(tmp_path):
    """Of two recoveries at once one gets the run; when it is given back, the other may."""
    one, two = await Journal.open(tmp_path), await Journal.open(tmp_path)
    await one.begin(entry())
    assert await one.claim("run-1")
    assert not await two.claim("run-1")
    await one.release("run-1")
    assert await two.claim("run-1")
    await one.close()
    await two.close()


async def test_a_claim_of_a_process_that_died_is_taken_over(tmp_path):
    """Also the clean-up of a clean-up that was killed is finished."""
    journal = await Journal.open(tmp_path)
    await journal.begin(entry())
    assert await journal.claim("run-1")
    with journal._connection as connection:
        connection.execute("UPDATE claim SET pid_started = pid_started - 60")
    assert await journal.claim("run-1")
    await journal.close()


async def test_of_many_claims_at_once_one_is_granted(tmp_path):
    """The decision is one transaction."""
    journals = [await Journal.open(tmp_path) for _ in range(6)]
    await journals[0].begin(entry())
    granted = await asyncio.gather(*(journal.claim("run-1") for journal in journals))
    assert sorted(granted) == [False] * 5 + [True]
    for journal in journals:
        await journal.close()
