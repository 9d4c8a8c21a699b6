"""`seatrial interactive`: look at a cluster and break it by hand; what was done is taken back at the end."""

import gc
import os
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seatrial import __version__
from seatrial.cli.hand_options import HandChoice, hand_options
from seatrial.cli.option_group import SectionedCommand

if TYPE_CHECKING:
    from seatrial.shell.shell import Connection, Shell, ShellSettings

_GREETING = f"Seatrial {__version__}. 'help' lists the commands; what you do is undone when you leave."

_OF_A_SESSION = ("seatrial.cli.hand_session", "seatrial.by_hand.live.cluster", "seatrial.report.terminal")

_EPILOG = """\b
Exit codes:
  0 all that a script asked for was done   1 something failed
  2 wrong usage   3 refused, or inconclusive   4 clean-up incomplete
  130 interrupted, after clean-up

\b
Examples:
  seatrial interactive --sandbox
  seatrial interactive --context staging --namespace shop
  # from a script; the first command that fails ends it
  seatrial interactive -c 'pods default; kill 1 --force --yes'
"""


@click.command(cls=SectionedCommand, epilog=_EPILOG)
@click.option("--command", "-c", "commands", multiple=True, metavar="COMMANDS", help="Carry these out, and leave.")
@click.option("--namespace", "-n", metavar="NAME", default="", help="Where commands look that name no namespace.")
@click.option("--yes", "-y", is_flag=True, help="Answer yes to every question.")
@click.option(
    "--plain", is_flag=True, help="Line by line, with nothing coloured or drawn: for screen readers and Emacs."
)
@click.option("--no-pager", is_flag=True, help="Print long tables instead of paging them.")
@click.option("--keep", is_flag=True, help="Leave what was done as it is at the end.")
@click.option(
    "--production", metavar="NAME", default="",
    help="The production cluster that a script may break things on, with --yes: the name that a person would type.",
)  # fmt: skip
@hand_options
def interactive(
    commands: tuple[str, ...],
    namespace: str,
    yes: bool,
    plain: bool,
    no_pager: bool,
    keep: bool,
    production: str,
    hand: HandChoice,
) -> int:
    """Look at a cluster and break things by hand. What was done is taken back when the shell ends, however it ends.

    Tab completes, Ctrl-R looks for an earlier line by some of its letters, Ctrl-C stops a command and takes back what
    it did, Ctrl-D leaves. A line that begins with a blank is not kept in the history. Without a terminal, or with -c,
    it is a script: nobody is asked, and the first command that fails ends it.
    """
    import asyncio

    from seatrial.engine.interrupts import Interrupts
    from seatrial.shell.loop import run_shell
    from seatrial.shell.shell import ShellSettings
    from seatrial.state_directory import state_directory

    if hand.sandbox and keep:
        raise click.UsageError("--sandbox goes without --keep: it is gone with the shell", click.get_current_context())
    is_plain = plain or os.environ.get("TERM") == "dumb"
    settings = ShellSettings(
        assume_yes=yes,
        plain=is_plain,
        keep=keep,
        namespace=namespace,
        production_pattern=hand.production_pattern,
        production=production,
        halt_namespace=hand.run.halt_namespace,
        reached_by=tuple(hand.reached_by),
    )
    interrupts = Interrupts()

    async def work() -> int:
        history = state_directory(hand.run.state_directory) / "interactive_history"
        with _shell(settings, commands, is_plain=is_plain, has_pager=not no_pager, history=history) as shell:
            return await run_shell(shell, lambda: opening(shell), interrupts)

    @asynccontextmanager
    async def opening(shell: "Shell") -> "AsyncIterator[Connection]":
        await shell.front.shown()
        await asyncio.to_thread(_load)  # in a thread, so that one can type meanwhile
        from seatrial.by_hand.live.cluster import LiveCluster
        from seatrial.cli.hand_session import hand_session, session_options
        from seatrial.shell.shell import Connection

        options = session_options(hand)
        async with hand_session(options, [shell.output], interrupts, keeps=lambda: shell.keeps) as session:
            cluster = session.context.cluster
            async with LiveCluster(cluster, namespace=lambda: shell.namespace) as live:
                if shell.front.is_interactive:
                    live.open_usual()  # for completion
                yield Connection(
                    session=session, live=live, namespace=cluster.default_namespace, context_name=cluster.context_name
                )

    return asyncio.run(work())


def _load() -> None:
    """Import what a session is made of, and what its first words are written with."""
    for module in _OF_A_SESSION:
        import_module(module)
    gc.freeze()  # what is loaded stays: to look through it for garbage would stop the prompt for 40 ms now and then


@contextmanager
def _shell(
    settings: "ShellSettings", commands: Sequence[str], *, is_plain: bool, has_pager: bool, history: Path
) -> "Iterator[Shell]":
    """A shell for a script, for a person with a prompt, or for one who wants plain lines."""
    from seatrial.shell.output import Output
    from seatrial.shell.shell import Shell

    has_input = sys.stdin is not None  # it is None where the descriptor was closed, which may be another file by now
    if commands or not has_input or not sys.stdin.isatty():
        from seatrial.shell.script import ScriptFront

        yield Shell(ScriptFront(None if has_input and not commands else commands), Output(), settings)
        return
    click.echo(_GREETING)
    if is_plain or not sys.stdout.isatty():
        from seatrial.shell.plain import plain_front

        with plain_front() as front:
            yield Shell(front, Output(has_colour=False), settings)
        return
    from seatrial.shell.terminal import prompting_shell

    has_colour = not os.environ.get("NO_COLOR")
    with prompting_shell(settings, history=history, has_colour=has_colour, has_pager=has_pager) as shell:
        yield shell
