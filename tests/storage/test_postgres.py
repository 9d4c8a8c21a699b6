"""A store in PostgreSQL: what is told where it can't be reached, and what is never told."""

import sys
import threading

import pytest

from seatrial.errors import StateError, UsageError
from seatrial.storage.postgres import shown
from seatrial.storage.store import open_store
from tests.cli.programs import seatrial
from tests.storage.sample_runs import a_run, records, run_record


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
