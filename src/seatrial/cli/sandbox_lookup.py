"""What the commands of `seatrial sandbox` share: which sandbox is meant, and how a table is printed."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from seatrial.errors import SandboxError

if TYPE_CHECKING:
    from seatrial.sandbox.home import Home
    from seatrial.sandbox.owner import Sandbox

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_NAME = "default"


def name_option(command: F) -> F:
    """`--name`: which sandbox."""
    return click.option(
        "--name",
        default=DEFAULT_NAME,
        show_default=True,
        metavar="NAME",
        help="Which sandbox; several can run at once.",
    )(command)


def home_named(name: str, state_dir: Path | None) -> "Home":
    """Where a sandbox of that name lives, or would."""
    from seatrial.sandbox.home import home_of
    from seatrial.state_directory import state_directory

    return home_of(name, state=state_directory(state_dir).absolute())


def all_homes_in(state_dir: Path | None) -> "list[Home]":
    """Where all sandboxes live."""
    from seatrial.sandbox.home import all_homes
    from seatrial.state_directory import state_directory

    return all_homes(state=state_directory(state_dir).absolute())


def running_sandbox(name: str, state_dir: Path | None) -> "Sandbox":
    """The sandbox of that name; `SandboxError` if none is running."""
    from seatrial.sandbox.owner import find_sandbox

    found = find_sandbox(home_named(name, state_dir))
    if found is None:
        raise not_running(name)
    return found


def not_running(name: str) -> SandboxError:
    """The error for a sandbox that isn't there."""
    return SandboxError(
        f"no sandbox named {name!r} is running",
        hint=f"start one with `seatrial sandbox up --detach{name_flag(name)}`; `seatrial sandbox status` shows all",
    )


def name_flag(name: str) -> str:
    """The flag that names a sandbox on a command line, nothing for the default one."""
    return "" if name == DEFAULT_NAME else f" --name {name}"


def print_table(titles: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows below their titles."""
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]

    def line(cells: tuple[str, ...]) -> str:
        return "   ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()

    click.secho(line(titles), bold=True)
    for row in rows:
        click.echo(line(row))
