"""`taint`: keep pods away from nodes, or drive them off."""

import re

import click

from seatrial.shell.acting import act
from seatrial.shell.node_arguments import SUBSET_HELP, the_subset, yes_option
from seatrial.shell.shell import Shell
from seatrial.shell.values import NODES

_TAINT = re.compile(r"(?P<key>[^=:]+)(=(?P<value>[^:]*))?:(?P<effect>NoSchedule|PreferNoSchedule|NoExecute)")
_EPILOG = f"""{SUBSET_HELP}
\b
Examples:
  taint node2 chaos=true:NoSchedule
  taint west-1 chaos:NoExecute
"""


@click.command("taint", epilog=_EPILOG)
@click.argument("subsets", metavar="SUBSET...", nargs=-1, required=True, type=NODES)
@click.argument("taint", metavar="KEY[=VALUE]:EFFECT")
@yes_option
@click.pass_obj
async def taint(shell: Shell, subsets: tuple[str, ...], taint: str, yes: bool) -> int:
    """Put a taint on nodes. 'undo' takes it away again, or gives it back the value that it had.

    EFFECT is NoSchedule, PreferNoSchedule or NoExecute, as kubectl has it.
    """
    found = _TAINT.fullmatch(taint)
    if found is None:
        raise click.UsageError(f"{taint!r} is no taint; one looks like chaos=true:NoSchedule")
    subset = await the_subset(subsets, shell)
    said = {key: value for key, value in found.groupdict().items() if value}
    return await act(subset.order("taint", {"taint": said}, how=f"with {taint}"), shell, yes=yes)
