"""`exit`: leave the shell."""

import click

from seatrial.shell.shell import Shell

_EPILOG = """\b
Examples:
  exit
  # another Seatrial leaves it alone; 'seatrial recover --run' takes it back
  exit --keep
"""


@click.command("exit", epilog=_EPILOG)
@click.option("--keep", is_flag=True, help="Leave what was done as it is.")
@click.pass_obj
async def exit_(shell: Shell, keep: bool) -> None:
    """Leave the shell. What was done in this session is taken back first, as with Ctrl-D.

    With --keep it stays, and the command that takes it back is shown. What ends by itself still does.
    """
    if keep and shell.connection is not None and shell.session.is_disposable:
        raise click.UsageError("nothing of this sandbox stays: it goes with the shell")
    shell.keeps = shell.keeps or keep
    shell.is_leaving = True
