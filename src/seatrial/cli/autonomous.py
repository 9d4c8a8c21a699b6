"""`seatrial autonomous`: run the experiments of a policy, show what happens, and clean up after them."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from seatrial.cli.health_options import HealthChoice, health_options
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
    store_option,
    web_options,
)
from seatrial.cli.reporting import ReportChoice, report_options, run_and_show
from seatrial.cli.telling_options import TellingChoice, telling_options

if TYPE_CHECKING:
    from seatrial.actions.manifest_text import Manifest
    from seatrial.cli.session import FollowedFile
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
  # for weeks: what is edited holds from the next round on
  seatrial autonomous --policy-file policy.yml --health-port 8081 \\
    --log-file seatrial.log
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
@click.option(
    "--reload/--no-reload", "follows", default=True,
    help="Take over changes of the policy's file at the next round; a run that is held to a --plan never does.  "
    "[default: reload]",
)  # fmt: skip
@run_options
@store_option
@report_options
@guardrail_options
@metrics_options
@telling_options
@health_options
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
    follows: bool,
    run: RunChoice,
    store: str | None,
    report: ReportChoice,
    guardrails: "Guardrails",
    metrics: MetricsChoice,
    telling: TellingChoice,
    health: HealthChoice,
    machines: MachineChoice,
    web: str,
) -> int:
    """Run the experiments of a policy: on a cluster that a kubeconfig leads to, or on an embedded one.

    Ctrl-C (or SIGTERM) stops the run and cleans up; a second one hurries the clean-up.
    """
    from seatrial.cli.policy_names import policy_name
    from seatrial.cli.session import SessionOptions
    from seatrial.engine.policy_file import timetable_of
    from seatrial.policy.load import load_policy, read_policy
    from seatrial.state_directory import state_directory
    from seatrial.steps.registry import policy_model
    from seatrial.storage.store import store_for_run

    if sandbox and (kubeconfig or kube_context):
        raise click.UsageError("--sandbox goes without --kubeconfig and --context", click.get_current_context())
    if plan_file and (sandbox or manifests):
        raise click.UsageError("--plan goes without --sandbox and --load", click.get_current_context())
    plan = _plan_in(plan_file) if plan_file else None
    content = read_policy(policy_file)
    policy = load_policy(content, model=policy_model(), name=str(policy_file))
    timetable_of(policy, directory=policy_file.parent)  # to say now what is wrong with its holidays
    options = SessionOptions(
        policy=policy,
        policy_name=policy_name(policy_file),
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
        policy_text=content.decode(errors="replace"),
        policy_directory=policy_file.parent,
        followed=_followed(policy_file, content) if follows and not plan else None,
        store=store_for_run(store, state=state_directory(run.state_directory)),
    )
    warnings = [web] if web else []
    return run_and_show(options, report=report, metrics=metrics, health=health, telling=telling, warnings=warnings)


def _followed(file: Path, content: bytes) -> "FollowedFile | None":
    """What can be looked at again; a pipe can't."""
    from seatrial.cli.session import FollowedFile

    return FollowedFile(file, content) if file.is_file() else None


def _plan_in(file: Path) -> "SavedPlan":
    from seatrial.engine.saved_plan import read_plan

    return read_plan(file)


def _manifests_in(file: Path) -> "list[Manifest]":
    from seatrial.actions.manifest_text import read_manifests

    return read_manifests(file)
