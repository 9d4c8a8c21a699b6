"""`stop`: switch machines off."""

import click

from seatrial.shell.acting import act
from seatrial.shell.node_arguments import SUBSET_HELP, subset_arguments, the_subset
from seatrial.shell.shell import Shell

_EPILOG = f"""{SUBSET_HELP}
\b
Examples:
  stop node2
  stop west-1 --force
  stop 1 3
"""


@click.command("stop", epilog=_EPILOG)
@subset_arguments
@click.option("--force", "-f", is_flag=True, help="Cut the power, where the cloud knows the difference.")
@click.option("--suspend-processes", is_flag=True, help="Keep their auto-scaling groups from replacing them.")
@click.pass_obj
async def stop(shell: Shell, subsets: tuple[str, ...], force: bool, suspend_processes: bool, yes: bool) -> int:
    """Switch machines off. 'undo' and the end of the session start exactly these again.

    Without a SUBSET nothing is stopped.
    """
    subset = await the_subset(subsets, shell)
    action = {"stop": {"force": force, "suspendProcesses": suspend_processes}}
    return await act(subset.order("stop", action, how="by force" if force else ""), shell, yes=yes)
