"""`seatrial autonomous`: run the experiments of a policy, show what happens, and clean up after them."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from seatrial.cli.machine_options import MachineChoice, machine_options
from seatrial.cli.metrics_options import MetricsChoice, metrics_options
from seatrial.cli.option_group import SectionedCommand
from seatrial.cli.options import (
    FILE,
    RunChoice,
    cluster_options,
    guardrail_options,
    policy_option,
    run_options,
    web_options,
)
from seatrial.cli.reporting import ReportChoice, report_options, run_and_show

if TYPE_CHECKING:
    from seatrial.actions.manifest_text import Manifest
    from seatrial.engine.saved_plan import SavedPlan
    from seatrial.runtime.guardrails import Guardrails

_EPILOG = """\b
Exit codes:
  0 all passed   1 something failed   2 wrong usage or invalid policy
  3 inconclusive   4 clean-up incomplete   130 interrupted, after clean-up

\b
Examples:
  # the first experiment, on a cluster that comes with the tool
  seatrial autonomous --sandbox --load examples/manifests/goldpinger.yml \\
    --policy-file examples/kill-half.yml
  # on the cluster of a kubeconfig context, exactly what the plan showed
  seatrial plan policy.yml --context staging --output json > plan.json
  seatrial autonomous --policy-file policy.yml --context staging \\
    --plan plan.json
  # in CI: log lines as JSON on standard error, the result on standard output
  seatrial autonomous --policy-file policy.yml --log-format json --output json
"""


@click.command(cls=SectionedCommand, epilog=_EPILOG)
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
@click.option(
    "--plan", "plan_file", metavar="FILE", type=FILE,
    help="A plan saved with 'seatrial plan --output json': run with its seed, if the cluster is still as then.",
)  # fmt: skip
@run_options
@report_options
@guardrail_options
@metrics_options
@machine_options
@web_options
def autonomous(
    policy_file: Path,
    kubeconfig: Path | None,
    kube_context: str | None,
    sandbox: bool,
    manifests: tuple[Path, ...],
    load_timeout: float,
    plan_file: Path | None,
    run: RunChoice,
    report: ReportChoice,
    guardrails: "Guardrails",
    metrics: MetricsChoice,
    machines: MachineChoice,
    web: str,
) -> int:
    """Run the experiments of a policy: on a cluster that a kubeconfig leads to, or on an embedded one.

    Ctrl-C (or SIGTERM) stops the run and cleans up; a second one hurries the clean-up.
    """
    from seatrial.cli.session import SessionOptions
    from seatrial.policy.load import load_policy
    from seatrial.steps.registry import policy_model

    if sandbox and (kubeconfig or kube_context):
        raise click.UsageError("--sandbox goes without --kubeconfig and --context", click.get_current_context())
    if plan_file and (sandbox or manifests):
        raise click.UsageError("--plan goes without --sandbox and --load", click.get_current_context())
    plan = _plan_in(plan_file) if plan_file else None
    options = SessionOptions(
        policy=load_policy(policy_file, model=policy_model()),
        policy_name=str(policy_file),
        kubeconfig=kubeconfig,
        kube_context=kube_context,
        sandbox=sandbox,
        manifests=tuple(manifest for file in manifests for manifest in _manifests_in(file)),
        load_timeout_seconds=load_timeout,
        seed=plan.seed if plan and run.seed is None else run.seed,
        recovery_timeout_seconds=run.recovery_timeout_seconds,
        max_parallel=run.max_parallel,
        state_directory=run.state_directory,
        halt_namespace=run.halt_namespace,
        guardrails=guardrails,
        machines=machines,
        plan=plan,
    )
    return run_and_show(options, report=report, metrics=metrics, warnings=[web] if web else [])


def _plan_in(file: Path) -> "SavedPlan":
    from seatrial.engine.saved_plan import read_plan

    return read_plan(file)


def _manifests_in(file: Path) -> "list[Manifest]":
    from seatrial.actions.manifest_text import read_manifests

    return read_manifests(file)
