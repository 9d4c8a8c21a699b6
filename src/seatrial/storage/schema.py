"""The tables of a store, and how those of an earlier version become those of this one.

Each migration is carried out once, wholly or not at all. One that changes tables is added at the end; none is
ever edited, since somewhere it has been carried out.

    runs ─┬─ events           what happened, as JSON
          ├─ scenario_runs    one row for each scenario of a round          ┐
          ├─ measurements     see `slo.measurements`                        │ each of a series
          ├─ judgements       what was said of objectives                   │
          ├─ probe_runs       what a probe's samples came to in a round     │
          ├─ gaps             how much is missing, since it couldn't be kept ┘
          ├─ samples          of probes, one by one, within the raw window
          └─ probes ── probe_minutes    counts of each minute; latencies where the samples are gone

A row is known by its run and by its event's number there (`sequence`). All that a series needs stands beside its number
and its time, so that what a window holds is one stretch of an index.
"""

from collections.abc import Iterator

from seatrial.storage.database import Dialect

_TABLES_1 = """
CREATE TABLE policies (digest TEXT PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE runs (
    no {identity},
    id TEXT NOT NULL UNIQUE,
    policy TEXT NOT NULL,
    policy_digest TEXT NOT NULL,
    started {double} NOT NULL,
    seen {double} NOT NULL,
    ended {double},
    verdict TEXT,
    reasons TEXT NOT NULL DEFAULT '[]',
    exit_code INTEGER,
    rounds INTEGER NOT NULL DEFAULT 0,
    last_sequence {whole} NOT NULL DEFAULT 0,
    events_from {double},
    body TEXT NOT NULL
);
CREATE INDEX runs_started ON runs (started);
CREATE TABLE events (
    run_no {whole} NOT NULL,
    sequence {whole} NOT NULL,
    at {double} NOT NULL,
    monotonic {double} NOT NULL,
    place TEXT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (run_no, sequence)
){clustered};
CREATE TABLE series (
    id {identity},
    cluster TEXT NOT NULL,
    policy TEXT NOT NULL,
    scenario TEXT NOT NULL,
    digest TEXT NOT NULL,
    windows TEXT NOT NULL DEFAULT '[]',
    UNIQUE (cluster, policy, scenario, digest)
);
CREATE TABLE scenario_runs (
    run_no {whole} NOT NULL,
    sequence {whole} NOT NULL,
    series_id {whole} NOT NULL,
    round INTEGER NOT NULL,
    began {double} NOT NULL,
    at {double} NOT NULL,
    duration_ms {double} NOT NULL,
    verdict TEXT NOT NULL,
    reasons TEXT NOT NULL,
    PRIMARY KEY (run_no, sequence)
){clustered};
CREATE INDEX scenario_runs_of_series ON scenario_runs (series_id, at);
CREATE TABLE measurements (
    run_no {whole} NOT NULL,
    sequence {whole} NOT NULL,
    number INTEGER NOT NULL,
    series_id {whole} NOT NULL,
    round INTEGER NOT NULL,
    name TEXT NOT NULL,
    subject TEXT NOT NULL,
    value {double} NOT NULL,
    at {double} NOT NULL,
    is_lower_bound INTEGER NOT NULL,
    PRIMARY KEY (run_no, sequence, number)
){clustered};
CREATE INDEX measurements_of_series ON measurements (series_id, name, at);
CREATE TABLE judgements (
    run_no {whole} NOT NULL,
    sequence {whole} NOT NULL,
    series_id {whole} NOT NULL,
    at {double} NOT NULL,
    objective TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (run_no, sequence)
){clustered};
CREATE INDEX judgements_of_series ON judgements (series_id, at);
CREATE TABLE probe_runs (
    run_no {whole} NOT NULL,
    sequence {whole} NOT NULL,
    series_id {whole} NOT NULL,
    round INTEGER NOT NULL,
    probe TEXT NOT NULL,
    at {double} NOT NULL,
    ok {whole} NOT NULL,
    failed {whole} NOT NULL,
    unseen {whole} NOT NULL,
    PRIMARY KEY (run_no, sequence)
){clustered};
CREATE INDEX probe_runs_of_series ON probe_runs (series_id, at);
CREATE TABLE probes (
    id {identity},
    run_no {whole} NOT NULL,
    series_id {whole} NOT NULL,
    name TEXT NOT NULL,
    number INTEGER NOT NULL,
    UNIQUE (run_no, series_id, name)
);
CREATE INDEX probes_of_series ON probes (series_id);
CREATE TABLE samples (
    run_no {whole} NOT NULL,
    sequence {whole} NOT NULL,
    probe_id {whole} NOT NULL,
    at {double} NOT NULL,
    round INTEGER NOT NULL,
    result INTEGER NOT NULL,
    latency_us {whole},
    PRIMARY KEY (run_no, sequence)
){clustered};
CREATE TABLE probe_minutes (
    probe_id {whole} NOT NULL,
    minute {whole} NOT NULL,
    ok INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    unseen INTEGER NOT NULL,
    latencies {blob},
    PRIMARY KEY (probe_id, minute)
){clustered}
"""

_TABLES_2 = """
ALTER TABLE runs ADD COLUMN lost {whole} NOT NULL DEFAULT 0;
CREATE TABLE gaps (
    run_no {whole} NOT NULL,
    sequence {whole} NOT NULL,
    series_id {whole} NOT NULL,
    at {double} NOT NULL,
    figures {whole} NOT NULL,
    samples {whole} NOT NULL,
    PRIMARY KEY (run_no, series_id, sequence)
){clustered};
CREATE INDEX gaps_of_series ON gaps (series_id, at)
"""

MIGRATIONS: tuple[str, ...] = (_TABLES_1, _TABLES_2)
OF_A_SERIES = ("scenario_runs", "measurements", "judgements", "probe_runs", "gaps")
"""The tables that have rows of a run and belong to a series."""

OF_A_RUN = ("events", "samples", *OF_A_SERIES)
"""The tables that have rows of a run, beside those of its probes."""


def migrations_from(version: int, dialect: Dialect) -> Iterator[list[str]]:
    """The statements of each migration that tables of a version need."""
    names = {field: getattr(dialect, field) for field in dialect.__struct_fields__}
    for migration in MIGRATIONS[version:]:
        yield [each.strip() for each in migration.format(**names).split(";") if each.strip()]
