"""What commands on nodes and their machines have in common: SUBSET, `--yes`, and what SUBSET means."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from seatrial.shell.shell import Shell
from seatrial.shell.values import NODES

if TYPE_CHECKING:
    from seatrial.by_hand.subsets import Subset

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

SUBSET_HELP = """\b
SUBSET is one of:
  3                 a node's number in the last list of nodes
  node2             its name, one of its addresses, its machine's id
  west-1            a zone, or a group: a role, a node pool, a label's value
  up, down          the state of its machine
  label:disk=ssd    what a label selector selects
  all               every node
  1,3,west-1        several of these
Where a word may mean several things, say which: zone:west, group:west, name:,
ip:, id:, state:.
"""


def subset_arguments(command: Decorated) -> Decorated:
    """SUBSETs, and `--yes`; without a SUBSET the command is refused by `the_subset`."""
    command = click.argument("subsets", metavar="SUBSET...", nargs=-1, type=NODES)(command)
    return yes_option(command)


def yes_option(command: Decorated) -> Decorated:
    """`--yes`."""
    return click.option("--yes", "-y", is_flag=True, help="Don't ask.")(command)


async def the_subset(words: Sequence[str], shell: Shell) -> "Subset":
    """The nodes that somebody means.

    Raises:
        SeatrialError: nobody can know which, or there are none.
    """
    from seatrial.by_hand.subsets import find_subset

    return await find_subset(words, shell.session.context, numbered=shell.numbered_nodes)
