"""`seatrial autonomous`: run the experiments of a policy, show what happens, and clean up after them."""

from pathlib import Path
from typing import Literal

import click

from seatrial.cli.options import (
    FILE,
    cluster_options,
    output_option,
    parse_seed,
    policy_option,
    seed_option,
    state_dir_option,
)

_EPILOG = """\b
Exit codes:
  0 all passed   1 something failed   2 wrong usage or invalid policy
  3 inconclusive   4 clean-up incomplete   130 interrupted, after clean-up

\b
Examples:
  # the first experiment, on a cluster that comes with the tool
  seatrial autonomous --sandbox --load examples/goldpinger.yml --policy-file examples/kill-half.yml
  # on the cluster of a kubeconfig context, with the same victims as the plan showed
  seatrial plan policy.yml --context staging --seed 7
  seatrial autonomous --policy-file policy.yml --context staging --seed 7
  # in CI: JSON log lines on standard error, the result as JSON on standard output
  seatrial autonomous --policy-file policy.yml --log-format json --output json
"""


@click.command(epilog=_EPILOG)
@policy_option
@cluster_options
@click.option("--sandbox", is_flag=True, help="Start an embedded cluster for this run, and take it down afterwards.")
@click.option(
    "--load", "manifests", multiple=True, metavar="FILE", type=FILE,
    help="Apply these manifests first, wait until they are ready, and take them back at the end.",
)  # fmt: skip
@click.option(
    "--load-timeout", type=click.FloatRange(min=0), default=120, show_default=True, metavar="SECONDS",
    help="How long to wait until what was loaded is ready.",
)  # fmt: skip
@seed_option
@click.option(
    "--recovery-timeout", type=click.FloatRange(min=0), default=60, show_default=True, metavar="SECONDS",
    help="How long a scenario waits at its end for the replacements of killed pods; 0 doesn't wait or measure.",
)  # fmt: skip
@click.option(
    "--max-parallel", type=click.IntRange(min=1), default=50, show_default=True, metavar="N",
    help="How many changes may be on their way to the API server at once.",
)  # fmt: skip
@state_dir_option
@click.option(
    "--log-format", type=click.Choice(["text", "json"]),
    help="Write log lines of this form to standard error.  [default: text, unless standard output is a terminal]",
)  # fmt: skip
@output_option("the closing summary")
@click.option("--verbose", "-v", count=True, help="Log more.")
@click.option("--silent", "-s", is_flag=True, help="Show nothing but errors and the closing summary.")
def autonomous(
    policy_file: Path,
    kubeconfig: Path | None,
    kube_context: str | None,
    sandbox: bool,
    manifests: tuple[Path, ...],
    load_timeout: float,
    seed: str | None,
    recovery_timeout: float,
    max_parallel: int,
    state_dir: Path | None,
    log_format: Literal["text", "json"] | None,
    output: str,
    verbose: int,
    silent: bool,
) -> int:
    """Run the experiments of a policy: on a cluster that a kubeconfig leads to, or on an embedded one.

    Ctrl-C (or SIGTERM) stops the run and cleans up; a second one hurries the clean-up.
    """
    import asyncio
    import json

    from rich.console import Console

    from seatrial.actions.manifests import read_manifests
    from seatrial.cli.session import SessionOptions, run_session
    from seatrial.policy.load import load_policy
    from seatrial.report.summary import Summary
    from seatrial.report.terminal import TerminalReport, print_summary
    from seatrial.steps.registry import policy_model
    from seatrial.telemetry.log import LogReport, configure_logging

    if sandbox and (kubeconfig or kube_context):
        raise click.UsageError("--sandbox goes without --kubeconfig and --context", click.get_current_context())
    policy = load_policy(policy_file, model=policy_model())
    options: SessionOptions = SessionOptions(
        policy=policy,
        policy_name=str(policy_file),
        kubeconfig=kubeconfig,
        kube_context=kube_context,
        sandbox=sandbox,
        manifests=tuple(manifest for file in manifests for manifest in read_manifests(file)),
        load_timeout_seconds=load_timeout,
        seed=parse_seed(seed),
        recovery_timeout_seconds=recovery_timeout,
        max_parallel=max_parallel,
        state_directory=state_dir,
    )
    console = Console(highlight=False)
    plain = click.get_current_context().color is False  # `cli.main` has looked at NO_COLOR and TERM
    configure_logging(log_format=log_format or "text", verbose=verbose, silent=silent, plain=plain)
    watched = console.is_terminal and log_format is None and output == "text"
    summary = Summary()
    account = TerminalReport(console) if watched else LogReport()
    try:
        result = asyncio.run(run_session(options, [summary] if silent else [account, summary]))
    finally:
        account.close()
    if output == "json":
        click.echo(json.dumps(summary.as_json(), indent=2))
    else:
        print_summary(summary, console)
    return result.exit_code
