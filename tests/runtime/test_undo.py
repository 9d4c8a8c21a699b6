import asyncio
import sqlite3
import threading

import pytest

from seatrial.actions.created_objects import DELETE_OBJECT
from seatrial.errors import StateError
from seatrial.runtime.journal import Journal, RunEntry
from seatrial.runtime.run_journal import RunJournal
from seatrial.runtime.undo import Undo, undo_kind, undo_kinds


def undo(name):
    return Undo(kind="deleteObject", args={"name": name}, description=f"delete {name}", manual=f"kubectl delete {name}")


@pytest.fixture
async def journal(tmp_path):
    """A run's journal on disk."""
    file = await Journal.open(tmp_path)
    await file.begin(RunEntry(id="run-1", policy="p", seed="7", server="s"))
    yield RunJournal(file, "run-1")
    await file.close()


def test_kinds_come_in_by_entry_points():
    """Every kind is known by the name that the journal has."""
    assert undo_kind("deleteObject") is DELETE_OBJECT
    assert all(kind.kind == name for name, kind in undo_kinds().items())


def test_an_unknown_kind_says_what_to_install():
    """An undo of a plugin that is gone is an error with a hint, not a KeyError."""
    with pytest.raises(StateError, match="don't know how to undo 'lost'") as caught:
        undo_kind("lost")
    assert "plugin" in caught.value.hint


async def test_an_undo_comes_back_from_the_file_as_it_was_written(journal):
    """Arguments are JSON, and another process gets the very same ones."""
    args = {"body": {"metadata": {"name": "ü", "labels": {}}, "list": [1, None, True]}, "run": "run-1"}
    await journal.write(Undo(kind="k", args=args, description="d", manual="m"))
    [read] = await journal.journal.open_undos("run-1")
    assert read == journal.newer_than(0)[0]
    assert read.undo == Undo(kind="k", args=args, description="d", manual="m")


async def test_an_undo_cancelled_while_it_is_written_is_in_file_and_memory(journal):
    """Cancelled in the middle of writing, the caller learns of it when file and memory agree on the undo."""
    blocked, release = threading.Event(), threading.Event()

    def block():
        blocked.set()
        release.wait(30)
        return 1

    journal.journal._connection.create_function("hold", 0, block)
    journal.journal._connection.execute("CREATE TEMP TRIGGER slow BEFORE INSERT ON undo BEGIN SELECT hold(); END")
    task = asyncio.create_task(journal.write(undo("a")))
    assert await asyncio.to_thread(blocked.wait, 30)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    was_waiting = not task.done()
    release.set()
    assert was_waiting
    with pytest.raises(asyncio.CancelledError):
        await task
    in_file = await journal.journal.open_undos("run-1")
    assert [each.undo.args["name"] for each in in_file] == ["a"]
    assert journal.newer_than(0) == in_file


async def test_an_undo_cancelled_before_it_is_written_and_refused_by_the_disk_is_in_neither(journal):
    """Cancelled, and the disk fails: no undo stands anywhere, and the change must not be made."""
    journal.journal._connection.execute("PRAGMA query_only = ON")
    task = asyncio.create_task(journal.write(undo("a")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises((asyncio.CancelledError, StateError)):
        await task
    with sqlite3.connect(journal.journal.path) as connection:
        assert connection.execute("SELECT count(*) FROM undo").fetchone() == (0,)
    connection.close()
    assert journal.newer_than(0) == []
