"""`zones`: the availability zones and their nodes."""

import click

from seatrial.shell.look import list_options
from seatrial.shell.shell import Shell

_EPILOG = """\b
Examples:
  zones
  zones --sort -pods

\b
Keys of each row with -o json:
  zone, ready, pods, nodes
"""


@click.command("zones", epilog=_EPILOG)
@list_options
@click.pass_obj
async def zones(shell: Shell, sort: str | None, output: str) -> None:
    """List the zones: how many of their nodes are ready, and how many pods run there.

    A node's zone is its label topology.kubernetes.io/zone, or what its cloud says.
    """
    from seatrial.shell.listings.nodes import ZONE_COLUMNS, zone_rows
    from seatrial.shell.listings.shown import nodes_and_pods
    from seatrial.shell.look import in_order
    from seatrial.shell.tables import Table

    targets, pods, note = await nodes_and_pods(shell)
    rows = in_order(zone_rows(targets, pods=pods), ZONE_COLUMNS, sort)
    shell.output.table(Table(columns=ZONE_COLUMNS, rows=rows, empty="no nodes", note=note), output)
