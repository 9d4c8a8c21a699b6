"""The contract of a store, and which one an address names.

    sqlite:///absolute/path    a file; without an address `runs.sqlite3` in the state directory
    postgresql://...           a database that several Seatrials share
    none                       memory: gone with the process

The methods block, and may be called from any thread; one writer at a time. `sql_store` is the store, over a
`database`, of which there are two: `sqlite` and `postgres`. `recorder` fills it while a run goes on.
"""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from seatrial.errors import StateError, UsageError
from seatrial.runtime.events import ObjectiveJudged, Record
from seatrial.slo.series import SeriesKey, SeriesSource
from seatrial.storage.database import NewerStoreError
from seatrial.storage.records import (
    Gap,
    ProbeMinute,
    RunRecord,
    ScenarioRun,
    StoredJudgement,
    StoredMeasurement,
)
from seatrial.storage.retention import Retention

_log = logging.getLogger(__name__)
_HINT = "sqlite:///PATH, postgresql://USER@HOST/DATABASE, or none"


class Store(SeriesSource, Protocol):
    """Keeps runs. Every method raises `StateError` where the store does not do as it should."""

    @property
    def place(self) -> str:
        """Where it is, as may be shown: without a password."""
        ...

    def begin(self, run: RunRecord) -> None:
        """Write a run down; where it stands there already, nothing changes."""
        ...

    def add(self, run: RunRecord, records: Sequence[Record], *, gaps: Sequence[Gap] = ()) -> None:
        """Take in what happened in a run: all in one transaction. What it has taken in before is passed over.

        `run.digests` tells to which series the records belong; `gaps` what is missing in series for good.
        """
        ...

    def hold_up(self, problem: str) -> None:
        """Let nobody read series by their windows, for what happened last isn't in them: why; empty where it is."""
        ...

    def beat(self, run_id: str, at: float) -> None:
        """Write down that a run lives."""
        ...

    def runs(self, *, most: int = 20, policy: str | None = None) -> Sequence[RunRecord]:
        """The latest runs, the latest first."""
        ...

    def run(self, id_or_prefix: str) -> RunRecord:
        """One run; a prefix of its id does, and `last` is the latest.

        Raises:
            UsageError: there is none, or several begin like that.
        """
        ...

    def records(self, run_id: str) -> Iterator[Record]:
        """All that is kept of what happened in a run, in order.

        Samples of steady states' probes are among it while they are kept one by one; `sample_minutes` has all of them.
        """
        ...

    def scenario_runs(self, run_id: str) -> Sequence[ScenarioRun]:
        """The runs of scenarios in a run, in order."""
        ...

    def measurements(self, run_id: str) -> Sequence[StoredMeasurement]:
        """The measurements of a run, in order."""
        ...

    def sample_minutes(self, run_id: str) -> Sequence[ProbeMinute]:
        """What the samples of steady states' probes came to in each minute: by probe, in order of time."""
        ...

    def latest_judgements(self, run_id: str) -> Sequence[StoredJudgement]:
        """What was last said of each objective in a run."""
        ...

    def keys(self) -> Sequence[SeriesKey]:
        """All series that there are, the one with the latest run first."""
        ...

    def measured(self, key: SeriesKey) -> Sequence[str]:
        """The names of the measurements that a series has."""
        ...

    def judgements(self, key: SeriesKey, *, most: int = 100) -> Sequence[tuple[float, ObjectiveJudged]]:
        """The latest judgements of the objectives of a series, with their times, the oldest first."""
        ...

    def tidy(self, retention: Retention, *, now: float) -> bool:
        """Drop or condense one bite of what is older, or more, than is to be kept; whether there may be more to do."""
        ...

    def forget(self, run_ids: Sequence[str]) -> None:
        """Drop runs with all that is kept of them."""
        ...

    def size_bytes(self) -> int:
        """How much room it takes."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


def open_store(address: str | None, *, state: Path, must_exist: bool = False) -> Store:
    """Open the store that an address names.

    Args:
        address: what `--store` says; None is the file in the state directory.
        state: that directory.
        must_exist: a file that is named has to be there; otherwise it is made.

    Raises:
        UsageError: it is no such address, or leads to no file.
        StateError: it can't be opened, or is of a later version.
    """
    from seatrial.storage.sql_store import SqlStore  # noqa: PLC0415 -- it needs this module's protocol
    from seatrial.storage.sqlite import SqliteDatabase  # noqa: PLC0415 -- one of two is needed

    if address is None:
        return SqlStore(SqliteDatabase.open(state / "runs.sqlite3"))
    if address == "none":
        return SqlStore(SqliteDatabase.in_memory())
    if address.startswith("sqlite:///"):
        path = _path(address.removeprefix("sqlite://"))
        if must_exist and not path.exists():
            raise UsageError(f"there is no store {path}", hint="see --store, and SEATRIAL_STORE")
        return SqlStore(SqliteDatabase.open(path))
    kind = address.partition(":")[0]
    if kind in {"postgresql", "postgres"}:
        from seatrial.storage.postgres import PostgresDatabase  # noqa: PLC0415 -- few runs need it

        return SqlStore(PostgresDatabase.open(address))
    # An address may hold a password: no more of it is repeated than what stands before the colon.
    raise UsageError(f"there is no store '{kind[:40]}'", hint=_HINT)


def store_for_run(address: str | None, *, state: Path) -> Store:
    """Open the store of a run.

    Where nobody named one and the file in the state directory can't be opened, that is said, the run goes on, and what
    happens in it is kept for as long as the process lives.

    Raises:
        UsageError: the address is none.
        StateError: the store that was named can't be opened, or any is of a later version.
    """
    try:
        return open_store(address, state=state)
    except StateError as error:
        if address is not None or isinstance(error, NewerStoreError):
            raise
        _log.warning("this run is not kept: %s", error.in_full)
        return open_store("none", state=state)


def _path(text: str) -> Path:
    """The path of `sqlite:///PATH`, which is absolute; a fourth slash, as other tools write it, does no harm."""
    path = Path("/" + text.lstrip("/"))
    if path.name == "":
        raise UsageError("the store's address names no file", hint=_HINT)
    return path
