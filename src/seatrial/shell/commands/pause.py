"""`pause`: freeze machines where they stand."""

import click

from seatrial.shell.acting import act
from seatrial.shell.node_arguments import SUBSET_HELP, subset_arguments, the_subset
from seatrial.shell.shell import Shell

_EPILOG = f"""{SUBSET_HELP}
\b
Examples:
  pause node2
"""


@click.command("pause", epilog=_EPILOG)
@subset_arguments
@click.pass_obj
async def pause(shell: Shell, subsets: tuple[str, ...], yes: bool) -> int:
    """Freeze machines where they stand: their connections stay open and silent.

    'undo', 'start' and the end of the session let them go on. Without a SUBSET nothing is paused.
    """
    subset = await the_subset(subsets, shell)
    return await act(subset.order("pause", {"pause": {}}), shell, yes=yes)
