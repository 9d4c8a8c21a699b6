"""The list of the shell's commands, and the click group that loads each when it is first used.

Their names and summaries stand here, so that the first prompt, completion and `help` wait for no command's imports.
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import NamedTuple

import click

LOOK, BREAK, MACHINES, SESSION = "Look", "Break", "Machines", "Session"


class Entry(NamedTuple):
    """Where a command is, what it does in a few words, under which heading `help` lists it.

    Without `needs_cluster` it works before the cluster is reached.
    """

    place: str
    summary: str
    section: str
    needs_cluster: bool = True


_HERE = "seatrial.shell.commands"

COMMANDS: Mapping[str, Entry] = {
    "pods": Entry(f"{_HERE}.pods:pods", "List the pods of a namespace, numbered.", LOOK),
    "kill": Entry(f"{_HERE}.kill:kill", "Kill pods, or signal their containers.", BREAK),
    "undo": Entry(f"{_HERE}.undo:undo", "Take back the last thing done, or all.", SESSION),
    "exit": Entry(f"{_HERE}.exit:exit_", "Leave; what was done is taken back first.", SESSION, needs_cluster=False),
    "help": Entry(f"{_HERE}.help:help_", "Show the commands, or one with examples.", SESSION, needs_cluster=False),
}

_CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"]}


class ShellGroup(click.Group):
    """All commands of the shell, imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        """Every command, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- click's signature
        """A command of the table, or None."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].place.partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)  # noqa: S101 -- for the type checker
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that a line names, with a guess where it names none."""
        name = args[0]
        if name not in COMMANDS:
            meant = get_close_matches(name.lower(), COMMANDS, n=1)
            guess = f"; did you mean '{meant[0]}'?" if meant else "; 'help' lists them"
            raise click.UsageError(f"there is no command {name!r}{guess}", ctx)
        return super().resolve_command(ctx, args)


group = ShellGroup(name="", context_settings=_CONTEXT_SETTINGS, add_help_option=False)
"""What lines of the shell are parsed with; the context's object is the `Shell`."""


def by_section() -> Mapping[str, Sequence[str]]:
    """The commands' names under their headings."""
    return {
        section: [name for name, entry in COMMANDS.items() if entry.section == section]
        for section in (LOOK, BREAK, MACHINES, SESSION)
    }
