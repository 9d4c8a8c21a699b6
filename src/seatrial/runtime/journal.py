"""The journal: what was changed and how to undo it, on disk before the change is made.

One SQLite file in the state directory (write-ahead log, `synchronous=FULL`: a committed record survives a power
cut). A run writes itself down first, then one row for each undo; a row is settled when the undo was seen to work. Open
rows of a run that died are what recovery finishes. SQLite works in a thread, so the loop never waits for the disk.
"""

import asyncio
import json
import socket
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

import psutil

from seatrial.errors import StateError
from seatrial.runtime.uncancellable import uncancellable
from seatrial.runtime.undo import Undo

T = TypeVar("T")

_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE run (
    id TEXT PRIMARY KEY,
    started TEXT NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    pid_started REAL NOT NULL,
    policy TEXT NOT NULL,
    seed TEXT NOT NULL,
    server TEXT NOT NULL,
    kubeconfig TEXT NOT NULL,
    context TEXT NOT NULL,
    finished TEXT,
    verdict TEXT
);
CREATE TABLE undo (
    id INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES run (id),
    written TEXT NOT NULL,
    kind TEXT NOT NULL,
    args TEXT NOT NULL,
    description TEXT NOT NULL,
    manual TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'failed')),
    error TEXT NOT NULL DEFAULT ''
);
CREATE INDEX undo_open ON undo (run_id) WHERE state <> 'done';
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEntry:
    """A run as the journal knows it: enough to reach the same cluster again."""

    id: str
    policy: str
    seed: str
    server: str
    kubeconfig: str = ""
    context: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenUndo:
    """An undo in the journal."""

    id: int
    undo: Undo


