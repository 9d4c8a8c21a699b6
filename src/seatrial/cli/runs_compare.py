"""`seatrial runs compare`: two runs, or all runs before and after a date or a change of a policy."""

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seatrial.cli.options import output_option
from seatrial.cli.store_lookup import opened_store, stored

if TYPE_CHECKING:
    from seatrial.report.kept_runs.comparing import Series
    from seatrial.slo.series import Point, SeriesKey
    from seatrial.storage.store import Store

    Chosen = Callable[[SeriesKey, Point], bool]

_EPILOG = """\b
Exit codes:
  0 nothing got worse, as far as it shows   1 something got worse
  2 wrong usage   3 there is nothing to compare

\b
Examples:
  seatrial runs compare 3f2a last
  # all runs before and after a release
  seatrial runs compare --before 2026-11-24T14:00
  seatrial runs compare --before 2026-11-01 --after 2026-11-24 --policy a.yml
  # before and after the scenario was edited: digests as `runs list -o json`
  # has them
  seatrial runs compare --before 5dc0a1b2 --after 91aa0c3d
"""
_DIGEST = re.compile(r"[0-9a-f]{6,16}")


@click.command(epilog=_EPILOG)
@click.argument("runs", nargs=-1, metavar="[RUN RUN]")
@click.option("--before", metavar="WHEN", help="Runs before this date or time, or with this digest of their scenario.")
@click.option("--after", metavar="WHEN", help="Runs from then on, or with that digest.  [default: --before]")
@click.option("--policy", metavar="FILE", help="Runs of this policy.  [default: the one that ran last]")
@click.option("--scenario", metavar="NAME", help="This scenario only.")
@click.option(
    "--confidence", type=click.FloatRange(0.5, 0.9999), default=0.95, show_default=True, metavar="SHARE",
    help="How sure to be of a difference.",
)  # fmt: skip
@stored
@output_option("the comparison")
def compare(
    runs: tuple[str, ...],
    before: str | None,
    after: str | None,
    policy: str | None,
    scenario: str | None,
    confidence: float,
    store: str | None,
    state_dir: Path | None,
    output: str,
) -> int:
    """Compare what was measured in two runs, or in all runs before and after a moment.

    For each measurement: whether times got longer (Mann-Whitney's test), by how much, and how the 95th percentile
    moved; for scenarios that pass or don't, Fisher's test.
    """
    import json

    from seatrial.cli.policy_names import policy_name
    from seatrial.report.kept_runs.comparing import Outcome, compared, compared_as_json

    usage = click.get_current_context()
    if len(runs) != (0 if before or after else 2):
        raise click.UsageError("name two runs, or one moment with --before", usage)
    with opened_store(store, state_dir) as kept:
        if runs:
            first, second = (_of_run(kept, each, scenario) for each in runs)
        else:
            begin, end = _sides(before or after or "", after or before or "", kept)
            named = policy_name(policy) if policy else None
            first = _of_series(kept, begin, policy=named, scenario=scenario)
            second = _of_series(kept, end, policy=named, scenario=scenario)
    found = compared(first, second, confidence=confidence)
    if output == "json":
        click.echo(json.dumps(compared_as_json(found), indent=2))
    elif not found:
        click.echo("Nothing was measured on either side.")
    else:
        for each in found:
            click.echo(f"{each.scenario}, {each.name}, {each.before} times and {each.after}: {each.outcome}")
            click.echo(f"  {each.text}")
    outcomes = {each.outcome for each in found}
    if Outcome.WORSE in outcomes:
        return 1
    return 3 if outcomes <= {Outcome.UNKNOWN} else 0


def _of_run(kept: "Store", name: str, scenario: str | None) -> "Series":
    """The measurements of a run."""
    found: dict[tuple[str, str], list[tuple[float, bool]]] = {}
    for each in kept.measurements(kept.run(name).id):
        if scenario in {None, each.scenario}:
            found.setdefault((each.scenario, each.name), []).append((each.value, each.is_lower_bound))
    return found


def _of_series(kept: "Store", chosen: "Chosen", *, policy: str | None, scenario: str | None) -> "Series":
    """The chosen measurements of all runs of a policy on the cluster where it ran last."""
    keys = [each for each in kept.keys() if policy in {None, each.policy}]  # noqa: SIM118 -- the store is no mapping
    latest = keys[:1]
    found: dict[tuple[str, str], list[tuple[float, bool]]] = {}
    for key in keys:
        if (key.policy, key.cluster) != (latest[0].policy, latest[0].cluster) or scenario not in {None, key.scenario}:
            continue
        for name in kept.measured(key):
            values = [(each.value, each.is_lower_bound) for each in kept.points(key, name) if chosen(key, each)]
            if values:
                found.setdefault((key.scenario, name), []).extend(values)
    return found


def _sides(before: str, after: str, kept: "Store") -> "tuple[Chosen, Chosen]":
    """What belongs to each side.

    Raises:
        click.UsageError: that can't be told.
    """
    begin, end = _moment(before), _moment(after)
    if before == after and begin is None:
        message = f"{before!r} is no date; with a digest, both --before and --after are needed"
        raise click.UsageError(message, click.get_current_context())
    digests = {each.digest for each in kept.keys()}  # noqa: SIM118 -- the store is no mapping
    return (
        (lambda _, point: point.at < begin) if begin is not None else _with_digest(before, digests),
        (lambda _, point: point.at >= end) if end is not None else _with_digest(after, digests),
    )


def _with_digest(text: str, digests: set[str]) -> "Chosen":
    found = [each for each in digests if _DIGEST.fullmatch(text) and each.startswith(text)]
    if len(found) != 1:
        message = f"{text!r} is no date or time (2026-11-24, 2026-11-24T14:00), and no digest of a scenario that ran"
        raise click.UsageError(message, click.get_current_context())
    return lambda key, _: key.digest == found[0]


def _moment(text: str) -> float | None:
    """A date or time, by this machine's clock where it names no zone."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None
