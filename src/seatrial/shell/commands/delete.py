"""`delete`: delete machines, for good."""

import click

from seatrial.shell.acting import act
from seatrial.shell.node_arguments import SUBSET_HELP, the_subset
from seatrial.shell.shell import Shell
from seatrial.shell.values import NODES

_EPILOG = f"""{SUBSET_HELP}
\b
Examples:
  delete node2
  delete 1,3
  # in a script
  delete node2 --confirm node2
"""


@click.command("delete", epilog=_EPILOG)
@click.argument("subsets", metavar="SUBSET...", nargs=-1, type=NODES)
@click.option("--confirm", metavar="NAME", multiple=True, help="In a script, where nobody can be asked: a node's name.")
@click.pass_obj
async def delete(shell: Shell, subsets: tuple[str, ...], confirm: tuple[str, ...]) -> int:
    """Delete machines with all that is on them. Nothing brings them back: neither 'undo' nor leaving.

    The name of each node has to be typed; '--yes' is no answer to that, and 'all' is refused.
    """
    if any(word.lower() == "all" for words in subsets for word in words.split(",")):
        raise click.UsageError("all machines are never deleted; say which")
    subset = await the_subset(subsets, shell)
    order = subset.order(
        "delete",
        {"delete": {"forGood": True}},
        how="for good",
        note="the machines that were deleted are gone: name others to run this again",
        irrevocable=subset.nodes,
    )
    return await act(order, shell, typed=confirm)
