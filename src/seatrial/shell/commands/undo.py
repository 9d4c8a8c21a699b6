"""`undo`: take back the last thing done in this session, or everything."""

from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from seatrial.by_hand.list_numbers import number_in
from seatrial.shell.shell import Shell

if TYPE_CHECKING:
    from seatrial.by_hand.deeds import Deed

_EPILOG = """\b
Examples:
  undo
  undo all
  # as 'history' counts; what came after it goes first
  undo 3
"""
_NOT_UNDONE = 4


class _What(click.ParamType[str]):
    """`last`, `all`, or a number of the history."""

    name = "what"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Whichever it is."""
        if value not in {"last", "all"} and number_in(value) is None:
            self.fail(f"{value!r} is neither 'last' nor 'all' nor a number of 'history'", param, ctx)
        return value

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 -- click's signature
        """What stands, by number, last first."""
        shell: Shell = ctx.obj
        standing = shell.connection.session.standing_deeds if shell.connection else ()
        items = [("last", "the last that stands"), ("all", "all that stands, last first")]
        items += [(str(deed.number), deed.order.title) for deed in standing]
        return [CompletionItem(value, help=words) for value, words in items if value.startswith(incomplete)]


@click.command("undo", epilog=_EPILOG)
@click.argument("what", metavar="[last|all|NUMBER]", type=_What(), default="last")
@click.pass_obj
async def undo(shell: Shell, what: str) -> int:
    """Take back the last thing that was done in this session and stands, or all of them, last first.

    What could not be taken back is tried once more.
    """
    taken = await _take_back(what, shell)
    await shell.caught_up()
    if not taken:
        shell.output.line("there is nothing to take back", "dim")
    failed = [deed for deed in taken if deed.stands]
    for deed in taken:
        if not deed.stands:
            shell.output.line(f"undone: {deed.order.title}", "green")
    for deed in failed:
        shell.output.error(
            f"not undone: {deed.order.title}",
            f"try again: undo {deed.number}; after you leave: seatrial recover --run {shell.session.context.run_id}",
        )
    return _NOT_UNDONE if failed else 0


async def _take_back(what: str, shell: Shell) -> "list[Deed]":
    if what == "all":
        return list(await shell.session.undo_all())
    deed = await (shell.session.undo_last() if what == "last" else shell.session.undo(int(what)))
    return [deed] if deed else []
