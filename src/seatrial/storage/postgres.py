"""A store's database in PostgreSQL, which several Seatrials share: in a schema of its own, `seatrial`.

One connection, which is made anew when it is lost, or leads to a server that only reads (after a failover): what was
being done is tried once more on the new one, since nothing that the store writes does harm when it is written twice. A
server that keeps silent is given up: libpq would wait for ever. Who writes has a lock that all Seatrials share, so that
what one drops or condenses is not changed by another meanwhile.

How long to wait for a connection, TLS and the like are said in the address (`?sslmode=verify-full&connect_timeout=3`),
whose password is never shown.
"""

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlsplit

from seatrial.errors import StateError, UsageError
from seatrial.storage import schema
from seatrial.storage.database import Dialect, NewerStoreError, Session

if TYPE_CHECKING:
    import psycopg

T = TypeVar("T")

_SCHEMA = "seatrial"
_WRITING = 0x5EA7_21A1  # an advisory lock's key
_CONNECT_SECONDS = "5"
_STATEMENT_MS = 20_000
_SILENT_SECONDS = 25.0  # a transaction takes no longer: of what waits, so much is written at a time
_TURN_SECONDS = 10.0
_CLOSING_SECONDS = 1.0
_DIALECT = Dialect(
    identity="BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    double="DOUBLE PRECISION",
    whole="BIGINT",
    blob="BYTEA",
    clustered="",
)


class _PostgresSession:
    """A transaction of a connection."""

    def __init__(self, cursor: "psycopg.Cursor[Any]") -> None:
        self._cursor = cursor

    def run(self, statement: str, *values: Any) -> int:
        return self._cursor.execute(_own(statement), values).rowcount

    def run_many(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        self._cursor.executemany(_own(statement), rows)

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._cursor.execute(_own(statement), values).fetchall()


class PostgresDatabase:
    """See `database.Database`."""

    def __init__(self, address: str) -> None:
        self._address = address
        self.place = shown(address)
        self.largest_bytes = None
        self._turn = threading.Lock()
        self._connection: psycopg.Connection[Any] | None = None
        self._is_closed = False

    @classmethod
    def open(cls, address: str) -> Self:
        """Connect, and bring the tables up to date.

        Raises:
            UsageError: psycopg isn't installed, or the address can't be read.
            StateError: the server can't be reached or refuses, or the tables are of a later version.
        """
        try:
            import psycopg  # noqa: F401, PLC0415 -- an extra, and many runs don't need it
        except ImportError as error:
            raise UsageError(
                "a store in PostgreSQL needs psycopg, which isn't installed",
                hint="pip install 'seatrial[postgres]'",
            ) from error
        database = cls(address)
        try:
            database.write(lambda session: _migrate(session, database.place), doing="open")
        except BaseException:
            database.close()
            raise
        return database

    def write(self, work: Callable[[Session], T], *, doing: str = "write") -> T:
        """See `database.Database`; `doing` is what an error says that couldn't be done."""

        def alone(session: Session) -> T:
            session.rows("SELECT pg_advisory_xact_lock(?)", _WRITING)
            return work(session)

        return self._carry_out(doing, alone)

    def read(self, work: Callable[[Session], T]) -> T:
        """See `database.Database`."""
        return self._carry_out("read", work)

    def size_bytes(self) -> int:
        """See `database.Database`."""

        def look(session: Session) -> int:
            # What is deleted stays in a table's file until it is used again: what is live counts.
            ((size,),) = session.rows(
                "SELECT coalesce(sum(pg_total_relation_size(relid)::float8"
                " * (n_live_tup + 1) / (n_live_tup + n_dead_tup + 1)), 0)"
                " FROM pg_stat_user_tables WHERE schemaname = ?",
                _SCHEMA,
            )
            return int(size)

        return self.read(look)

    def shrink(self) -> bool:
        """Room that is free is used again: PostgreSQL vacuums by itself."""
        return False

    def close(self) -> None:
        """See `database.Database`."""
        self._is_closed = True
        if not self._turn.acquire(timeout=_CLOSING_SECONDS):
            if self._connection is not None:
                _cut(self._connection)  # whoever waits for an answer there lets go of it
            return
        try:
            self._drop()
        finally:
            self._turn.release()

    @contextmanager
    def _having_turn(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=_TURN_SECONDS):
            raise StateError(f"the store {self.place} has not answered for {_TURN_SECONDS:g} s", hint=_HINT_SERVER)
        try:
            yield
        finally:
            self._turn.release()

    def _carry_out(self, doing: str, work: Callable[[Session], T]) -> T:
        import psycopg  # noqa: PLC0415 -- an extra

        with self._having_turn(), self._guarded(doing):
            is_fresh = self._connection is None
            try:
                return self._once(work)
            except (psycopg.OperationalError, psycopg.InternalError) as error:
                is_read_only = isinstance(error, psycopg.errors.ReadOnlySqlTransaction)
                was_lost = is_read_only or self._connection is None or self._connection.closed
                self._drop()
                if is_fresh or not was_lost:
                    raise
            return self._once(work)

    def _once(self, work: Callable[[Session], T]) -> T:
        if self._is_closed:
            raise StateError(f"the store {self.place} is closed")
        if self._connection is None:
            self._connection = self._connect()
        with _patient(self._connection), self._connection.transaction(), self._connection.cursor() as cursor:
            return work(_PostgresSession(cursor))

    def _connect(self) -> "psycopg.Connection[Any]":
        import psycopg  # noqa: PLC0415 -- an extra
        from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 -- likewise

        given: Mapping[str, Any] = conninfo_to_dict(self._address)
        defaults = {
            "connect_timeout": _CONNECT_SECONDS,
            "application_name": "seatrial",
            # A server that vanished without a word is noticed, though nothing is sent to it.
            "keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3", "tcp_user_timeout": "20000",
        }  # fmt: skip
        connection = psycopg.connect(**{**defaults, **given}, autocommit=True)
        with _patient(connection):
            connection.execute(f"SET search_path TO {_SCHEMA}")
            connection.execute(f"SET statement_timeout TO {_STATEMENT_MS}")
            # A laptop that falls asleep while it writes lets the others go on.
            connection.execute(f"SET idle_in_transaction_session_timeout TO {_STATEMENT_MS}")
        return connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):  # what it is closed for is told already
                connection.close()

    @contextmanager
    def _guarded(self, doing: str) -> Iterator[None]:
        import psycopg  # noqa: PLC0415 -- an extra

        try:
            yield
        except psycopg.ProgrammingError as error:
            if self._connection is None:
                raise UsageError(f"the store's address can't be read: {self.place}", hint=_HINT) from error
            raise self._error(doing, error) from error
        except psycopg.Error as error:
            raise self._error(doing, error) from error

    def _error(self, doing: str, error: Exception) -> StateError:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        why = (lines[0] if lines else type(error).__name__).replace(self._address, self.place)
        return StateError(f"can't {doing} the store {self.place}: {why}", hint=_HINT_SERVER)


