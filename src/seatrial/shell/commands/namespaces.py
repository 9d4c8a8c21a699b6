"""`namespaces`: the namespaces of the cluster."""

from typing import TYPE_CHECKING

import click

from seatrial.shell.look import list_options
from seatrial.shell.shell import Shell

if TYPE_CHECKING:
    from datetime import datetime

    from seatrial.by_hand.live.nodes import LiveNamespace
    from seatrial.shell.tables import Row

_EPILOG = """\b
Examples:
  namespaces
  namespaces --sort -pods

\b
Keys of each row with -o json:
  name, status, pods, ageSeconds, created
"""


@click.command("namespaces", epilog=_EPILOG)
@list_options
@click.pass_obj
async def namespaces(shell: Shell, sort: str | None, output: str) -> None:
    """List the namespaces, and how many pods are in each."""
    from seatrial.shell.listings.namespaces import NAMESPACE_COLUMNS, namespace_row
    from seatrial.shell.listings.shown import pods_by_namespace, show
    from seatrial.shell.look import ALL_NAMESPACES

    pods, unknown = await pods_by_namespace(shell)

    def row(namespace: "LiveNamespace", moment: "datetime") -> "Row":
        return namespace_row(namespace, pods=pods, now=moment)

    await show(
        shell.live.namespaces, ALL_NAMESPACES, shell,
        row=row, columns=NAMESPACE_COLUMNS, what="namespaces", sort=sort, output=output, unknown=unknown,
    )  # fmt: skip
