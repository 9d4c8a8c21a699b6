"""What a store keeps for how long: it is condensed and dropped in small bites, while runs go on.

Samples are kept one by one within the raw window; beyond it each minute keeps its counts and a histogram of its
latencies. What is older than the retention goes, the windows of objectives excepted: what a series' objectives look
back on is kept, however old. Where the store is too large, the oldest events go first (their figures stay), then
samples are condensed before their time, then what is oldest of all: never what is in an objective's window.
"""

from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import Any, NamedTuple

import msgspec

from seatrial.errors import UsageError
from seatrial.storage.database import Database, Session
from seatrial.storage.histogram import Histogram
from seatrial.storage.schema import OF_A_RUN, OF_A_SERIES

_BITE_ROWS = 5000
_PASSING = "kind NOT IN ('RunStarted', 'PolicyReloaded', 'RunFinished')"  # the others are kept as long as the run


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How long things are kept, and how large the store may grow."""

    days: float = 90
    largest_bytes: int = 1 << 30
    raw_hours: float = 24


def tidy(database: Database, retention: Retention, *, now: float) -> bool:
    """Take one bite; whether there may be more to take."""
    raw_from = now - retention.raw_hours * 3600
    if database.write(lambda session: condense(session, before=raw_from)):
        return True
    if database.write(lambda session: _drop_old(session, before=now - retention.days * 86400, now=now)):
        return True
    largest = min(retention.largest_bytes, database.largest_bytes or retention.largest_bytes)
    if database.size_bytes() > largest and database.write(lambda session: _make_room(session, now)):
        return True
    return database.shrink()


def condense(session: Session, *, before: float) -> bool:
    """Turn a bite of a run's samples from before some time into minutes' histograms; whether there were any."""
    for (number,) in session.rows(
        "SELECT no FROM runs WHERE started < ? AND EXISTS (SELECT 1 FROM samples WHERE run_no = runs.no)", before
    ):
        rows = session.rows(
            "SELECT sequence, probe_id, at, latency_us FROM samples WHERE run_no = ? ORDER BY sequence LIMIT ?",
            number, _BITE_ROWS,
        )  # fmt: skip
        old = list(takewhile(lambda row: row[2] < before, rows))
        if old:
            _condense(session, old)
            session.run("DELETE FROM samples WHERE run_no = ? AND sequence <= ?", number, old[-1][0])
            return True
    return False


def _condense(session: Session, rows: Iterable[tuple[Any, ...]]) -> None:
    latencies: dict[tuple[int, int], list[float]] = {}
    for _, probe, at, latency in rows:
        if latency is not None:
            latencies.setdefault((probe, int(at // 60)), []).append(latency / 1000)
    for (probe, minute), times in latencies.items():
        _add_latencies(session, probe, minute, times)


def _add_latencies(session: Session, probe: int, minute: int, times: Iterable[float]) -> None:
    """Add latencies to those of a minute, which has some already where a bite ended within it."""
    histogram = Histogram.of(times)
    for (before,) in session.rows(
        "SELECT latencies FROM probe_minutes WHERE probe_id = ? AND minute = ?", probe, minute
    ):
        if before:
            histogram += Histogram.from_bytes(bytes(before))
    session.run(
        "UPDATE probe_minutes SET latencies = ? WHERE probe_id = ? AND minute = ?",
        histogram.to_bytes(), probe, minute,
    )  # fmt: skip


def _drop_old(session: Session, *, before: float, now: float) -> bool:
    """Drop what is older than some time and in no objective's window: a bite of a table, or a run that is empty."""
    if _drop_events(session, before=before):
        return True
    for series, windows in session.rows("SELECT id, windows FROM series"):
        until = min([before, *(_window_begins(session, series, each, now) for each in msgspec.json.decode(windows))])
        if _drop_of_series(session, series, until):
            return True
    return _drop_runs(session, before=before)


def _drop_events(session: Session, *, before: float) -> bool:
    """Drop a bite of events; how a run began and ended is kept for as long as the run is."""
    for (number,) in session.rows("SELECT no FROM runs WHERE started < ? ORDER BY started", before):
        rows = session.rows(
            f"SELECT sequence, at FROM events WHERE run_no = ? AND {_PASSING} ORDER BY sequence LIMIT ?",  # noqa: S608 -- our own words
            number, _BITE_ROWS,
        )  # fmt: skip
        old = [row for row in rows if row[1] < before]
        if old:
            last, latest = old[-1]
            session.run(f"DELETE FROM events WHERE run_no = ? AND sequence <= ? AND {_PASSING}", number, last)  # noqa: S608 -- likewise
            session.run("UPDATE runs SET events_from = ? WHERE no = ?", latest, number)
            return True
    return False


