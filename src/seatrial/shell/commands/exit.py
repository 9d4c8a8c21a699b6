"""`exit`: leave the shell."""

import click

from seatrial.shell.shell import Shell

_EPILOG = """\b
Examples:
  exit
  exit --keep
"""


@click.command("exit", epilog=_EPILOG)
@click.option("--keep", is_flag=True, help="Leave what was done as it is; 'seatrial recover --run' takes it back.")
@click.pass_obj
async def exit_(shell: Shell, keep: bool) -> None:
    """Leave the shell. What was done in this session is taken back first, as with Ctrl-D."""
    shell.keeps = shell.keeps or keep
    shell.is_leaving = True
