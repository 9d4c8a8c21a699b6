"""The journal: what was changed and how to undo it, on disk before the change is made.

One SQLite file in the state directory (write-ahead log, `synchronous=FULL`: a committed record survives a power
cut). A run writes itself down first, then one row for each undo; a row is settled when the undo was seen to work. Open
rows of a run that died are what recovery finishes; `liveness` tells which runs did. SQLite works in one thread, so the
loop never waits for the disk, and what a cancelled caller began is ended before anything else begins. `run_journal` is
the journal as one run sees it, `journal_schema` has the tables.
"""

import asyncio
import json
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec

from seatrial.errors import StateError
from seatrial.runtime import journal_schema
from seatrial.runtime.liveness import Sighting
from seatrial.runtime.process_identity import ProcessIdentity, this_process, user_name
from seatrial.runtime.undo import Undo

T = TypeVar("T")

_RUNS_KEPT = timedelta(days=30)
_DONE_KEPT = timedelta(days=1)
_BEATS_BETWEEN_CLEARINGS = 500
_RUN_COLUMNS = (
    "id, policy, seed, server, kubeconfig, context, machines, executor, disposable, started, who,"
    " host, boot, pid_namespace, pid, pid_started, heartbeat"
)


class RunEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A run as the journal knows it: enough to reach the same cluster again.

    `machines` and `executor` are the drivers that were named for it. A `disposable` cluster, an embedded one, is gone
    when the run is.
    """

    id: str
    policy: str
    seed: str
    server: str
    kubeconfig: str = ""
    context: str = ""
    machines: str = ""
    executor: str = ""
    disposable: bool = False


class JournaledRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that has not ended, or that left undos open: who began it and when, and what was last seen of it.

    What it left was left on purpose where it was `kept`.
    """

    entry: RunEntry
    started: str
    who: str
    ended: bool
    process: ProcessIdentity
    heartbeat: str
    open_undos: int
    kept: bool = False

    @property
    def sighting(self) -> Sighting:
        """What tells whether it is alive."""
        return Sighting(process=self.process, heartbeat=self.heartbeat, ended=self.ended)


class WrittenUndo(msgspec.Struct, frozen=True, kw_only=True):
    """An undo in the journal."""

    id: int
    undo: Undo


