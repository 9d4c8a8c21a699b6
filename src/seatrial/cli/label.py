"""`seatrial label`: kill the pods that ask for it by their labels, round after round, without a policy file."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from seatrial.cli.health_options import HealthChoice, health_options
from seatrial.cli.machine_options import MachineChoice, machine_options
from seatrial.cli.metrics_options import MetricsChoice, metrics_options
from seatrial.cli.option_group import SectionedCommand, given_again
from seatrial.cli.options import RunChoice, cluster_options, guardrail_options, run_options, store_option
from seatrial.cli.reporting import ReportChoice, report_options, run_and_show
from seatrial.cli.telling_options import TellingChoice, telling_options

if TYPE_CHECKING:
    from seatrial.cli.session import SessionOptions
    from seatrial.policy.models import Policy
    from seatrial.runtime.guardrails import Guardrails

_EPILOG = """\b
Labels or annotations of a pod (a label wins), with their defaults:
  seal/enabled           true, or the pod is left alone    false
  seal/force-kill        without the pod's grace period    false
  seal/kill-probability  0 to 1, drawn anew in each round  1
  seal/days              mon,tue,wed,thu,fri,sat,sun       mon,tue,wed,thu,fri
  seal/start-time        HH-MM-SS, inclusive               10-00-00
  seal/end-time          HH-MM-SS, exclusive               17-30-00

\b
Exit codes:
  0 all passed   1 something failed   2 wrong usage
  3 inconclusive   4 clean-up incomplete   130 interrupted

\b
Examples:
  kubectl label pod web-1 seal/enabled=true
  # what would be killed now, and why other pods would not
  seatrial label --dry-run
  # in two namespaces, a round every 10 to 60 minutes, until stopped
  seatrial label --kubernetes-namespace shop,blog \\
    --min-seconds-between-runs 600 --max-seconds-between-runs 3600
"""

_NOT_OF_THE_RUN = frozenset({"dry_run", "kubernetes_namespace", "seed", "output", "log_format", "verbose", "silent"})
_FLAGS = {
    "timezone": "--timezone",
    "minSecondsBetweenRuns": "--min-seconds-between-runs",
    "maxSecondsBetweenRuns": "--max-seconds-between-runs",
}


@click.command(cls=SectionedCommand, epilog=_EPILOG)
@cluster_options
@click.option(
    "--kubernetes-namespace", default="default", show_default=True, metavar="NAMES",
    help="Where to look: a namespace, several separated by commas, or '' for all.",
)  # fmt: skip
@click.option(
    "--runs", type=click.IntRange(min=1), metavar="N", help="How many rounds to run.  [default: until stopped]"
)
@click.option(
    "--min-seconds-between-runs", "shortest_pause", type=click.FloatRange(min=0), default=0, show_default=True,
    metavar="SECONDS", help="The shortest pause between two rounds.",
)  # fmt: skip
@click.option(
    "--max-seconds-between-runs", "longest_pause", type=click.FloatRange(min=0), default=300, show_default=True,
    metavar="SECONDS", help="The longest pause between two rounds; each is picked evenly between both.",
)  # fmt: skip
@click.option(
    "--timezone", metavar="ZONE",
    help="The timezone that days and hours are meant in, such as Europe/Vienna.  [default: this machine's]",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Show which pods the first round would kill now, and touch nothing.")
@run_options
@store_option
@report_options
@guardrail_options
@metrics_options
@telling_options
@health_options
@machine_options
def label(
    kubeconfig: Path | None,
    kube_context: str | None,
    kubernetes_namespace: str,
    runs: int | None,
    shortest_pause: float,
    longest_pause: float,
    timezone: str | None,
    dry_run: bool,
    run: RunChoice,
    store: str | None,
    report: ReportChoice,
    guardrails: "Guardrails",
    metrics: MetricsChoice,
    telling: TellingChoice,
    health: HealthChoice,
    machines: MachineChoice,
) -> int:
    """Kill the pods that ask for it by their own labels or annotations, in their own hours.

    It goes round after round; each is a scenario with a verdict, as in a policy. A pod whose Deployment (or other
    owner) or namespace says `seal/enabled: "false"` is left alone. Ctrl-C (or SIGTERM) stops.
    """
    from msgspec.structs import replace

    from seatrial.cli.session import SessionOptions
    from seatrial.state_directory import state_directory
    from seatrial.storage.store import store_for_run

    if longest_pause < shortest_pause:
        message = f"--max-seconds-between-runs ({longest_pause:g}) is less than the minimum ({shortest_pause:g})"
        raise click.UsageError(message, click.get_current_context())
    namespaces = _namespaces(kubernetes_namespace)
    policy = _policy(namespaces, timezone, runs=runs, shortest_pause=shortest_pause, longest_pause=longest_pause)
    options = SessionOptions(
        policy=policy,
        policy_name=f"label mode ({_in_words(namespaces)})",
        kubeconfig=kubeconfig,
        kube_context=kube_context,
        seed=run.seed,
        recovery_timeout_seconds=run.recovery_timeout_seconds,
        max_parallel=run.max_parallel,
        state_directory=run.state_directory,
        halt_namespace=run.halt_namespace,
        guardrails=guardrails,
        machines=machines,
    )
    if dry_run:
        return _show_plan(options, kubernetes_namespace, output=report.output)
    kept = store_for_run(store, state=state_directory(run.state_directory))
    return run_and_show(replace(options, store=kept), report=report, metrics=metrics, health=health, telling=telling)


def _namespaces(text: str) -> list[str]:
    """All namespaces only where nothing is said: a comma too many must not mean everything."""
    named = [each for each in (part.strip() for part in text.split(",")) if each]
    return list(dict.fromkeys(named)) or [""]


def _policy(
    namespaces: list[str], timezone: str | None, *, runs: int | None, shortest_pause: float, longest_pause: float
) -> "Policy":
    from pydantic import ValidationError

    from seatrial.steps.registry import policy_model

    strategy = {"runs": runs, "minSecondsBetweenRuns": shortest_pause, "maxSecondsBetweenRuns": longest_pause}
    step = {"labelMode": {"namespaces": namespaces, "timezone": timezone}}
    scenario = {"name": "label mode", "steps": [step]}
    try:
        return policy_model().model_validate({"config": {"runStrategy": strategy}, "scenarios": [scenario]})
    except ValidationError as error:  # what click doesn't know: the names of timezones, what is no number
        problem = error.errors()[0]
        name = _FLAGS[str(problem["loc"][-1])]
        raise click.UsageError(f"{name}: {problem['msg']}", click.get_current_context()) from error


def _show_plan(options: "SessionOptions", namespaces: str, *, output: str) -> int:
    """Show what the first round would do; answers what `seatrial plan` would."""
    import asyncio

    from rich.console import Console

    from seatrial.cli.planning import plan_of
    from seatrial.report.plan import plan_as_json, print_plan

    made = asyncio.run(plan_of(options))
    if output == "json":
        click.echo(plan_as_json(made))
        return 0 if made.allowed else 3
    arguments = ["--kubernetes-namespace", namespaces, *given_again(without=_NOT_OF_THE_RUN)]
    print_plan(made, Console(highlight=False), command=["label"], arguments=arguments)
    return 0 if made.allowed else 3


def _in_words(namespaces: list[str]) -> str:
    if set(namespaces) & {"", "*"}:
        return "all namespaces"
    return f"namespace{'s' * (len(namespaces) > 1)} {', '.join(namespaces)}"
