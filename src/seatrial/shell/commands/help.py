"""`help`: the commands, or one of them with its examples."""

import click

from seatrial.shell.command_table import COMMANDS, by_section, group
from seatrial.shell.shell import Shell


@click.command("help")
@click.argument("command", required=False)
@click.pass_context
async def help_(context: click.Context, command: str | None) -> None:
    """Show the commands, or what one does, with examples."""
    shell: Shell = context.obj
    if command:
        found = group.get_command(context, command)
        if found is None:
            raise click.UsageError(f"there is no command {command!r}; 'help' lists them")
        with found.make_context(command, [], resilient_parsing=True, **group.context_settings) as of:
            shell.output.line(found.get_help(of))
        return
    for section, names in by_section().items():
        if names:
            shell.output.line(section, "bold")
        for name in names:
            shell.output.line(f"  {name:20} {COMMANDS[name].summary}")
