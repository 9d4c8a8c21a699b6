"""Between a destructive command and the cluster: what would be hit is shown, somebody says yes, what came of it told.

Every command that changes something goes through `act`; there is no other way to the session's `do`. Under the
command `plan` it ends with showing.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING

from seatrial.errors import Halted
from seatrial.shell.shell import Shell

if TYPE_CHECKING:
    from seatrial.by_hand.confirmation import Confirmation
    from seatrial.by_hand.deeds import Deed
    from seatrial.by_hand.orders import Order
    from seatrial.runtime.verdict import Outcome

_OK, _FAILED, _NOT_DONE = 0, 1, 3


async def act(order: "Order", shell: Shell, *, yes: bool = False, typed: Collection[str] = ()) -> int:
    """Show, ask, do, tell; answers the exit code of the command.

    `typed` has names of what is irrevocable, for a script: a person is asked for them, whatever the line says, since
    a line is easily called back from the history.

    Raises:
        UsageError: the order is no step.
        ClusterError: the API server did not answer.
        Halted: experiments are halted.
    """
    if shell.is_planning:
        return await _shown(order, shell)
    if order.is_destructive and not await _agreed_to(order, shell, yes=yes, typed=typed):
        return _NOT_DONE
    deed = await shell.session.do(order)
    outcome = deed.outcome if shell.front.is_interactive else await deed.settled()
    await shell.caught_up()
    code = told(outcome, shell) if outcome else _OK
    _tell_of_undo(deed, shell)
    return code


async def agreed(title: str, shell: Shell, *, yes: bool, is_destructive: bool = True) -> bool:
    """Whether somebody says that this is to be done; where it is not, that is said.

    In production somebody has to type its name, whatever `yes` says; in a script `--production` has to have it. That is
    asked only before what is destructive: it would stand in the way of a halt.
    """
    from seatrial.by_hand.confirmation import Confirmation

    confirmation = _confirmation(title, shell) if is_destructive else Confirmation(title=title)
    if confirmation.name:
        given = await _production_is_named(confirmation, shell, yes=yes)
    elif yes or shell.settings.assume_yes:
        given = True
    elif not shell.front.is_interactive:
        shell.output.error(f"{title}: nobody can be asked, so nothing was done", "add --yes to do it without asking")
        return False
    else:
        given = confirmation.is_given_by(await shell.front.ask(confirmation.question))
    if not given and shell.front.is_interactive:
        shell.output.line("nothing was done", "dim")
    return given


def is_asked(title: str, shell: Shell, *, yes: bool) -> bool:
    """Whether somebody is asked before something destructive: while they think, the cluster goes on."""
    is_answered = yes or shell.settings.assume_yes
    return shell.front.is_interactive and not (is_answered and not _confirmation(title, shell).name)


def told(outcome: "Outcome", shell: Shell) -> int:
    """Tell what came of something unless all is well; answers the exit code."""
    from seatrial.runtime.verdict import Verdict

    style = "red" if outcome.verdict is Verdict.FAILED else "yellow"
    for reason in () if outcome.passed else outcome.reasons:
        shell.output.line(f"{outcome.verdict}: {reason}", style)
    return {Verdict.PASSED: _OK, Verdict.FAILED: _FAILED, Verdict.INCONCLUSIVE: _NOT_DONE}[outcome.verdict]


async def refuse_halted(shell: Shell) -> None:
    """Return where experiments may run.

    Raises:
        Halted: they may not, and by whom and why.
        ClusterError: it can't be seen.
    """
    try:
        await shell.session.context.halt.check()
    except Halted as error:
        raise Halted(error.message, hint="when the reason is gone: resume") from None


async def _shown(order: "Order", shell: Shell) -> int:
    """Show all that an order would do, and do nothing."""
    from seatrial.by_hand.previews import obstacle_to

    plan = await shell.session.preview(order)
    shell.output.plan(order.title, plan, whole=True)
    return _OK if not obstacle_to(plan, is_destructive=order.is_destructive) else _NOT_DONE


async def _agreed_to(order: "Order", shell: Shell, *, yes: bool, typed: Collection[str]) -> bool:
    """Show what an order would do, and ask: again, as long as it would do another thing by the time of the answer."""
    from seatrial.by_hand.previews import changes_since, obstacle_to, what_allows

    await refuse_halted(shell)
    plan = await shell.session.preview(order)
    while True:
        shell.output.plan(order.title, plan)
        if obstacle := obstacle_to(plan, is_destructive=True):
            shell.output.error(f"{obstacle}: nothing was done", what_allows(plan))
            return False
        if not await _names_are_typed(order, shell, typed):
            return False
        if not await agreed(order.title, shell, yes=yes or bool(order.irrevocable)):
            return False
        if not (order.irrevocable or is_asked(order.title, shell, yes=yes)):
            return True
        shown, plan = plan, await shell.session.preview(order)
        changes = changes_since(shown, plan)
        if not changes:
            return True
        shell.output.line(f"the cluster has changed meanwhile: {'; '.join(changes)}", "yellow")


def _confirmation(title: str, shell: Shell) -> "Confirmation":
    from seatrial.by_hand.confirmation import confirmation_of

    cluster = shell.session.context.cluster
    return confirmation_of(
        title,
        context_name=shell.connection.context_name if shell.connection else "",
        cluster_name=cluster.cluster_name,
        server=cluster.server,
        production_pattern=shell.settings.production_pattern,
    )


async def _names_are_typed(order: "Order", shell: Shell, typed: Collection[str]) -> bool:
    """Whether the names of what is lost for good were typed in full; `--yes` is no answer to that."""
    for name in order.irrevocable:
        if not shell.front.is_interactive:
            if name in typed:
                continue
            hint = f"in a script: --confirm {name}"
            shell.output.error(f"{order.title}: {name} has to be named in full, so nothing was done", hint)
            return False
        if await shell.front.ask(f"{name} will be gone for good. Type its name in full: ") != name:
            shell.output.line("nothing was done", "dim")
            return False
    return True


async def _production_is_named(confirmation: "Confirmation", shell: Shell, *, yes: bool) -> bool:
    if shell.front.is_interactive:
        return confirmation.is_given_by(await shell.front.ask(confirmation.question))
    if (yes or shell.settings.assume_yes) and confirmation.is_given_by(shell.settings.production):
        return True
    shell.output.error(
        f"{confirmation.name} is production: nothing was done",
        f"in a script: seatrial interactive --production {confirmation.name}, and --yes",
    )
    return False


def _tell_of_undo(deed: "Deed", shell: Shell) -> None:
    from seatrial.by_hand.deeds import Standing

    if shell.front.is_interactive and deed.standing is Standing.STANDS:
        shell.output.line("it stands until you leave; 'undo' takes it back", "dim")
