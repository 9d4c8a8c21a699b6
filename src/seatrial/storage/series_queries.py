"""What objectives ask of a store: the series that it keeps, by their windows."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from seatrial.errors import StateError
from seatrial.runtime.events import ObjectiveJudged
from seatrial.slo.series import Count, Point, SeriesKey
from seatrial.storage.database import Database
from seatrial.storage.event_codec import clean


class SeriesQueries:
    """The series in a database; `problem` says why the latest runs of them could not be written, if so."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ids: Mapping[int, str] = {}
        self._problem = ""

    def keys(self) -> Sequence[SeriesKey]:
        """See `store.Store`."""
        rows = self._rows(
            "SELECT cluster, policy, scenario, digest FROM series s"
            " JOIN (SELECT series_id, max(at) AS latest FROM scenario_runs GROUP BY series_id) t ON t.series_id = s.id"
            " ORDER BY latest DESC"
        )
        return [
            SeriesKey(cluster=cluster, policy=policy, scenario=scenario, digest=digest)
            for cluster, policy, scenario, digest in rows
        ]

    def judgements(self, key: SeriesKey, *, most: int = 100) -> Sequence[tuple[float, ObjectiveJudged]]:
        """See `store.Store`."""
        rows = self._rows(
            "SELECT at, body FROM judgements WHERE series_id = ? ORDER BY at DESC, sequence DESC LIMIT ?",
            self._series(key), most,
        )  # fmt: skip
        return [(at, msgspec.json.decode(body, type=ObjectiveJudged)) for at, body in reversed(rows)]

    def points(
        self, key: SeriesKey, measurement: str, *, since: float | None = None, last: int | None = None
    ) -> Sequence[Point]:
        """See `slo.series.SeriesSource`."""
        series = self._series(key)
        begin, members = self._window(series, since, last)
        rows = self._rows(
            "SELECT value, at, run_no, round, is_lower_bound FROM measurements"
            " WHERE series_id = ? AND name = ? AND at >= ? ORDER BY at",
            series, clean(measurement), begin,
        )  # fmt: skip
        ids = self._ids_of(row[2] for row in rows)
        return [
            Point(value, at, ids[number], round_, bool(bound))
            for value, at, number, round_, bound in rows
            if members is None or (number, round_) in members
        ]

    def counts(
        self, key: SeriesKey, probe: str | None, *, since: float | None = None, last: int | None = None
    ) -> Sequence[Count]:
        """See `slo.series.SeriesSource`."""
        series = self._series(key)
        begin, members = self._window(series, since, last)
        rows = self._rows(
            "SELECT sum(ok), sum(failed), min(at), run_no, round FROM probe_runs WHERE series_id = ? AND at >= ?"
            " AND (? = '' OR probe = ? OR substr(probe, 1, ?) = ?) GROUP BY run_no, round ORDER BY min(at)",
            series, begin, *_probe(probe),
        )  # fmt: skip
        ids = self._ids_of(row[3] for row in rows)
        return [
            Count(int(good), int(bad), at, ids[number], round_)
            for good, bad, at, number, round_ in rows
            if members is None or (number, round_) in members
        ]

    def minutes(self, key: SeriesKey, probe: str | None, *, since: float) -> Sequence[Count]:
        """See `slo.series.SeriesSource`."""
        series = self._series(key)
        self._refuse_gaps(series, since, "samples")
        rows = self._rows(
            "SELECT sum(m.ok), sum(m.failed), m.minute FROM probes t JOIN probe_minutes m ON m.probe_id = t.id"
            " WHERE t.series_id = ? AND (? = '' OR t.name = ? OR substr(t.name, 1, ?) = ?) AND m.minute >= ?"
            " GROUP BY m.minute ORDER BY m.minute",
            series, *_probe(probe), int(since // 60),
        )  # fmt: skip
        return [Count(int(good), int(bad), minute * 60.0) for good, bad, minute in rows]

    def measured(self, key: SeriesKey) -> Sequence[str]:
        """See `store.Store`."""
        rows = self._rows("SELECT DISTINCT name FROM measurements WHERE series_id = ? ORDER BY name", self._series(key))
        return [name for (name,) in rows]

    def _rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._database.read(lambda session: session.rows(query, *values))

    def _ids_of(self, numbers: Iterable[int]) -> Mapping[int, str]:
        """The ids of runs by their numbers, which never change: a join would ask for them row by row."""
        if not self._ids.keys() >= set(numbers):
            self._ids = dict(self._rows("SELECT no, id FROM runs"))
        return self._ids

    def _series(self, key: SeriesKey) -> int:
        """The number of a series, -1 where there is none.

        Raises:
            StateError: what happened last could not be written: the series is not what it should be.
        """
        if self._problem:
            raise StateError(f"the latest runs are missing: {self._problem}")
        names = map(clean, (key.cluster, key.policy, key.scenario, key.digest))
        rows = self._rows(
            "SELECT id FROM series WHERE cluster = ? AND policy = ? AND scenario = ? AND digest = ?", *names
        )
        return int(rows[0][0]) if rows else -1

    def _refuse_gaps(self, series: int, begin: float, what: Literal["figures", "samples"]) -> None:
        """Refuse a window in which something is missing for good: what is there may well be the better part of it.

        Raises:
            StateError: it is so.
        """
        ((missing, latest),) = self._rows(
            f"SELECT sum({what}), max(at) FROM gaps WHERE series_id = ? AND at >= ? AND {what} > 0",  # noqa: S608 -- our own words
            series, begin,
        )  # fmt: skip
        if missing:
            until = datetime.fromtimestamp(latest, UTC)
            raise StateError(f"{missing} events are missing that could not be kept, until {until:%Y-%m-%d %H:%M} UTC")

    def _window(self, series: int, since: float | None, last: int | None) -> tuple[float, set[tuple[int, int]] | None]:
        """Where a window begins, and the rounds that are in it where it is a number of them.

        Raises:
            StateError: figures are missing in it; what is asked for whole, without a window, is given as far as it is.
        """
        begin, members = float("-inf") if since is None else since, None
        if last is not None:
            rows = self._rows(
                "SELECT run_no, round, began FROM scenario_runs WHERE series_id = ? AND at >= ?"
                " ORDER BY at DESC LIMIT ?",
                series, begin, last,
            )  # fmt: skip
            begin = min((began for _, _, began in rows), default=begin) - 1
            members = {(number, round_) for number, round_, _ in rows}
        if since is not None or last is not None:
            self._refuse_gaps(series, begin, "figures")
        return begin, members


def _probe(probe: str | None) -> tuple[str, str, int, str]:
    """What stands for a probe in a query: its name, or its number, which its name begins with; `''` is any."""
    beginning = f"probes[{probe}]" if probe and probe.isdecimal() else (probe or "")
    return beginning, beginning, len(beginning) + 1, f"{beginning} "
