"""Policy files, as `plan` and `run` take them: read, and shown as a plan."""

from pathlib import Path
from typing import TYPE_CHECKING

from seatrial.shell.shell import Shell

if TYPE_CHECKING:
    from seatrial.by_hand.policy_runs import PolicyRun
    from seatrial.runtime.plan import Plan


def policy_run(file: Path, seed: str | None, shell: Shell) -> "PolicyRun":
    """The policy of a file, ready to be planned or run.

    Raises:
        PolicyError: it is invalid; it holds all its problems.
        ConfigurationError: the file can't be read.
    """
    from seatrial.by_hand.policy_runs import PolicyRun
    from seatrial.policy.load import load_policy
    from seatrial.steps.registry import policy_model

    policy = load_policy(file, model=policy_model())
    return PolicyRun(policy, shell.session, name=str(file), seed=seed)


def show_plan(plan: "Plan", shell: Shell) -> None:
    """Show what a policy's first round would do."""
    from seatrial.report.plan import print_plan

    print_plan(plan, shell.output.console, advises=False)
    if not plan.allowed:
        shell.output.line("As the cluster is now, what is marked above would be refused.", "yellow")
