"""`exec` and `sudo`: run a shell command on machines."""

import shlex
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import click

from seatrial.shell.acting import act
from seatrial.shell.node_arguments import SUBSET_HELP, the_subset, yes_option
from seatrial.shell.shell import Shell
from seatrial.shell.values import NODES

OPTIONS_FIRST = {"ignore_unknown_options": True, "allow_interspersed_args": False}
"""Options of ours stand before SUBSET; what comes after it belongs to the command."""

AS_ROOT = '$([ "$(id -u)" = 0 ] || echo sudo -n)'
"""In front of a command: what makes it root's where it is not already; a password is never asked for."""

_EXEC_EPILOG = f"""{SUBSET_HELP}
\b
Examples:
  exec node2 uptime
  exec west-1 "df -h / | tail -1"
  exec --undo "rm -f /tmp/broken" 1,3 touch /tmp/broken
"""

_SUDO_EPILOG = f"""{SUBSET_HELP}
\b
Examples:
  sudo node2 systemctl status kubelet
  sudo --undo "systemctl start kubelet" node2 systemctl stop kubelet
"""

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class Terms(NamedTuple):
    """How long a command may take, what undoes it and when by itself: what the policy's `execute` has, too."""

    timeout_seconds: float = 60.0
    undo: str | None = None
    expires_after: int | None = None


SIXTY_SECONDS = Terms()
"""What holds where nothing is said."""


def _arguments(command: Decorated) -> Decorated:
    """What `exec` and `sudo` are given; options first."""
    for add in (
        click.argument("command", metavar="COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED),
        click.argument("subset", metavar="SUBSET", type=NODES),
        click.option("--expires-after", metavar="SECONDS", type=click.IntRange(min=1),
                     help="When the undo runs by itself, by a timer on the machine."),
        click.option("--undo", metavar="COMMAND", help="What undoes it, and is safe to repeat."),
        click.option("--timeout", "timeout_seconds", type=click.FloatRange(min=0, max=600, min_open=True), default=60.0,
                     show_default=True, metavar="SECONDS", help="How long it may take before it is killed."),
        yes_option,
    ):  # fmt: skip
        command = add(command)
    return command


@click.command("exec", epilog=_EXEC_EPILOG, context_settings=OPTIONS_FIRST)
@_arguments
@click.pass_obj
async def exec_(
    shell: Shell,
    subset: str,
    command: tuple[str, ...],
    timeout_seconds: float,
    undo: str | None,
    expires_after: int | None,
    yes: bool,
) -> int:
    """Run a shell command on machines. Its words are joined by blanks, as ssh does it.

    Options stand before SUBSET: all that follows is the command. The exit code is 1 where it failed on any of them.
    """
    terms = Terms(timeout_seconds, undo, expires_after)
    return await run_on_machines(subset, " ".join(command), shell, terms=terms, yes=yes)


@click.command("sudo", epilog=_SUDO_EPILOG, context_settings=OPTIONS_FIRST)
@_arguments
@click.pass_obj
async def sudo(
    shell: Shell,
    subset: str,
    command: tuple[str, ...],
    timeout_seconds: float,
    undo: str | None,
    expires_after: int | None,
    yes: bool,
) -> int:
    """Run a shell command on machines as root, and what undoes it, too. It is 'exec' with sudo where that is needed.

    All of the command is root's: each part of a pipe, a file that it writes to. Where sudo asks for a password the
    command fails.
    """
    line = " ".join(command)
    terms = Terms(timeout_seconds, _as_root(undo) if undo else None, expires_after)
    return await run_on_machines(subset, _as_root(line), shell, shown=f"sudo {line}", terms=terms, yes=yes)


def _as_root(line: str) -> str:
    """The line for a shell of root's: `sudo a; b` would leave b to whoever one is."""
    return f"{AS_ROOT} sh -c {shlex.quote(line)}"


async def run_on_machines(
    subset: str, command: str, shell: Shell, *, shown: str = "", terms: Terms = SIXTY_SECONDS, yes: bool
) -> int:
    """Run a command line on machines; `shown` is what people know it by."""
    from seatrial.policy.wording import quote

    found = await the_subset([subset], shell)
    said: dict[str, Any] = {"cmd": command, "timeout": terms.timeout_seconds}
    if terms.undo:
        said["undo"] = terms.undo
    if terms.expires_after:
        said["expiresAfter"] = terms.expires_after
    return await act(found.order(f"run {quote(shown or command)} on", {"execute": said}), shell, yes=yes)
