"""`groups`: the groups of nodes: roles, node pools, what the cloud or an inventory file says."""

import click

from seatrial.shell.look import list_options
from seatrial.shell.shell import Shell

_EPILOG = """\b
Examples:
  groups
  groups --labels

\b
Keys of each row with -o json:
  group, ready, pods, nodes
"""


@click.command("groups", epilog=_EPILOG)
@click.option("--labels", is_flag=True, help="Also each label, which is a group by KEY=VALUE and by its value.")
@list_options
@click.pass_obj
async def groups(shell: Shell, labels: bool, sort: str | None, output: str) -> None:
    """List the groups of nodes: roles, node pools, groups of the cloud, those of an inventory file."""
    from seatrial.shell.listings.nodes import GROUP_COLUMNS, group_rows
    from seatrial.shell.listings.shown import nodes_and_pods
    from seatrial.shell.look import in_order
    from seatrial.shell.tables import Table

    targets, pods, note = await nodes_and_pods(shell)
    rows = in_order(group_rows(targets, pods=pods, labels=labels), GROUP_COLUMNS, sort)
    empty = "no node is in a group; 'groups --labels' shows what labels make"
    shell.output.table(Table(columns=GROUP_COLUMNS, rows=rows, empty=empty, note=note), output)