class Journal:
    """The journal's file. Every method raises `StateError` when the disk does not do as it should."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._turn = asyncio.Lock()
        self._begun_here: set[str] = set()

    @classmethod
    async def open(cls, directory: Path) -> Self:
        """Open the journal of a state directory, made if it isn't there."""
        path = directory / "journal.sqlite3"

        def connect() -> sqlite3.Connection:
            path.touch(mode=0o600)
            path.chmod(0o600)
            return _connect(path)

        return cls(path, await asyncio.to_thread(_guarded, path, connect))

    @classmethod
    def in_memory(cls) -> Self:
        """A journal that outlives nothing: for plans, which change nothing, and for tests."""
        return cls(Path(":memory:"), _connect(":memory:"))

    async def close(self) -> None:
        """Close the file."""
        await asyncio.to_thread(self._connection.close)

    async def begin(self, run: RunEntry) -> None:
        """Write down that a run begins in this process."""
        self._begun_here.add(run.id)
        process = psutil.Process()
        row = (
            run.id, _now(), socket.gethostname(), process.pid, process.create_time(),
            run.policy, run.seed, run.server, run.kubeconfig, run.context,
        )  # fmt: skip
        await self._write(
            "INSERT INTO run (id, started, host, pid, pid_started, policy, seed, server, kubeconfig, context)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )

    async def finish(self, run_id: str, verdict: str) -> None:
        """Write down that a run ended."""
        await self._write("UPDATE run SET finished = ?, verdict = ? WHERE id = ?", (_now(), verdict, run_id))

    async def write(self, run_id: str, undo: Undo) -> WrittenUndo:
        """Write an undo down; it is on disk when this returns."""
        identifier = await self._write(
            "INSERT INTO undo (run_id, written, kind, args, description, manual) VALUES (?, ?, ?, ?, ?, ?)",
            (run_id, _now(), undo.kind, json.dumps(dict(undo.args)), undo.description, undo.manual),
        )
        return WrittenUndo(id=identifier, undo=undo)

    async def settle(self, written: WrittenUndo, *, error: str = "") -> None:
        """Write down that an undo was done, or (with an error) that it failed."""
        state = "failed" if error else "done"
        await self._write("UPDATE undo SET state = ?, error = ? WHERE id = ?", (state, error, written.id))

    async def open_undos(self, run_id: str) -> list[WrittenUndo]:
        """The undos of a run that were not seen to work, last written first."""
        rows = await self._read(
            "SELECT id, kind, args, description, manual FROM undo"
            " WHERE run_id = ? AND state <> 'done' ORDER BY id DESC",
            (run_id,),
        )
        return [
            WrittenUndo(
                id=identifier,
                undo=Undo(kind=kind, args=json.loads(args), description=description, manual=manual),
            )
            for identifier, kind, args, description, manual in rows
        ]

    async def abandoned_runs(self) -> list[RunEntry]:
        """Runs of this host that left undos open and whose process is gone, last started first."""
        rows = await self._read(
            "SELECT id, policy, seed, server, kubeconfig, context, pid, pid_started FROM run"
            " WHERE host = ? AND EXISTS (SELECT 1 FROM undo WHERE run_id = run.id AND state <> 'done')"
            " ORDER BY started DESC",
            (socket.gethostname(),),
        )
        return [
            RunEntry(id=run, policy=policy, seed=seed, server=server, kubeconfig=kubeconfig, context=context)
            for run, policy, seed, server, kubeconfig, context, pid, started in rows
            if run not in self._begun_here and not _alive(pid, started)
        ]

    async def _write(self, statement: str, values: tuple[object, ...]) -> int:
        def work() -> int:
            with self._connection:
                return self._connection.execute(statement, values).lastrowid or 0

        return await self._call(work)

    async def _read(self, statement: str, values: tuple[object, ...]) -> list[Any]:
        return await self._call(lambda: self._connection.execute(statement, values).fetchall())

    async def _call(self, work: Callable[[], T]) -> T:
        async with self._turn:
            return await asyncio.to_thread(_guarded, self.path, work)


class RunJournal:
    """The journal as one run writes it, which also remembers what it wrote.

    So clean-up goes on when the disk fails in the middle of a run.
    """

    def __init__(self, journal: Journal, run_id: str, left_open: Sequence[WrittenUndo] = ()) -> None:
        """`left_open` has what an earlier process left, last written first."""
        self.journal = journal
        self.run_id = run_id
        self.failures: list[str] = []
        self._disk_problems: dict[str, None] = {}
        self._open = list(left_open)[::-1]

    async def write(self, undo: Undo) -> WrittenUndo:
        """Write down what undoes a change, before the change is made.

        Cancellation waits until file and memory agree: an undo in the file alone would undo a change never made.
        """

        async def write() -> WrittenUndo:
            written = await self.journal.write(self.run_id, undo)
            self._open.append(written)
            return written

        return await uncancellable(write())

    @property
    def mark(self) -> int:
        """How many undos are open: pass it to `newer_than` to get those written since."""
        return len(self._open)

    def newer_than(self, mark: int) -> list[WrittenUndo]:
        """The open undos written since `mark`, last in first."""
        return self._open[mark:][::-1]

    async def settle(self, written: WrittenUndo, *, error: str = "") -> None:
        """An undo was carried out, or (with an error) failed; either way it is not tried again in this run."""
        self._open.remove(written)
        if error:
            self.failures.append(f"{written.undo.description}: {error}")
        try:
            await self.journal.settle(written, error=error)
        except StateError as problem:
            # What was undone stays undone; the journal will ask for it once more, which is safe.
            self._disk_problems[problem.message] = None

    async def finish(self, verdict: str) -> None:
        """Write down that the run ended."""
        try:
            await self.journal.finish(self.run_id, verdict)
        except StateError as problem:
            self._disk_problems[problem.message] = None

    @property
    def disk_problems(self) -> tuple[str, ...]:
        """What kept the journal from being written after a change was undone, each once."""
        return tuple(self._disk_problems)


def _connect(path: Path | str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=10, check_same_thread=False)
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path | str) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > _SCHEMA_VERSION:
            raise StateError(
                f"the journal {path} was written by a later version of Seatrial",
                hint="use that version, or another --state-dir",
            )
        if version == 0:
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")


def _guarded(path: Path, work: Callable[[], T]) -> T:
    try:
        return work()
    except (sqlite3.Error, OSError) as error:
        raise StateError(
            f"can't write the journal {path}: {error}",
            hint="free some space or choose another --state-dir; nothing is changed without a journal",
        ) from error


def _alive(pid: int, started: float) -> bool:
    try:
        process = psutil.Process(pid)
        created: float = process.create_time()
        # Boot-time arithmetic moves a start time by some hundredths of a second when the wall clock is adjusted.
        return process.status() != psutil.STATUS_ZOMBIE and abs(created - started) < 1
    except psutil.NoSuchProcess:
        return False


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
