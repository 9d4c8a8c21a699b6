import asyncio
import json
import os
import sqlite3
import subprocess
import sys

import pytest

from seatrial.errors import StateError
from seatrial.runtime.journal import Journal, RunEntry, RunJournal
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
    assert await journal.abandoned_runs() == []
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
    assert [run.id for run in await journal.abandoned_runs()] == ["died"]
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
