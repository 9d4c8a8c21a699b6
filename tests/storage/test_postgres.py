"""A store in PostgreSQL: what is told where it can't be reached, and what is never told."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from seatrial.errors import StateError, UsageError
from seatrial.storage.postgres import shown
from seatrial.storage.store import open_store
from tests.cli.programs import seatrial
from tests.storage.sample_runs import KEY, a_run, records, run_record, scenario_over


def test_a_server_that_is_not_there_is_said(tmp_path, unused_tcp_port):
    """In a line, with the host and without the password."""
    with pytest.raises(StateError) as caught:
        open_store(f"postgresql://me:s3cret@127.0.0.1:{unused_tcp_port}/db", state=tmp_path)
    assert f"127.0.0.1:{unused_tcp_port}/db" in caught.value.message
    assert "refused" in caught.value.message
    assert "s3cret" not in caught.value.in_full
    assert "\n" not in caught.value.message


def test_a_wrong_password_is_said_and_not_shown(postgres, tmp_path):
    """The server's own words."""
    address = postgres.emptied().replace(postgres.password, "s3cret")
    with pytest.raises(StateError, match="password authentication failed") as caught:
        open_store(address, state=tmp_path)
    assert "s3cret" not in caught.value.in_full


def test_an_address_that_cannot_be_read(tmp_path):
    """Is the user's mistake."""
    with pytest.raises(UsageError, match="can't be read") as caught:
        open_store("postgresql://me:s3cret@host/db?nonsense=1", state=tmp_path)
    assert "s3cret" not in caught.value.in_full


def test_without_psycopg_it_says_what_to_install(monkeypatch, tmp_path):
    """The extra is named."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UsageError, match="psycopg") as caught:
        open_store("postgresql://host/db", state=tmp_path)
    assert "seatrial[postgres]" in caught.value.hint


def test_shows_addresses_without_secrets():
    """User, password and parameters are left out."""
    assert shown("postgresql://me:s3cret@db.example:5432/runs?sslpassword=x") == "postgresql://db.example:5432/runs"
    assert shown("postgresql://[::1/x:s3cret@") == "postgresql://(an address that can't be read)"


def test_keeps_its_tables_apart(postgres, tmp_path):
    """In a schema of its own, which somebody may have made for a user who may not."""
    address = postgres.new_database()
    database = address.rpartition("/")[2].partition("?")[0]
    postgres.execute("CREATE TABLE runs (mine TEXT)", database=database)
    postgres.execute("CREATE SCHEMA seatrial", database=database)
    store = open_store(address, state=tmp_path)
    store.begin(run_record())
    store.add(run_record(), records(*a_run()))
    assert postgres.execute("SELECT count(*) FROM public.runs", database=database) == [(0,)]
    assert postgres.execute("SELECT count(*) FROM seatrial.runs", database=database) == [(1,)]
    store.close()


def test_several_begin_at_once(postgres, tmp_path):
    """The tables are made once."""
    address, stores = postgres.emptied(), []
    threads = [threading.Thread(target=lambda: stores.append(open_store(address, state=tmp_path))) for _ in range(5)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    for number, each in enumerate(stores):
        each.begin(run_record(f"run{number}"))
    assert len(stores[0].runs()) == 5
    for each in stores:
        each.close()


async def test_commands_show_neither_user_nor_password(postgres, tmp_path):
    """Not in what they print, not in errors, not in what is kept of the command line."""
    address = postgres.emptied()
    store = open_store(address, state=tmp_path)
    store.begin(run_record())
    store.add(run_record(), records(*a_run()))
    store.close()
    for arguments in (
        ("list",),
        ("show", "run1"),
        ("show", "nobody"),
        ("export", "last"),
        ("prune", "--keep", "0", "-y"),
    ):
        done = await seatrial("runs", *arguments, SEATRIAL_STORE=address)
        assert done.code == (2 if "nobody" in arguments else 0)
        assert postgres.password not in done.output + done.errors
    postgres.execute("DROP SCHEMA seatrial CASCADE", database=address.rpartition("/")[2].partition("?")[0])
    assert "No runs are kept in postgresql://127.0.0.1" in (await seatrial("runs", "list", "--store", address)).output


def test_numbers_of_a_transaction_that_was_lost_are_not_used(postgres, tmp_path):
    """The connection is cut when a series was just made: it is made again, with what belongs to it."""
    store = open_store(postgres.emptied(), state=tmp_path)
    store.begin(run_record())
    database, write = store._database, store._database.write

    def cut_once(work):
        def and_cut(session):
            work(session)
            if cuts:
                postgres.execute(cuts.pop())
            session.rows("SELECT 1")

        return write(and_cut)

    cuts = ["SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'seatrial'"]
    database.write = cut_once
    store.add(run_record(), records(*a_run()))
    assert not cuts
    assert len(store.points(KEY, "passed")) == 1
    store.close()


def test_what_was_restored_from_before_the_run_takes_it_up_again(store, tmp_path):
    """The run is written down anew, and its series with it."""
    run = run_record()
    store.begin(run)
    store.add(run, records(*a_run()))
    for statement in ("DELETE FROM runs", "DELETE FROM series", "DELETE FROM probes"):
        store._database.write(lambda session, statement=statement: session.run(statement))
    store.add(run, records(scenario_over(), first=50))
    assert store.points(KEY, "passed")
    assert store.run("run1").id == "run1"


def test_leaves_a_server_that_only_reads(postgres, tmp_path):
    """After a failover a connection may lead to the one that lost: another one is made."""
    store = open_store(postgres.emptied(), state=tmp_path)
    store.begin(run_record())
    store._database.read(lambda session: session.run("SET default_transaction_read_only TO on"))
    store.add(run_record(), records(*a_run()))
    assert len(store.points(KEY, "passed")) == 1
    store.close()


def test_nobody_else_writes_meanwhile(postgres, tmp_path):
    """Two that tidy at once would count the same samples twice."""
    address = postgres.emptied()
    one, other = (open_store(address, state=tmp_path) for _ in range(2))
    one.begin(run_record("run1"))
    one.begin(run_record("run2"))
    with ThreadPoolExecutor(1) as pool:

        def work(session):
            session.run("UPDATE runs SET seen = 1 WHERE id = ?", "run1")
            beating = pool.submit(other.beat, "run2", 2.0)
            with pytest.raises(TimeoutError):
                beating.result(timeout=0.3)
            return beating

        one._database.write(work).result()
    assert {each.id: each.seen for each in one.runs()} == {"run1": 1.0, "run2": 2.0}
    one.close()
    other.close()
