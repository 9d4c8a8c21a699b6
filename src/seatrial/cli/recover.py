"""`seatrial recover`: what runs that died left behind, undone, listed, or forgotten."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from seatrial.cli.options import cluster_options, output_option, state_dir_option

if TYPE_CHECKING:
    from seatrial.runtime.journal import Journal, JournaledRun

_EPILOG = """\b
Exit codes:
  0 all is undone, or there was nothing to undo   2 wrong usage
  3 a run that was named is alive   4 something is left
  130 interrupted

\b
Examples:
  # which runs left what behind, and the commands that undo it by hand
  seatrial recover --list
  # undo it, as the next `seatrial autonomous` would
  seatrial recover
  # take back what a session by hand was told to keep
  seatrial recover --run 3f2a9c1b7d50
  # its cluster is gone for good
  seatrial recover --forget 3f2a9c1b7d50
"""


@click.command(epilog=_EPILOG)
@click.option("--list", "only_list", is_flag=True, help="Show what is left, and touch nothing.")
@click.option("--run", "run_id", metavar="RUN", help="Undo what this run left or kept, and nothing else.")
@click.option("--forget", metavar="RUN", help="Drop what this run left: its cluster is gone, or a person mended it.")
@click.option("--yes", "-y", is_flag=True, help="Forget without asking.")
@state_dir_option
@cluster_options
@output_option("what is left and what was done")
def recover(
    only_list: bool,
    run_id: str | None,
    forget: str | None,
    yes: bool,
    state_dir: Path | None,
    kubeconfig: Path | None,
    kube_context: str | None,
    output: str,
) -> int:
    """Undo what runs that died left behind, from this machine's journal.

    What a session by hand kept on purpose is undone where --run names it. Each run's changes are undone on its own
    cluster. The cluster of --kubeconfig and --context is searched for what runs left there that this journal doesn't
    know.
    """
    import asyncio

    if sum(map(bool, (only_list, run_id, forget))) > 1:
        raise click.UsageError("--list, --run and --forget go alone", click.get_current_context())
    if forget:
        return asyncio.run(_forget(forget, state_dir, yes=yes))
    return asyncio.run(
        _recover(state_dir, kubeconfig, kube_context, run_id=run_id, only_list=only_list, as_json=output == "json")
    )


async def _recover(
    state_dir: Path | None,
    kubeconfig: Path | None,
    kube_context: str | None,
    *,
    run_id: str | None,
    only_list: bool,
    as_json: bool,
) -> int:
    import json
    from contextlib import AsyncExitStack

    from seatrial.cli.recovery import finish_runs, look_for_leftovers
    from seatrial.report.recovery import RecoveryReport, recovery_lines
    from seatrial.runtime.journal import Journal
    from seatrial.state_directory import state_directory

    async with AsyncExitStack() as stack:
        journal = await Journal.open(state_directory(state_dir))
        stack.push_async_callback(journal.close)
        every = await journal.runs()
        runs = [await _named(journal, run_id)] if run_id else [run for run in every if run.open_undos]
        undos = {run.entry.id: await journal.open_undos(run.entry.id) for run in runs}
        left = [] if only_list else [run for run in runs if run_id or not run.kept]
        finished = await finish_runs(left, journal, shown=not as_json) if left else {}
        leftovers = None
        if not run_id:
            leftovers = await look_for_leftovers(kubeconfig, kube_context, known=[run.entry.id for run in every])
    report = RecoveryReport(runs=tuple(runs), undos=undos, finished=finished, leftovers=leftovers)
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=2))
    else:
        click.echo("\n".join(recovery_lines(report)))
    if only_list:
        return 0
    if run_id and report.is_left_alone(run_id):
        return 3
    return 4 if report.is_incomplete else 0


async def _forget(run_id: str, state_dir: Path | None, *, yes: bool) -> int:
    import asyncio

    from seatrial.errors import UsageError
    from seatrial.runtime.journal import Journal
    from seatrial.runtime.liveness import Liveness
    from seatrial.state_directory import state_directory

    journal = await Journal.open(state_directory(state_dir))
    try:
        run = await _named(journal, run_id)
        if run.sighting.liveness is Liveness.ALIVE:
            raise UsageError(f"run {run_id} is {run.sighting}", hint="stop it first: it undoes its changes itself")
        click.echo(
            f"run {run_id} of {run.entry.policy}, started {run.started} by {run.who}, left on {run.entry.server}:"
        )
        for written in await journal.open_undos(run_id):
            click.echo(f"  {written.undo.description}\n    by hand: {written.undo.manual}")
        if not yes and not await asyncio.to_thread(click.confirm, "Forget this? Nothing will undo it any more."):
            return 4
        await journal.forget(run_id)
    finally:
        await journal.close()
    click.echo("forgotten")
    return 0


async def _named(journal: "Journal", run_id: str) -> "JournaledRun":
    from seatrial.errors import UsageError

    found = [run for run in await journal.runs() if run.entry.id == run_id and run.open_undos]
    if not found:
        raise UsageError(f"the journal has no run {run_id} that left anything", hint="see: seatrial recover --list")
    return found[0]
