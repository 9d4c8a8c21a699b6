"""`seatrial slo`: how the objectives of kept runs stand, now or over a window."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seatrial.cli.option_group import F
from seatrial.cli.options import FILE, output_option, state_dir_option, store_option

if TYPE_CHECKING:
    from seatrial.report.standings import Held, Standing
    from seatrial.storage.store import Store

_EXIT_CODES = """\b
Exit codes:
  0 all objectives are met   1 one is violated   2 wrong usage
  3 not enough evidence, or no objectives are known
"""


@click.group(
    epilog="""\b
Examples:
  seatrial slo status
  seatrial slo report --window 7d > weekly.md
"""
)
def slo() -> None:
    """Show how the objectives of policies stand, by what is kept of their runs."""


def _which(command: F) -> F:
    """Which objectives are meant."""
    for add in reversed(
        (
            click.option(
                "--policy-file", metavar="FILE", type=FILE,
                help="The objectives of this policy, as it is now.  [default: those of all policies that were run]",
            ),
            click.option("--scenario", metavar="NAME", help="Those of this scenario only."),
            store_option,
            state_dir_option,
        )
    ):  # fmt: skip
        command = add(command)
    return command


@slo.command(
    epilog=_EXIT_CODES
    + """
\b
Examples:
  seatrial slo status
  seatrial slo status --policy-file policy.yml
  # in CI: fail when one is violated or still open
  seatrial slo status --policy-file policy.yml --output json \\
    | jq '.objectives[].status'
"""
)
@_which
@output_option("the status")
def status(
    policy_file: Path | None, scenario: str | None, store: str | None, state_dir: Path | None, output: str
) -> int:
    """Judge every objective on what is kept now.

    For each: met, violated or not enough evidence; the estimate with its bounds; what is left of its error budget, and
    how fast that goes; what gets worse; the latest values.
    """
    import json
    import sys

    from seatrial.report.slo import status_lines
    from seatrial.report.standings import exit_code

    standings = _standings(policy_file, scenario, store, state_dir, window=None)
    if output == "json":
        click.echo(json.dumps({"objectives": [each.as_json() for each in standings]}, indent=2))
    elif standings:
        plain = not (sys.stdout.encoding or "").lower().startswith("utf")
        for line in status_lines(standings, plain=plain):
            click.echo(line)
    else:
        click.echo(_NONE)
    return exit_code(standings)


@slo.command(
    epilog=_EXIT_CODES
    + """
\b
Examples:
  seatrial slo report
  seatrial slo report --window 7d > weekly.md
  seatrial slo report --policy-file policy.yml --output json
"""
)
@click.option(
    "--window", metavar="SPAN",
    help="Look back so far instead of each objective's own window: 24h, 30d, or 200 runs.",
)  # fmt: skip
@_which
@click.option(
    "--output", "-o", type=click.Choice(["markdown", "json"]), default="markdown", show_default=True,
    help="How to print the report.",
)  # fmt: skip
def report(
    window: str | None,
    policy_file: Path | None,
    scenario: str | None,
    store: str | None,
    state_dir: Path | None,
    output: str,
) -> int:
    """Report on objectives over a window.

    For people who were not there: how each stands, why, and when that changed.
    """
    import json
    import time

    from seatrial.report.slo import report_markdown
    from seatrial.report.standings import exit_code

    standings = _standings(policy_file, scenario, store, state_dir, window=window or "")
    if output == "json":
        click.echo(json.dumps({"window": window, "objectives": [each.as_json() for each in standings]}, indent=2))
    else:
        click.echo(report_markdown(standings, window=window or "", now=time.time()), nl=False)
    return exit_code(standings)


_NONE = "no objectives are known: run a policy that has some, or name it with --policy-file"


def _standings(
    policy_file: Path | None, scenario: str | None, address: str | None, state_dir: Path | None, *, window: str | None
) -> "Sequence[Standing]":
    """Judge; with a window, also tell what changed, and look back so far where it isn't empty."""
    import time

    from seatrial.cli.store_lookup import opened_store
    from seatrial.policy.objectives import window_seconds
    from seatrial.report.standings import standing

    now = time.time()
    seconds = _checked(window) if window else None
    with opened_store(address, state_dir) as store:
        held = [each for each in _held(policy_file, store) if scenario in {None, each.key.scenario}]
        if window:
            held = [_over(window, each) for each in held]
        standings = []
        for each in held:
            back = seconds if window else window_seconds(each.objective.window)
            since = None if window is None else now - back if back is not None else 0.0
            standings.append(standing(each, store, now=now, since=since))
        return standings


def _checked(window: str) -> float | None:
    from seatrial.errors import UsageError
    from seatrial.policy.objectives import window_seconds

    try:
        return window_seconds(window)
    except UsageError:
        message = f"--window: '{window}' is neither a span of time (24h, 30d) nor a number of runs (200 runs)"
        raise click.UsageError(message, click.get_current_context()) from None


def _held(policy_file: Path | None, store: "Store") -> "Sequence[Held]":
    from seatrial.report.standings import held_by, held_in

    if policy_file is None:
        return held_in(store)
    from seatrial.cli.policy_names import policy_name
    from seatrial.policy.load import load_policy
    from seatrial.slo.digest import digest_of
    from seatrial.steps.registry import policy_model

    policy = load_policy(policy_file, model=policy_model())
    digests = {each.name: digest_of(each) for each in policy.scenarios}
    return held_by(policy.scenarios, store, policy=policy_name(policy_file), digests=digests)


def _over(window: str, held: "Held") -> "Held":
    import msgspec

    objective = held.objective
    if objective.sequential is not None:
        return held  # it counts the rounds of one run
    # Its name must stay what judgements are kept under.
    return msgspec.structs.replace(
        held, objective=objective.model_copy(update={"window": window, "name": objective.label})
    )
