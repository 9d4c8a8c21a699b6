"""`sync`: look at everything anew."""

import click

from seatrial.shell.commands.nodes import nodes
from seatrial.shell.shell import Shell

_EPILOG = """\b
Examples:
  sync
"""


@click.command("sync", epilog=_EPILOG)
@click.pass_context
async def sync(context: click.Context) -> None:
    """List all that was looked at so far anew, and show the nodes.

    What is shown is kept up to date without it: this is for those who doubt it, and for rights that were granted
    meanwhile.
    """
    shell: Shell = context.obj
    await shell.live.reload()
    shell.server_time = None
    await context.invoke(nodes)