_HINT = "postgresql://USER@HOST/DATABASE?sslmode=verify-full"
_HINT_SERVER = "look at the server, and at what its user may do; --store names another one"


def shown(address: str) -> str:
    """An address as it may be shown: where it is, without user, password and parameters, which may hold one."""
    try:
        parts = urlsplit(address)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    except ValueError:
        return "postgresql://(an address that can't be read)"


@contextmanager
def _patient(connection: "psycopg.Connection[Any]") -> Iterator[None]:
    """Cut a connection on which the block's work doesn't come to an end: it fails then."""
    cutting = threading.Timer(_SILENT_SECONDS, _cut, args=(connection,))
    cutting.daemon = True
    cutting.start()
    try:
        yield
    finally:
        cutting.cancel()


def _cut(connection: "psycopg.Connection[Any]") -> None:
    """End what a connection stands on, from another thread than the one that waits for it."""
    import psycopg  # noqa: PLC0415 -- an extra

    with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


@cache
def _own(statement: str) -> str:
    """A statement with psycopg's placeholders."""
    return statement.replace("%", "%%").replace("?", "%s")


def _migrate(session: Session, place: str) -> None:
    """Bring the tables up to date."""
    # Somebody who may not make a schema may have been given one.
    if not session.rows("SELECT 1 FROM pg_namespace WHERE nspname = ?", _SCHEMA):
        session.run(f"CREATE SCHEMA {_SCHEMA}")
    session.run("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
    rows = session.rows("SELECT version FROM schema_version")
    version = rows[0][0] if rows else 0
    if version > len(schema.MIGRATIONS):
        raise NewerStoreError(place)
    if version == len(schema.MIGRATIONS):
        return
    for statements in schema.migrations_from(version, _DIALECT):
        for statement in statements:
            session.run(statement)
    session.run("DELETE FROM schema_version")
    session.run("INSERT INTO schema_version VALUES (?)", len(schema.MIGRATIONS))
