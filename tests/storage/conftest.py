"""Stores of both kinds."""

import pytest

from seatrial.storage.store import open_store
from tests import postgres_servers


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server."""
    try:
        with postgres_servers.running() as server:
            yield server
    except postgres_servers.NoServerError as error:
        pytest.skip(str(error))


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request, tmp_path):
    """The address of an empty store: of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite://{tmp_path / 'runs.sqlite3'}"
    return request.getfixturevalue("postgres").emptied()


@pytest.fixture
def store(address, tmp_path):
    """An empty store: of each kind in turn."""
    store = open_store(address, state=tmp_path)
    yield store
    store.close()


@pytest.fixture
def sqlite(tmp_path):
    """An empty store in a file."""
    store = open_store(None, state=tmp_path)
    yield store
    store.close()
