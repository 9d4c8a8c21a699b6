"""`drain`: cordon nodes and evict what runs on them."""

from typing import Any

import click

from seatrial.shell.acting import act
from seatrial.shell.node_arguments import SUBSET_HELP, subset_arguments, the_subset
from seatrial.shell.shell import Shell

_EPILOG = f"""{SUBSET_HELP}
\b
Examples:
  drain node2
  drain west-1 --grace 30 --timeout 120 --delete-empty-dir-data
"""


@click.command("drain", epilog=_EPILOG)
@subset_arguments
@click.option("--grace", type=click.IntRange(min=0), metavar="SECONDS",
              help="How long each pod may take to end; else as long as it says.")  # fmt: skip
@click.option("--timeout", "timeout_seconds", type=click.FloatRange(min=0), default=300.0, show_default=True,
              metavar="SECONDS", help="How long to try, where budgets forbid evictions.")  # fmt: skip
@click.option("--force", "-f", is_flag=True, help="Evict pods that no controller replaces, too.")
@click.option("--delete-empty-dir-data", is_flag=True, help="Evict pods with emptyDir volumes, too.")
@click.pass_obj
async def drain(
    shell: Shell,
    subsets: tuple[str, ...],
    grace: int | None,
    timeout_seconds: float,
    force: bool,
    delete_empty_dir_data: bool,
    yes: bool,
) -> int:
    """Cordon nodes and evict their pods, as far as PodDisruptionBudgets allow. 'undo' lets pods in again.

    Pods of DaemonSets and static pods stay. Without a SUBSET nothing is drained.
    """
    subset = await the_subset(subsets, shell)
    said: dict[str, Any] = {"timeout": timeout_seconds, "force": force, "deleteEmptyDirData": delete_empty_dir_data}
    if grace is not None:
        said["gracePeriodSeconds"] = grace
    return await act(subset.order("drain", {"drain": said}), shell, yes=yes)