def _drop_of_series(session: Session, series: int, until: float) -> bool:
    """Drop a bite of what is kept of a series from before some time."""
    for stretch in _stretches(session, series):
        oldest = stretch.oldest(session)
        if oldest is not None and oldest < until:
            stretch.drop(session, until)
            return True
    minute = int(until // 60) if until > 0 else 0
    found = session.rows(
        "SELECT id FROM probes WHERE series_id = ?"
        " AND EXISTS (SELECT 1 FROM probe_minutes WHERE probe_id = probes.id AND minute < ?) LIMIT 1",
        series, minute,
    )  # fmt: skip
    for (probe,) in found:
        session.run("DELETE FROM probe_minutes WHERE probe_id = ? AND minute < ?", probe, minute)
    return bool(found)


class _Stretch(NamedTuple):
    """The rows of a table that belong to a series, as an index has them: in order of time."""

    table: str
    series: int
    name: str | None = None

    @property
    def _where(self) -> tuple[str, list[Any]]:
        if self.name is None:
            return f"FROM {self.table} WHERE series_id = ?", [self.series]
        return f"FROM {self.table} WHERE series_id = ? AND name = ?", [self.series, self.name]

    def oldest(self, session: Session) -> float | None:
        """The time of the oldest row."""
        where, values = self._where
        ((at,),) = session.rows(f"SELECT min(at) {where}", *values)
        return None if at is None else float(at)

    def drop(self, session: Session, until: float) -> None:
        """Drop the oldest rows from before some time, as many as are a bite."""
        where, values = self._where
        ((end,),) = session.rows(
            f"SELECT max(at) FROM (SELECT at {where} AND at < ? ORDER BY at LIMIT ?) t",  # noqa: S608 -- our own words
            *values, until, _BITE_ROWS,
        )  # fmt: skip
        session.run(f"DELETE {where} AND at <= ?", *values, end)


def _stretches(session: Session, series: int) -> Iterator[_Stretch]:
    for table in OF_A_SERIES:
        if table == "measurements":
            yield from (_Stretch(table, series, name) for name in _measured(session, series))
        else:
            yield _Stretch(table, series)


def _measured(session: Session, series: int) -> Iterator[str]:
    """The names of a series' measurements, leaping from one to the next in the index."""
    name = ""
    while rows := session.rows(
        "SELECT name FROM measurements WHERE series_id = ? AND name > ? ORDER BY name LIMIT 1", series, name
    ):
        ((name,),) = rows
        yield name


def _drop_runs(session: Session, *, before: float) -> bool:
    """Drop a run that ended, or was last heard of, before some time, and of which no series has anything left."""
    empty = " AND ".join(
        f"NOT EXISTS (SELECT 1 FROM {table} WHERE run_no = runs.no)"  # noqa: S608 -- our own words
        for table in OF_A_SERIES
    )
    found = session.rows(f"SELECT no FROM runs WHERE seen < ? AND {empty} ORDER BY no LIMIT 1", before)  # noqa: S608 -- likewise
    for (number,) in found:
        _drop_run(session, number)
    return bool(found)


def _drop_run(session: Session, number: int) -> None:
    session.run("DELETE FROM probe_minutes WHERE probe_id IN (SELECT id FROM probes WHERE run_no = ?)", number)
    for table in (*OF_A_RUN, "probes"):
        session.run(f"DELETE FROM {table} WHERE run_no = ?", number)  # noqa: S608 -- our own words
    session.run("DELETE FROM runs WHERE no = ?", number)
    session.run("DELETE FROM policies WHERE NOT EXISTS (SELECT 1 FROM runs WHERE policy_digest = policies.digest)")


def drop_run(database: Database, number: int) -> None:
    """Drop a run with all that is kept of it, its part in objectives' windows too."""
    database.write(lambda session: _drop_run(session, number))


def _make_room(session: Session, now: float) -> bool:
    """Drop what is missed least; whether there was anything to drop."""
    oldest = _oldest_event(session)
    if oldest is not None and _drop_events(session, before=oldest + max(60.0, (now - oldest) / 10)):
        return True
    if condense(session, before=now - 3600):
        return True
    times = [
        stretch.oldest(session)
        for (series,) in session.rows("SELECT id FROM series")
        for stretch in _stretches(session, series)
    ]
    first = min((each for each in times if each is not None), default=None)
    return first is not None and _drop_old(session, before=first + max(60.0, (now - first) / 10), now=now)


def _oldest_event(session: Session) -> float | None:
    ((oldest,),) = session.rows(
        "SELECT min(first) FROM (SELECT (SELECT at FROM events WHERE run_no = runs.no"  # noqa: S608 -- our own words
        f" AND {_PASSING} ORDER BY sequence LIMIT 1) AS first FROM runs) t"
    )
    return None if oldest is None else float(oldest)


def _window_begins(session: Session, series: int, window: str, now: float) -> float:
    """When a window of a series begins."""
    from seatrial.policy.objectives import window_runs, window_seconds  # noqa: PLC0415 -- only where there are any

    try:
        runs, seconds = window_runs(window), window_seconds(window)
    except UsageError:  # of a later version
        return float("-inf")
    if runs is None:
        return now - (seconds or 0)
    rows: list[tuple[Any, ...]] = session.rows(
        "SELECT began FROM scenario_runs WHERE series_id = ? ORDER BY at DESC LIMIT ?", series, runs
    )
    return rows[-1][0] if len(rows) == runs else float("-inf")
