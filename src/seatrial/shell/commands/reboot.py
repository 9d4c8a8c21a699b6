"""`reboot`: restart machines."""

import click

from seatrial.shell.acting import act
from seatrial.shell.node_arguments import SUBSET_HELP, subset_arguments, the_subset
from seatrial.shell.shell import Shell

_EPILOG = f"""{SUBSET_HELP}
\b
Examples:
  reboot node2
  reboot group:workers --force
"""


@click.command("reboot", epilog=_EPILOG)
@subset_arguments
@click.option("--force", "-f", is_flag=True, help="Cut the power, where the cloud knows the difference.")
@click.pass_obj
async def reboot(shell: Shell, subsets: tuple[str, ...], force: bool, yes: bool) -> int:
    """Restart machines, and see by their nodes' boot ids that they did.

    Without a SUBSET nothing is restarted.
    """
    subset = await the_subset(subsets, shell)
    order = subset.order("reboot", {"reboot": {"force": force}}, how="by force" if force else "")
    return await act(order, shell, yes=yes)
