"""A store in a file: whose it is, which version, and what is told where it can't be opened."""

import os
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from seatrial.errors import StateError, UsageError
from seatrial.storage import schema
from seatrial.storage.database import NewerStoreError
from seatrial.storage.records import Gap
from seatrial.storage.schema import MIGRATIONS
from seatrial.storage.store import open_store, store_for_run
from tests.storage.sample_runs import BEGIN, KEY, a_run, records, run_record, scenario_over


def test_is_for_its_owner_alone(tmp_path):
    """Names of pods, machines and policies are nobody else's business; a file that was open to others is closed."""
    open_store(None, state=tmp_path).close()
    file = tmp_path / "runs.sqlite3"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    open_store(None, state=tmp_path).close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_refuses_the_file_of_another_user(tmp_path):
    """What stands there would be believed."""
    open_store(None, state=tmp_path).close()
    os.chown(tmp_path / "runs.sqlite3", 12345, 12345)
    with pytest.raises(StateError, match="belongs to another user"):
        open_store(None, state=tmp_path)


def test_refuses_a_later_version(tmp_path):
    """With a hint; a run stops, too, since it would be lost to the version that the person uses otherwise."""
    connection = sqlite3.connect(tmp_path / "runs.sqlite3")
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    for opening in (open_store, store_for_run):
        with pytest.raises(NewerStoreError, match="later version") as caught:
            opening(None, state=tmp_path)
        assert "--store" in caught.value.hint


def test_an_earlier_version_becomes_this_one(address, tmp_path, monkeypatch):
    """Migration by migration, with all that it holds."""
    store = open_store(address, state=tmp_path)
    store.begin(run_record())
    store.add(run_record(), records(*a_run()))
    store.close()
    later = (*MIGRATIONS, "CREATE TABLE more (id {identity}, at {double}); CREATE INDEX more_at ON more (at)")
    monkeypatch.setattr(schema, "MIGRATIONS", later)
    for _ in range(2):
        store = open_store(address, state=tmp_path)
        assert store._database.read(lambda session: session.rows("SELECT count(*) FROM more")) == [(0,)]
        assert len(store.points(KEY, "passed")) == 1
        store.close()
    monkeypatch.undo()
    with pytest.raises(NewerStoreError):
        open_store(address, state=tmp_path)


def test_what_the_first_version_kept_is_all_there(address, tmp_path, monkeypatch):
    """Runs, their events and their series, judged and added to as if this version had kept them."""
    monkeypatch.setattr(schema, "MIGRATIONS", MIGRATIONS[:1])
    store = open_store(address, state=tmp_path)
    store.begin(run_record())
    store.add(run_record(), records(*a_run()))
    store.close()
    monkeypatch.undo()
    store = open_store(address, state=tmp_path)
    assert len(list(store.records("run1"))) == len(a_run())
    assert (store.run("run1").rounds, store.run("run1").lost) == (1, 0)
    gap = Gap(scenario="Kill half", digest="d1", sequence=50, at=BEGIN.timestamp() + 60, figures=3, samples=0)
    for _ in range(2):
        store.add(run_record(lost=3), records(scenario_over(), first=51), gaps=[gap])
    assert len(store.points(KEY, "passed")) == 2
    assert store.run("run1").lost == 3
    with pytest.raises(StateError, match="3 events are missing"):
        store.points(KEY, "passed", last=10)
    store.close()


def test_a_migration_that_fails_changes_nothing(address, tmp_path, monkeypatch):
    """Each is a transaction."""
    open_store(address, state=tmp_path).close()
    monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, "CREATE TABLE more (id {identity}); SELECT nonsense"))
    with pytest.raises(StateError, match="nonsense"):
        open_store(address, state=tmp_path)
    monkeypatch.undo()
    store = open_store(address, state=tmp_path)
    with pytest.raises(StateError, match="more"):
        store._database.read(lambda session: session.rows("SELECT * FROM more"))
    store.close()


def test_what_is_no_database_is_said(tmp_path):
    """As it is, with a hint; and nothing is overwritten."""
    file = tmp_path / "notes.txt"
    file.write_text("my notes, which are longer than a database's header has room for: " * 20)
    with pytest.raises(StateError, match="file is not a database") as caught:
        open_store(f"sqlite://{file}", state=tmp_path)
    assert "--store" in caught.value.hint
    assert file.read_text().startswith("my notes")


