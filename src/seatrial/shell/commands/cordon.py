"""`cordon`: let no more pods be placed on nodes."""

import click

from seatrial.shell.acting import act
from seatrial.shell.node_arguments import SUBSET_HELP, subset_arguments, the_subset
from seatrial.shell.shell import Shell

_EPILOG = f"""{SUBSET_HELP}
\b
Examples:
  cordon node2
  cordon west-1 --yes
"""


@click.command("cordon", epilog=_EPILOG)
@subset_arguments
@click.pass_obj
async def cordon(shell: Shell, subsets: tuple[str, ...], yes: bool) -> int:
    """Let no more pods be placed on nodes; those that are there stay. 'undo' lets pods in again.

    Without a SUBSET nothing is cordoned.
    """
    subset = await the_subset(subsets, shell)
    return await act(subset.order("cordon", {"cordon": {}}), shell, yes=yes)
