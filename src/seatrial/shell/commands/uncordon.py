"""`uncordon`: let pods be placed on nodes again."""

import click

from seatrial.shell.acting import act
from seatrial.shell.node_arguments import SUBSET_HELP, subset_arguments, the_subset
from seatrial.shell.shell import Shell

_EPILOG = f"""{SUBSET_HELP}
\b
Examples:
  uncordon node2
"""


@click.command("uncordon", epilog=_EPILOG)
@subset_arguments
@click.pass_obj
async def uncordon(shell: Shell, subsets: tuple[str, ...], yes: bool) -> int:
    """Let pods be placed on nodes again, whoever cordoned them.

    'undo' and the end of the session cordon those again that were cordoned before the session.
    """
    subset = await the_subset(subsets, shell)
    return await act(subset.order("uncordon", {"uncordon": {}}), shell, yes=yes)
