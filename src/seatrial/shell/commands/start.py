"""`start`: switch machines on."""

import click

from seatrial.shell.acting import act
from seatrial.shell.node_arguments import SUBSET_HELP, subset_arguments, the_subset
from seatrial.shell.shell import Shell

_EPILOG = f"""{SUBSET_HELP}
\b
Examples:
  start node2
  start down
"""


@click.command("start", epilog=_EPILOG)
@subset_arguments
@click.option("--timeout", "timeout_seconds", type=click.FloatRange(min=0), default=300.0, show_default=True,
              metavar="SECONDS", help="How long to wait until each node is Ready.")  # fmt: skip
@click.pass_obj
async def start(shell: Shell, subsets: tuple[str, ...], timeout_seconds: float, yes: bool) -> int:
    """Switch machines on, and wait until their nodes are Ready.

    This mends, so it is not taken back at the end. Without a SUBSET nothing is started.
    """
    subset = await the_subset(subsets, shell)
    return await act(subset.order("start", {"start": {"timeout": timeout_seconds}}), shell, yes=yes)
