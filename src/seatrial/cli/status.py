"""`seatrial status`: whether experiments are halted on a cluster, what runs, and what was left behind."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seatrial.cli.options import cluster_options, halt_namespace_option, output_option, state_dir_option

if TYPE_CHECKING:
    from seatrial.runtime.journal import JournaledRun

_EPILOG = """\b
Exit codes:
  0 experiments may run   3 halted, or the cluster can't be reached
  4 something is left to undo
"""


@click.command(epilog=_EPILOG)
@halt_namespace_option
@state_dir_option
@cluster_options
@output_option("the status")
def status(
    halt_namespace: str, state_dir: Path | None, kubeconfig: Path | None, kube_context: str | None, output: str
) -> int:
    """Show whether experiments are halted, which runs of this machine are at work, and what was left behind."""
    import asyncio
    import json

    from seatrial.report.status import status_lines

    found = asyncio.run(_look(halt_namespace, state_dir, kubeconfig, kube_context))
    click.echo(json.dumps(found, indent=2) if output == "json" else "\n".join(status_lines(found)))
    if any(run["state"] == "dead" and not run["kept"] for run in found["runs"]):
        return 4
    return 0 if found["halted"] is False else 3


async def _look(
    halt_namespace: str, state_dir: Path | None, kubeconfig: Path | None, kube_context: str | None
) -> dict[str, Any]:
    from msgspec.structs import asdict

    from seatrial import __version__
    from seatrial.engine.halt_mark import read_mark
    from seatrial.errors import SeatrialError
    from seatrial.kube.client import connect
    from seatrial.runtime.journal import Journal
    from seatrial.state_directory import state_directory

    journal = await Journal.open(state_directory(state_dir))
    try:
        runs = [run for run in await journal.runs() if run.open_undos or not run.sighting.is_dead]
    finally:
        await journal.close()
    found: dict[str, Any] = {
        "version": __version__,
        "journal": str(journal.path),
        "server": None,
        "error": None,
        "halted": None,
        "halt": None,
        "haltNamespace": halt_namespace,
        "runs": [_run(run) for run in runs],
    }
    try:
        async with await connect(kubeconfig=kubeconfig, context=kube_context) as cluster:
            found["server"] = cluster.server
            mark = await read_mark(cluster, namespace=halt_namespace)
            found |= {"halted": mark is not None, "halt": asdict(mark) if mark else None}
    except SeatrialError as error:
        found["error"] = error.message
    return found


def _run(run: "JournaledRun") -> dict[str, Any]:
    return {
        "run": run.entry.id,
        "policy": run.entry.policy,
        "started": run.started,
        "by": run.who,
        "server": run.entry.server,
        "state": run.sighting.liveness.value,
        "seen": str(run.sighting),
        "openUndos": run.open_undos,
        "kept": run.kept,
    }
