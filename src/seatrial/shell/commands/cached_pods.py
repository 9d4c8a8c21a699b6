"""`cached_pods`: the last list of pods once more, and what has become of each."""

import click

from seatrial.shell.look import output_option
from seatrial.shell.shell import Shell

_EPILOG = """\b
Examples:
  cached_pods
  cached_pods -o json

\b
Keys of each row with -o json:
  number, namespace, name, uid, ready, status, restarts, ageSeconds,
  created, ip, node, owner, zone, gone
"""


@click.command("cached_pods", epilog=_EPILOG)
@output_option()
@click.pass_obj
async def cached_pods(shell: Shell, output: str) -> None:
    """Show the pods of the last list again, as they are at this moment: those that are gone say so.

    Numbers mean the same pods as in that list.
    """
    from seatrial.shell.listings.shown import show_cached_pods

    if shell.listed_pods is None:
        raise click.UsageError("no pods were listed yet; 'pods' lists them")
    await show_cached_pods(shell.listed_pods, shell, output=output)
