"""`run`: a whole policy, beside what was done by hand."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from seatrial.shell.acting import agreed, is_asked, refuse_halted
from seatrial.shell.policy_files import policy_run, show_plan
from seatrial.shell.shell import Shell
from seatrial.shell.values import FILE

if TYPE_CHECKING:
    from seatrial.by_hand.policy_runs import PolicyRun
    from seatrial.report.summary import Summary
    from seatrial.runtime.events import Record
    from seatrial.runtime.plan import Plan

_EPILOG = """\b
Examples:
  run policy.yml
  run policy.yml --seed 7
"""


@click.command("run", epilog=_EPILOG)
@click.argument("file", metavar="FILE", type=FILE)
@click.option("--seed", metavar="SEED", help="Where random numbers start.")
@click.option("--yes", "-y", is_flag=True, help="Don't ask.")
@click.pass_obj
async def run(shell: Shell, file: Path, seed: str | None, yes: bool) -> int:
    """Run a policy, as 'seatrial autonomous' does, with its clean-up at its end.

    Ctrl-C stops it and cleans up, once more hurries that; the shell goes on. What was done by hand before stands.
    """
    policy = policy_run(file, seed, shell)
    await refuse_halted(shell)
    if not await _agreed_to(policy, file, shell, yes=yes):
        return 3
    await refuse_halted(shell)
    return await _carry_out(policy, shell)


async def _agreed_to(policy: "PolicyRun", file: Path, shell: Shell, *, yes: bool) -> bool:
    """Show the plan and ask: again, as long as the cluster has changed by the time of the answer."""
    title = f"run {file}{', round after round until it is stopped' if policy.is_endless else ''}"
    plan = await policy.plan()
    while True:
        show_plan(plan, shell)
        if not await agreed(title, shell, yes=yes):
            return False
        if not is_asked(title, shell, yes=yes):
            return True
        shown, plan = plan, await policy.plan()
        changes = _changes(shown, plan)
        if not changes:
            return True
        shell.output.line(f"the cluster has changed meanwhile: {'; '.join(changes)}", "yellow")


def _changes(shown: "Plan", now: "Plan") -> list[str]:
    import msgspec

    from seatrial.engine.saved_plan import SavedPlan, drift
    from seatrial.runtime.plan import plan_as_data

    return list(drift(msgspec.convert(plan_as_data(shown), SavedPlan), now))


async def _carry_out(policy: "PolicyRun", shell: Shell) -> int:
    from seatrial.engine.interrupts import Interrupts
    from seatrial.report.account import Account
    from seatrial.report.summary import Summary

    account, summary = Account(), Summary()

    def show(record: "Record") -> None:
        shell.output.account(account.lines(record))

    try:
        result = await policy.carry_out([show, summary], Interrupts())
    finally:
        _show(summary, shell)
    return result.exit_code


def _show(summary: "Summary", shell: Shell) -> None:
    console = shell.output.console
    if console.is_terminal:
        from seatrial.report.terminal import print_summary

        print_summary(summary, console)
    else:
        from seatrial.report.closing import summary_text

        shell.output.line(summary_text(summary).rstrip("\n"))
