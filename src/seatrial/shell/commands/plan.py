"""`plan`: what a command, or a whole policy, would hit; nothing is changed."""

from collections.abc import Sequence
from pathlib import Path

import click
from click.shell_completion import CompletionItem, ShellComplete

from seatrial.shell.command_table import COMMANDS, group
from seatrial.shell.policy_files import policy_run, show_plan
from seatrial.shell.shell import Shell
from seatrial.shell.values import FILE

_EPILOG = """\b
Examples:
  plan kill 1 2 --force
  plan scale deployment/web 1
  plan policy.yml
  plan --seed 7 policy.yml
"""


class _Words(click.ParamType[str]):
    """A command and what it is given, or a file: left as they are, and completed as they would be without `plan`."""

    name = "words"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Commands that can be planned, and files; then what the command takes."""
        words = ctx.params.get("words") or ()
        if words:
            return _completions(words, ctx, incomplete)
        names = [name for name, entry in COMMANDS.items() if entry.is_order and name.startswith(incomplete)]
        commands = [CompletionItem(name, help=COMMANDS[name].summary) for name in names]
        return commands + FILE.shell_complete(ctx, param, incomplete)


class _PlanCommand(click.Command):
    """Completes the options of the command that is planned, once one is named."""

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Its own options, or those of that command."""
        words = ctx.params.get("words") or ()
        return _completions(words, ctx, incomplete) if words else super().shell_complete(ctx, incomplete)


def _completions(words: Sequence[str], ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    if words[0] not in COMMANDS or not COMMANDS[words[0]].is_order:
        return []
    return ShellComplete(group, {"obj": ctx.obj}, "", "").get_completions([*words], incomplete)


@click.command(
    "plan",
    cls=_PlanCommand,
    epilog=_EPILOG,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.option("--seed", metavar="SEED", help="For a policy: where random numbers start.")
@click.option("--output", "-o", type=click.Choice(["text", "json"]), default="text", help="For a policy.")
@click.argument("words", metavar="COMMAND...|FILE", nargs=-1, required=True, type=_Words())
@click.pass_obj
async def plan(shell: Shell, words: tuple[str, ...], seed: str | None, output: str) -> int:
    """Show all that a command or the first round of a policy would hit and change, and what forbids it."""
    from seatrial.shell.loop import carry_out

    name = words[0]
    if name in COMMANDS and COMMANDS[name].is_order:
        shell.is_planning = True
        try:
            return await carry_out(words, shell)
        finally:
            shell.is_planning = False
    if name in COMMANDS:
        raise click.UsageError(f"'{name}' changes nothing that could be planned; a policy of that name is './{name}'")
    if len(words) > 1:
        raise click.UsageError(f"there is no command {name!r}; a policy goes alone, after its options")
    return await _plan_policy(Path(name), seed, output, shell)


async def _plan_policy(file: Path, seed: str | None, output: str, shell: Shell) -> int:
    from seatrial.runtime.plan import plan_as_data

    made = await policy_run(file, seed, shell).plan()
    if output == "json":
        shell.output.json(plan_as_data(made))
    else:
        show_plan(made, shell)
    return 0 if made.allowed else 3
