"""`use`: the namespace that commands mean which name none."""

import click

from seatrial.shell.look import check_namespace
from seatrial.shell.shell import Shell
from seatrial.shell.values import NAMESPACE

_EPILOG = """\b
Examples:
  use shop
  use
"""


@click.command("use", epilog=_EPILOG)
@click.argument("namespace", required=False, type=NAMESPACE)
@click.pass_obj
async def use(shell: Shell, namespace: str | None) -> None:
    """Look into a namespace from here on; without one, tell which it is."""
    if namespace is not None:
        await check_namespace(namespace, shell)
        shell.namespace = namespace
    shell.output.line(f"namespace {shell.namespace}")
