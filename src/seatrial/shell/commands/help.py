"""`help`: the commands, or one of them with its examples."""

import click
from click.shell_completion import CompletionItem

from seatrial.shell.command_table import COMMANDS, by_section, group
from seatrial.shell.shell import Shell

_EPILOG = """\b
Examples:
  help
  help kill
  ? kill
"""


class _Command(click.ParamType[str]):
    """The name of a command."""

    name = "command"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 -- click's signature
        """The commands that begin so."""
        return group.shell_complete(ctx, incomplete)


@click.command("help", epilog=_EPILOG)
@click.argument("command", required=False, type=_Command())
@click.pass_context
async def help_(context: click.Context, command: str | None) -> None:
    """Show the commands, or what one does, with examples."""
    shell: Shell = context.obj
    if command:
        found = group.get_command(context, command)
        if found is None:
            raise click.UsageError(f"there is no command {command!r}; 'help' lists them")
        of = found.make_context(found.name, [], resilient_parsing=True, **group.context_settings)
        with of, shell.output.long():
            shell.output.line(found.get_help(of))
        return
    width = max(map(len, COMMANDS))
    with shell.output.long():
        for section, names in by_section().items():
            shell.output.line(section, "bold")
            for name in names:
                shell.output.line(f"  {name:{width}}  {COMMANDS[name].summary}")
        shell.output.line("'help COMMAND' has its options and examples.", "dim")
