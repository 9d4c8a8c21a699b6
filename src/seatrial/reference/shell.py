"""The page about the commands of the interactive shell, as its `help` tells them."""

from collections.abc import Iterator

import click

from seatrial.reference.commands import described
from seatrial.shell.command_table import by_section, group

_INTRODUCTION = """# The interactive shell's commands

Written from the code by `make docs`; in `seatrial interactive`, `help COMMAND` tells the same.

Commands stand one to a line, or several apart by `;`. Words are quoted as in a shell; a line that begins with `#` is a
comment. A SUBSET of the nodes, and a pod by its number in the last list, are explained where they are taken.
"""


def shell_page() -> str:
    """The whole page."""
    return "\n".join([_INTRODUCTION, *_sections()]).rstrip() + "\n"


def _sections() -> Iterator[str]:
    root = click.Context(group, info_name="", **group.context_settings)
    for section, names in by_section().items():
        if names:
            yield f"## {section}\n"
        for name in names:
            command = group.get_command(root, name)
            if command is not None:
                yield from described(command, click.Context(command, info_name=name, parent=root), level="###")
