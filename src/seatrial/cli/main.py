"""The command `seatrial`: finds the subcommand that was asked for, and shows errors.

A subcommand's module is imported when it runs and not before, so that `seatrial --version` and `--help` are quick.
Each subcommand is a click command in a module of its own; it may return its exit code.
"""

import errno
import gc
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import NamedTuple

import click

from seatrial import __version__
from seatrial.environment import set_for_ourselves
from seatrial.errors import SeatrialError
from seatrial.lazy_commands import LazyCommands

_BROKEN_PIPE = 141  # what a shell reports for a program that SIGPIPE ended
_INTERRUPTED = 130
_NOT_SHOWN = 3
_OBJECTS_BETWEEN_COLLECTIONS = 100_000  # more than a small run makes


class _Subcommand(NamedTuple):
    place: str
    summary: str


COMMANDS = {
    "autonomous": _Subcommand("seatrial.cli.autonomous:autonomous", "Run the experiments of a policy."),
    "interactive": _Subcommand("seatrial.cli.interactive:interactive", "Look at a cluster and break it by hand."),
    "dashboard": _Subcommand("seatrial.cli.dashboard:dashboard", "See a cluster on one screen, and break it by keys."),
    "label": _Subcommand("seatrial.cli.label:label", "Kill the pods that ask for it by their labels."),
    "plan": _Subcommand("seatrial.cli.plan:plan", "Show what a policy would hit, and touch nothing."),
    "recover": _Subcommand("seatrial.cli.recover:recover", "Undo what runs that died left behind."),
    "halt": _Subcommand("seatrial.cli.halt:halt", "Stop every experiment on a cluster, and forbid others."),
    "resume": _Subcommand("seatrial.cli.resume:resume", "Lift a halt."),
    "status": _Subcommand("seatrial.cli.status:status", "Show whether experiments are halted, and what runs."),
    "report": _Subcommand("seatrial.cli.report:report", "Write a report of a run: HTML, JSON, JUnit, Markdown."),
    "slo": _Subcommand("seatrial.cli.slo:slo", "Show how the objectives of policies stand."),
    "runs": _Subcommand("seatrial.cli.runs:runs", "Look at the runs that were kept, and compare them."),
    "risk": _Subcommand("seatrial.cli.risk:risk", "Work out how often things fail, by their number."),
    "validate": _Subcommand("seatrial.cli.validate:validate", "Check policy files and show every problem."),
    "notify": _Subcommand("seatrial.cli.notify:notify", "Try out who is told of what happens in runs."),
    "schema": _Subcommand("seatrial.cli.schema:schema", "Print the JSON Schema of policies, for editors."),
    "sandbox": _Subcommand("seatrial.cli.sandbox:sandbox", "Start, stop and look at the embedded cluster."),
}

_EPILOG = """\b
Examples:
  # the first experiment, on a cluster that comes with the tool
  seatrial autonomous --sandbox --load examples/manifests/goldpinger.yml \\
    --policy-file examples/kill-half.yml
  seatrial plan --seed 7 policy.yml
  seatrial validate policies/*.yml
"""


class _Subcommands(LazyCommands):
    """Subcommands by name, with what goes wrong while they run."""

    commands_by_name = COMMANDS

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            meant = get_close_matches(name.lower(), COMMANDS, n=1)
            guess = f"did you mean '{meant[0]}'? " if meant else ""
            message = f"there is no command {name!r}; {guess}Commands: {', '.join(COMMANDS)}"
            raise click.UsageError(message, ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.summary) for name, command in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # The reader has gone; nothing more may be written, not even when Python exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return _BROKEN_PIPE
        return result


@click.group(
    cls=_Subcommands,
    invoke_without_command=True,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--config", "-c", "config_file", metavar="FILE", envvar="CONFIG", show_envvar=True,
    type=click.Path(dir_okay=False),
    help="A YAML file with options of the command, such as 'prometheus-port: 9001'; flags and variables win.",
)  # fmt: skip
@click.option("--verbose", "-v", count=True, help="Log more; may also be said after the command.")
@click.option("--silent", "-s", count=True, help="Show errors and the closing summary only; also after the command.")
@click.version_option(__version__, "-V", "--version", prog_name="seatrial", message="%(prog)s %(version)s")
@click.pass_context
def seatrial(context: click.Context, /, config_file: str | None, **_for_commands: int) -> None:
    """Chaos engineering for Kubernetes: experiments with a plan, an undo and an honest verdict."""
    if _is_plain():
        context.color = False
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
    elif config_file:
        from seatrial.cli.option_file import defaults_from

        context.default_map = {context.invoked_subcommand: defaults_from(config_file, context)}


def main() -> None:
    """The program's entry point."""
    # Python looks for garbage after every 700 new objects, and what is imported is none: a tenth of a small run.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    # pydantic looks through all installed packages for plugins, which could only watch how policies are read.
    set_for_ourselves("PYDANTIC_DISABLE_PLUGINS", "__all__")
    code = run(sys.argv[1:])
    gc.freeze()  # nor need Python look through all that there is when it ends
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run the program and return its exit code; errors that a user can do something about are shown here."""
    try:
        result = seatrial.main(args=list(arguments), prog_name="seatrial", standalone_mode=False)
    except SeatrialError as error:
        if error.details:
            click.echo(error.details, err=True)
        _show_error(error.message, error.hint)
        return error.exit_code
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        _show_error(_in_plain_words(error.format_message()), f"see '{context.command_path} --help'" if context else "")
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _INTERRUPTED
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EIO}:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _show_error(f"can't write the output: {error.strerror}", "free some space, or send it elsewhere")
        return _NOT_SHOWN
    return result if isinstance(result, int) else 0


def _is_plain() -> bool:
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def _in_plain_words(message: str) -> str:
    """Click calls what it wants of a number by the names of its own types."""
    return message.replace("valid integer range", "whole number").replace("valid float range", "number")


def _show_error(message: str, hint: str) -> None:
    is_colored = sys.stderr.isatty() and not _is_plain()
    click.echo(click.style("error:", fg="red", bold=True) + f" {message}", err=True, color=is_colored)
    if hint:
        click.echo(click.style("hint:", fg="cyan") + f" {hint}", err=True, color=is_colored)