def test_a_run_goes_on_where_its_own_file_cannot_be_opened(tmp_path, caplog):
    """It is said, and kept in memory for as long as the run lasts; where a store was named, that is an error."""
    (tmp_path / "runs.sqlite3").mkdir()
    store = store_for_run(None, state=tmp_path)
    assert "this run is not kept" in caplog.text
    assert store.place == "memory"
    store.close()
    with pytest.raises(StateError):
        store_for_run(f"sqlite://{tmp_path / 'runs.sqlite3'}", state=tmp_path)


def test_memory_works_for_a_run_alone(tmp_path):
    """With `none`, objectives are judged on what happens in this run, and nothing is left of it."""
    store = open_store("none", state=tmp_path)
    store.begin(run_record())
    store.add(run_record(), records(*a_run()))
    assert len(store.points(KEY, "timeToRecover")) == 2
    store.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("address", ["mysql://u:secret@h/db", "secret-without-colon", "sqlite:///", "sqlite:relative"])
def test_addresses_that_are_none(address, tmp_path):
    """Are refused with the ones that there are, and without what may be a password."""
    with pytest.raises(UsageError) as caught:
        open_store(address, state=tmp_path)
    assert "secret@" not in caught.value.in_full
    assert "postgresql://" in caught.value.hint


def test_a_locked_file_is_said(tmp_path):
    """Who holds it too long keeps others from writing."""
    store = open_store(None, state=tmp_path)
    store._database._writer.execute("PRAGMA busy_timeout = 10").fetchall()
    other = sqlite3.connect(tmp_path / "runs.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StateError, match="database is locked"):
        store.begin(run_record())
    assert store.runs() == []  # reading needs no lock
    other.execute("ROLLBACK")
    other.close()
    store.begin(run_record())
    store.close()


def test_several_begin_at_once(tmp_path):
    """The tables are made once, and whoever comes second waits for that."""
    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(lambda _: open_store(None, state=tmp_path), range(8)))
    for number, each in enumerate(stores):
        each.begin(run_record(f"run{number}"))
    assert len(stores[0].runs()) == 8
    for each in stores:
        each.close()


def test_a_file_that_is_taken_away_is_begun_anew(sqlite, tmp_path, caplog):
    """What comes after that is kept where people look for it, and belongs to its run and series."""
    run, happened = run_record(), records(*a_run())
    sqlite.begin(run)
    sqlite.add(run, happened[:3])
    assert len(list(sqlite.records("run1"))) == 3
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for each in tmp_path.glob("runs.sqlite3*"):
        each.rename(elsewhere / each.name)
    sqlite.add(run, happened[3:])
    found = open_store(None, state=tmp_path)
    assert len(list(found.records("run1"))) == len(happened) - 3
    assert len(found.points(KEY, "passed")) == len(sqlite.points(KEY, "passed")) == 1
    found.close()
    assert caplog.text.count("begun anew") == 1
    assert stat.S_IMODE((tmp_path / "runs.sqlite3").stat().st_mode) == 0o600


def test_a_file_that_is_deleted_alone_is_begun_anew(sqlite, tmp_path):
    """What SQLite keeps beside it belongs to the one that is gone."""
    run, happened = run_record(), records(*a_run())
    sqlite.begin(run)
    sqlite.add(run, happened[:3])
    assert sqlite.runs()
    (tmp_path / "runs.sqlite3").unlink()
    sqlite.add(run, happened[3:])
    assert [each.sequence for each in sqlite.records("run1")] == [each.sequence for each in happened[3:]]
    sqlite.close()
    connection = sqlite3.connect(tmp_path / "runs.sqlite3")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("SELECT count(*) FROM events").fetchall() == [(len(happened) - 3,)]
    connection.close()


def test_a_directory_that_is_taken_away_is_waited_for(tmp_path):
    """Nothing can be kept, which is said; until it is there again."""
    state = tmp_path / "state"
    state.mkdir()
    store = open_store(None, state=state)
    store.begin(run_record())
    state.rename(tmp_path / "gone")
    with pytest.raises(StateError, match="can't open the store"):
        store.add(run_record(), records(*a_run()))
    state.mkdir()
    store.add(run_record(), records(*a_run()))
    assert len(store.points(KEY, "passed")) == 1
    store.close()


def test_a_file_that_is_broken_is_said(tmp_path):
    """With what can be done about it."""
    store = open_store(None, state=tmp_path)
    store.begin(run_record())
    store.close()
    file = tmp_path / "runs.sqlite3"
    content = file.read_bytes()
    file.write_bytes(content[:4096] + b"x" * (len(content) - 4096))
    with pytest.raises(StateError, match="malformed") as caught:
        open_store(None, state=tmp_path).begin(run_record())
    assert "move it away" in caught.value.hint
