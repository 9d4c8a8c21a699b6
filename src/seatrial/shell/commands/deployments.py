"""`deployments`: the Deployments of a namespace."""

import click

from seatrial.shell.look import all_option, list_options, where
from seatrial.shell.shell import Shell
from seatrial.shell.values import NAMESPACE

_EPILOG = """\b
Examples:
  deployments
  deployments shop
  deployments --all --sort -age

\b
Keys of each row with -o json:
  namespace, name, ageSeconds, created, ready, wanted, current, updated,
  available, selector
"""


@click.command("deployments", epilog=_EPILOG)
@click.argument("namespace", required=False, type=NAMESPACE)
@all_option
@list_options
@click.pass_obj
async def deployments(shell: Shell, namespace: str | None, everywhere: bool, sort: str | None, output: str) -> None:
    """List the Deployments of a namespace, and how many of their pods are ready."""
    from seatrial.shell.listings.shown import show_workloads

    place = await where(namespace, shell, everywhere=everywhere)
    await show_workloads(shell.live.deployments, place, shell, what="Deployments", sort=sort, output=output)