class Journal:
    """The journal's file. Every method raises `StateError` when the disk does not do as it should."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._beats = 0

    @classmethod
    async def open(cls, directory: Path) -> Self:
        """Open the journal of a state directory, made if it isn't there.

        Raises:
            StateError: it can't be read or written, is another user's, or of a later version.
        """
        path = directory / "journal.sqlite3"

        def connect() -> sqlite3.Connection:
            path.touch(mode=0o600)
            if path.stat().st_uid != os.geteuid():
                # What stands there is carried out: it must be our own.
                raise StateError(f"the journal {path} belongs to another user", hint="choose another --state-dir")
            path.chmod(0o600)
            return journal_schema.connect(path)

        return cls(path, await asyncio.to_thread(_guarded, path, connect))

    @classmethod
    def in_memory(cls) -> Self:
        """A journal that outlives nothing: for plans, which change nothing, and for tests."""
        return cls(Path(":memory:"), journal_schema.connect(":memory:"))

    async def close(self) -> None:
        """Close the file."""
        await self._call(self._connection.close)
        self._thread.shutdown(wait=False)

    async def begin(self, run: RunEntry) -> None:
        """Write down that a run begins in this process; what ended long ago is dropped."""
        me, now = this_process(), _now()
        row = (
            run.id, run.policy, run.seed, run.server, run.kubeconfig, run.context, run.machines, run.executor,
            run.disposable, now, user_name(), me.host, me.boot, me.namespace, me.pid, me.began, now,
        )  # fmt: skip
        await self._write(
            *_dropping_what_is_old(),
            (
                f"INSERT INTO run ({_RUN_COLUMNS}) VALUES ({', '.join('?' * len(row))})",  # noqa: S608 -- our own words
                row,
            ),
        )

    async def finish(self, run_id: str, verdict: str) -> None:
        """Write down that a run ended."""
        await self._write(("UPDATE run SET finished = ?, verdict = ? WHERE id = ?", (_now(), verdict, run_id)))

    async def keep(self, run_id: str) -> None:
        """Write down that what a run leaves open is left on purpose: nothing undoes it of itself."""
        await self._write(("UPDATE run SET kept = 1 WHERE id = ?", (run_id,)))

    async def beat(self) -> None:
        """Write down that this process lives, for its runs and for those whose clean-up it finishes.

        Now and then what ended long ago is dropped, since a run may go on for ever.
        """
        self._beats += 1
        me, now = this_process(), _now()
        mine = (now, me.boot, me.namespace, me.pid, me.began)
        where = "boot = ? AND pid_namespace = ? AND pid = ? AND pid_started = ?"
        await self._write(
            (f"UPDATE run SET heartbeat = ? WHERE {where} AND finished IS NULL", mine),  # noqa: S608 -- our own words
            (f"UPDATE claim SET heartbeat = ? WHERE {where}", mine),  # noqa: S608 -- our own words
            *(_dropping_what_is_old() if self._beats % _BEATS_BETWEEN_CLEARINGS == 0 else ()),
        )

    async def write(self, run_id: str, undo: Undo) -> WrittenUndo:
        """Write an undo down; it is on disk when this returns."""
        identifier = await self._write(
            (
                "INSERT INTO undo (run_id, written, kind, args, description, manual) VALUES (?, ?, ?, ?, ?, ?)",
                (run_id, _now(), undo.kind, json.dumps(dict(undo.args)), undo.description, undo.manual),
            )
        )
        return WrittenUndo(id=identifier, undo=undo)

    async def settle(self, written: WrittenUndo, *, error: str = "") -> None:
        """Write down that an undo was done, or (with an error) that it failed.

        What is done needs its arguments no more, and they may hold what a Secret held.
        """
        if error:
            await self._write(("UPDATE undo SET state = 'failed', error = ? WHERE id = ?", (error, written.id)))
        else:
            done = "UPDATE undo SET state = 'done', error = '', args = '{}' WHERE id = ?"
            await self._write((done, (written.id,)))

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

    async def forget(self, run_id: str) -> None:
        """Give up the open undos of a run; they are told no more."""
        await self._write(
            (
                "UPDATE undo SET state = 'done', error = 'forgotten', args = '{}' WHERE run_id = ? AND state <> 'done'",
                (run_id,),
            )
        )

    async def runs(self) -> list[JournaledRun]:
        """The runs that have not ended or left undos open, last started first."""
        undos = "(SELECT count(*) FROM undo WHERE run_id = run.id AND state <> 'done') AS undos"
        rows = await self._read(
            f"SELECT finished IS NOT NULL, {undos}, kept, {_RUN_COLUMNS} FROM run"  # noqa: S608 -- our own words
            " WHERE finished IS NULL OR undos > 0 ORDER BY started DESC, rowid DESC",
            (),
        )
        return [_run_of(row) for row in rows]

    async def claim(self, run_id: str) -> bool:
        """Take the clean-up of a run upon this process; False where another one that lives is at it."""
        me = this_process()

        def work() -> bool:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                found = self._connection.execute(
                    "SELECT host, boot, pid_namespace, pid, pid_started, heartbeat FROM claim WHERE run_id = ?",
                    (run_id,),
                ).fetchone()
                if found is not None:
                    host, boot, namespace, pid, began, heartbeat = found
                    holder = ProcessIdentity(host=host, boot=boot, namespace=namespace, pid=pid, began=began)
                    if not Sighting(process=holder, heartbeat=heartbeat, ended=False).is_dead:
                        return False
                self._connection.execute(
                    "INSERT OR REPLACE INTO claim (run_id, host, boot, pid_namespace, pid, pid_started, heartbeat)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (run_id, me.host, me.boot, me.namespace, me.pid, me.began, _now()),
                )
                return True

        return await self._call(work)

    async def release(self, run_id: str) -> None:
        """Give back what `claim` took."""
        await self._write(("DELETE FROM claim WHERE run_id = ?", (run_id,)))

    async def _write(self, *statements: tuple[str, tuple[object, ...]]) -> int:
        """Carry out statements in one transaction; answers the last one's row."""

        def work() -> int:
            with self._connection:
                return [self._connection.execute(*each).lastrowid or 0 for each in statements][-1]

        return await self._call(work)

    async def _read(self, statement: str, values: tuple[object, ...]) -> list[Any]:
        return await self._call(lambda: self._connection.execute(statement, values).fetchall())

    async def _call(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, _guarded, self.path, work)


def _run_of(row: tuple[Any, ...]) -> JournaledRun:
    ended, undos, kept, *rest = row
    run, policy, seed, server, kubeconfig, context, machines, executor, disposable, *rest = rest
    started, who, *process, heartbeat = rest
    host, boot, namespace, pid, began = process
    return JournaledRun(
        entry=RunEntry(
            id=run,
            policy=policy,
            seed=seed,
            server=server,
            kubeconfig=kubeconfig,
            context=context,
            machines=machines,
            executor=executor,
            disposable=bool(disposable),
        ),
        started=started,
        who=who,
        ended=bool(ended),
        process=ProcessIdentity(host=host, boot=boot, namespace=namespace, pid=pid, began=began),
        heartbeat=heartbeat,
        open_undos=undos,
        kept=bool(kept),
    )


def _guarded(path: Path, work: Callable[[], T]) -> T:
    try:
        return work()
    except (sqlite3.Error, OSError) as error:
        raise StateError(
            f"can't write the journal {path}: {error}",
            hint="free some space or choose another --state-dir; nothing is changed without a journal",
        ) from error


def _dropping_what_is_old() -> tuple[tuple[str, tuple[object, ...]], ...]:
    """The statements that drop undos that were done long ago, and runs that ended long ago and left nothing.

    The latest undo stays: SQLite would give its number again, and a run tells by their numbers which came later.
    """
    done, ended = (_ago(kept) for kept in (_DONE_KEPT, _RUNS_KEPT))
    return (
        ("DELETE FROM undo WHERE state = 'done' AND written < ? AND id < (SELECT max(id) FROM undo)", (done,)),
        ("DELETE FROM run WHERE finished < ? AND NOT EXISTS (SELECT 1 FROM undo WHERE run_id = run.id)", (ended,)),
    )


def _ago(span: timedelta) -> str:
    return (datetime.now(UTC) - span).isoformat(timespec="milliseconds")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
