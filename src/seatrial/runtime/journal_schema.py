"""The tables of the journal's file, and how a file of an earlier version becomes one of this.

`user_version` of the file is the version of its tables. A migration only adds: a process of the earlier version that
still runs goes on writing to the same file.
"""

import sqlite3
from pathlib import Path

from seatrial.errors import StateError

VERSION = 3

_TABLES_1 = """
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

# A run without a boot was begun by version 1: its `pid_started` is in seconds since 1970, and it has no heartbeat.
# A disposable cluster (an embedded one) went with its run: nothing is left there to undo.
# A claim says which process finishes the clean-up of a run.
_FROM_1_TO_2 = """
ALTER TABLE run ADD COLUMN boot TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN pid_namespace TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN who TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN heartbeat TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN machines TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN executor TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN disposable INTEGER NOT NULL DEFAULT 0;
CREATE TABLE claim (
    run_id TEXT PRIMARY KEY REFERENCES run (id) ON DELETE CASCADE,
    host TEXT NOT NULL,
    boot TEXT NOT NULL,
    pid_namespace TEXT NOT NULL,
    pid INTEGER NOT NULL,
    pid_started REAL NOT NULL,
    heartbeat TEXT NOT NULL
);
"""

# What a run that was `kept` left was left on purpose: it is undone when somebody asks for this very run.
_FROM_2_TO_3 = """
ALTER TABLE run ADD COLUMN kept INTEGER NOT NULL DEFAULT 0
"""
_STEPS = (_TABLES_1, _FROM_1_TO_2, _FROM_2_TO_3)


def connect(path: Path | str) -> sqlite3.Connection:
    """Open a journal's file, with tables of this version.

    Raises:
        StateError: it was written by a later version.
        sqlite3.Error: it is no database, or the disk does not do as it should.
    """
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
        if version > VERSION:
            raise StateError(
                f"the journal {path} was written by a later version of Seatrial",
                hint="use that version, or another --state-dir",
            )
        if version == VERSION:
            return
        for step in _STEPS[version:]:
            for statement in step.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
