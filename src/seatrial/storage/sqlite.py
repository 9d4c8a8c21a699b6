"""A store's database in one SQLite file.

A write-ahead log, so that reading and writing go on side by side, by several processes; `synchronous=NORMAL`: what was
committed survives the death of the process, and a power cut takes at most the last moments, never the file. (The
journal of what has to be undone waits for the disk; this doesn't have to.)

A file that was moved away or deleted while in use would take all that is written, where nobody would look for it:
before each transaction it is looked at, and where it is another one, that one is opened.
"""

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

from seatrial.errors import StateError
from seatrial.storage import schema
from seatrial.storage.database import Dialect, NewerStoreError, Session

T = TypeVar("T")

_log = logging.getLogger(__name__)
_BUSY_SECONDS = 3.0
_PAGES_A_BITE = 500
_MEMORY = ":memory:"
_MEMORY_BYTES = 64 << 20  # a run may last for weeks
_DIALECT = Dialect(
    identity="INTEGER PRIMARY KEY", double="REAL", whole="INTEGER", blob="BLOB", clustered=" WITHOUT ROWID"
)
_HINT = "free some space, or choose another one with --store"
_HINT_PLACE = "see that its directory is there and may be written, or choose another one with --store"
_HINT_BROKEN = "move it away, and another one is begun; or choose another one with --store"


class _SqliteSession:
    """A transaction of a connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def run(self, statement: str, *values: Any) -> int:
        return self._connection.execute(statement, values).rowcount

    def run_many(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        self._connection.executemany(statement, rows)

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, values).fetchall()


class SqliteDatabase:
    """See `database.Database`. A file is read by a connection of its own, which writing never keeps waiting."""

    def __init__(self, file: str) -> None:
        self.place = "memory" if file == _MEMORY else file
        self.largest_bytes = _MEMORY_BYTES if file == _MEMORY else None
        self._file = file
        self._writing = threading.Lock()
        self._reading = threading.Lock()
        with self._guarded("open"):
            self._writer = _opened(file)
        self._reader: sqlite3.Connection | None = None
        self._identity = _identity_of(file)
        if file == _MEMORY:
            self._reader, self._reading = self._writer, self._writing

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a file, made if it isn't there, for this user alone.

        Raises:
            StateError: it can't be read or written, is another user's, or of a later version.
        """
        _make_own(path)
        return cls(str(path))

    @classmethod
    def in_memory(cls) -> Self:
        """One that outlives nothing."""
        return cls(_MEMORY)

    def write(self, work: Callable[[Session], T]) -> T:
        """See `database.Database`."""
        with self._guarded("write"), self._writing:
            self._follow()
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                result = work(_SqliteSession(self._writer))
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:  # a full disk rolls back by itself
                    self._writer.execute("ROLLBACK")
                raise
            return result

    def read(self, work: Callable[[Session], T]) -> T:
        """See `database.Database`."""
        with self._guarded("read"), self._reading:
            if self._reader is None:
                self._reader = _connect(self._file)
            if self._reader.in_transaction:
                return work(_SqliteSession(self._reader))
            self._reader.execute("BEGIN")
            try:
                return work(_SqliteSession(self._reader))
            finally:
                self._reader.execute("COMMIT")

    def size_bytes(self) -> int:
        """See `database.Database`."""

        def look(session: Session) -> int:
            ((pages,),) = session.rows("PRAGMA page_count")
            ((free,),) = session.rows("PRAGMA freelist_count")
            ((size,),) = session.rows("PRAGMA page_size")
            return int((pages - free) * size)

        return self.read(look)

    def shrink(self) -> bool:
        """See `database.Database`."""
        with self._guarded("write"), self._writing:
            ((free,),) = self._writer.execute("PRAGMA freelist_count").fetchall()
            if free:
                # `execute` takes one step of it, which gives back one page.
                self._writer.executescript(f"PRAGMA incremental_vacuum({_PAGES_A_BITE})")
            return bool(free > _PAGES_A_BITE)

    def close(self) -> None:
        """See `database.Database`."""
        with self._guarded("close"), self._writing:
            self._writer.close()
        if self._reader is not None and self._reader is not self._writer:
            with self._guarded("close"), self._reading:
                self._reader.close()

    def _follow(self) -> None:
        """Open the file anew where it isn't the one that was opened."""
        found = _identity_of(self._file)
        if self._file == _MEMORY or (found is not None and found == self._identity):
            return
        # Closed first: the two would share what lies beside the file, whose name is the same.
        with self._reading:
            for each in (self._writer, self._reader):
                if each is not None:
                    each.close()
            self._reader = self._identity = None
            _make_own(Path(self._file))
            self._writer = _opened(self._file)
            self._identity = _identity_of(self._file)
        _log.warning("the store %s was moved away or deleted: it is begun anew", self._file)

    @contextmanager
    def _guarded(self, doing: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            # What is broken is told from what can pass by its class.
            hint = _HINT_BROKEN if type(error) is sqlite3.DatabaseError else _HINT
            raise StateError(f"can't {doing} the store {self.place}: {error}", hint=hint) from error


def _make_own(path: Path) -> None:
    """Make the file if it isn't there, for this user alone.

    Raises:
        StateError: that can't be done, or it is another user's.
    """
    try:
        path.touch(mode=0o600)
        found = path.stat()
        if found.st_uid != os.geteuid():
            raise StateError(f"the store {path} belongs to another user", hint="choose another one with --store")
        if found.st_mode & 0o077:
            path.chmod(0o600)  # what pods and machines are called is nobody else's business
    except OSError as error:
        raise StateError(f"can't open the store {path}: {error.strerror}", hint=_HINT_PLACE) from error


def _identity_of(file: str) -> tuple[int, int] | None:
    """Which file a path leads to; a number is not given again while the file is open."""
    try:
        found = os.stat(file)  # noqa: PTH116 -- before each transaction
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _opened(file: str) -> sqlite3.Connection:
    connection = _connect(file)
    try:
        _migrate(connection, file)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(place: str) -> sqlite3.Connection:
    connection = sqlite3.connect(place, timeout=_BUSY_SECONDS, check_same_thread=False, isolation_level=None)
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _migrate(connection: sqlite3.Connection, place: str) -> None:
    if _version(connection, place) == len(schema.MIGRATIONS):
        return
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of a new file, before its first table
    connection.execute("PRAGMA journal_mode = WAL")
    while _version(connection, place) < len(schema.MIGRATIONS):
        connection.execute("BEGIN IMMEDIATE")
        try:
            version = _version(connection, place)  # somebody else may have been quicker
            for statement in next(schema.migrations_from(version, _DIALECT), []):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {min(version + 1, len(schema.MIGRATIONS))}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


def _version(connection: sqlite3.Connection, place: str) -> int:
    """The version of the tables: how many migrations were carried out."""
    ((version,),) = connection.execute("PRAGMA user_version").fetchall()
    if version > len(schema.MIGRATIONS):
        raise NewerStoreError(place)
    return int(version)
