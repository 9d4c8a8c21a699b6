"""Commands that are imported when they are called by their name, and not before: of the program, and of its shell."""

from collections.abc import Mapping
from importlib import import_module
from typing import ClassVar, Protocol

import click


class Placed(Protocol):
    """An entry of a table of commands."""

    @property
    def place(self) -> str:
        """Where the command is."""
        ...


class LazyCommands(click.Group):
    """A group of click commands; `commands_by_name` says where each is (`package.module:object`)."""

    commands_by_name: ClassVar[Mapping[str, Placed]]

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        """Every command, in the order of the table."""
        return list(self.commands_by_name)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- click's signature
        """The command of that name, imported; None where there is none."""
        if cmd_name not in self.commands_by_name:
            return None
        module, _, name = self.commands_by_name[cmd_name].place.partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)  # noqa: S101 -- for the type checker
        return command
