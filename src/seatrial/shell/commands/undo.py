"""`undo`: take back the last thing done in this session, or everything."""

import click

from seatrial.shell.shell import Shell

_EPILOG = """\b
Examples:
  undo
  undo all
"""


@click.command("undo", epilog=_EPILOG)
@click.argument("what", type=click.Choice(["last", "all"]), default="last")
@click.pass_obj
async def undo(shell: Shell, what: str) -> int:
    """Take back the last thing that was done in this session and stands, or all of them, last first."""
    taken = await shell.session.undo_all() if what == "all" else [await shell.session.undo_last()]
    if not any(taken):
        shell.output.line("there is nothing to take back", "dim")
    return 4 if shell.session.undo_failures else 0
