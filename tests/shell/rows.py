"""What lists print for programs, and what their help says of it."""

import json
from collections.abc import Sequence
from typing import Any

from seatrial.shell.command_table import group
from tests.shell.conftest import DrivenShell


async def rows(driven: DrivenShell, line: str) -> list[dict[str, Any]]:
    """The rows that a list prints as JSON."""
    driven.forget()
    assert await driven.do(f"{line} -o json") == 0
    found: list[dict[str, Any]] = json.loads(driven.shown)
    return found


def documented_keys(command: str) -> Sequence[str]:
    """The keys that a command's help promises of each row."""
    found = group.get_command(None, command)
    return found.epilog.partition("-o json:")[2].replace(",", " ").split()
