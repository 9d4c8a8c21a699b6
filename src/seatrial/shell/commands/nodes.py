"""`nodes`: the nodes, numbered, with their zones, groups and the machines under them."""

import click

from seatrial.shell.look import list_options
from seatrial.shell.node_arguments import SUBSET_HELP
from seatrial.shell.shell import Shell
from seatrial.shell.values import NODES

_EPILOG = f"""{SUBSET_HELP}
\b
Examples:
  nodes
  nodes west-1
  nodes zone:west-1 --sort -pods
  nodes down
  nodes label:disk=ssd -o json

\b
Keys of each row with -o json:
  number, name, status, roles, zone, groups, machine, machineId, pods,
  ageSeconds, created, version, ip, taints
"""


@click.command("nodes", epilog=_EPILOG)
@click.argument("subset", metavar="[SUBSET]...", nargs=-1, type=NODES)
@list_options
@click.pass_obj
async def nodes(shell: Shell, subset: tuple[str, ...], sort: str | None, output: str) -> None:
    """List the nodes, or those that SUBSET means: exactly those that 'stop SUBSET' would stop.

    Numbers mean these nodes until other nodes are listed. MACHINE is there where a driver for the machines under the
    nodes is known.
    """
    from seatrial.by_hand.subsets import find_subset
    from seatrial.shell.listings.nodes import NODE_COLUMNS, node_rows
    from seatrial.shell.listings.pods import numbered
    from seatrial.shell.listings.shown import nodes_and_pods
    from seatrial.shell.look import in_order, now
    from seatrial.shell.tables import Table

    context = shell.session.context
    meant = None
    if subset:
        meant = (await find_subset(subset, context, numbered=shell.numbered_nodes, may_be_empty=True)).nodes
    targets, pods, note = await nodes_and_pods(shell)
    chosen = [each for each in targets if meant is None or each.name in meant]
    rows = node_rows(chosen, pods=pods, now=await now(shell))
    rows = numbered(in_order(rows, NODE_COLUMNS, sort))
    shell.numbered_nodes = [row["name"] for row in rows]
    shell.output.table(Table(columns=NODE_COLUMNS, rows=rows, empty="no nodes", note=note), output)
