"""Between a destructive command and the cluster: what would be hit is shown, somebody says yes, what came of it told.

Every command that changes something goes through `act`; there is no other way to the session's `do`.
"""

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from seatrial.shell.shell import Shell

if TYPE_CHECKING:
    from seatrial.by_hand.orders import Order
    from seatrial.runtime.verdict import Outcome

_REFUSED = 3
_DECLINED = 3


async def act(order: "Order", shell: Shell, *, yes: bool = False) -> int:
    """Show, ask, do; answers the exit code of the command."""
    if order.is_destructive:
        plan = await shell.session.preview(order)
        shell.output.plan(order.title, plan)
        if not plan.allowed:
            shell.output.error("refused: nothing was done")
            return _REFUSED
        if not await confirmed(order, shell, yes=yes):
            shell.output.line("nothing was done", "dim")
            return _DECLINED
    deed = await shell.session.do(order)
    outcome = deed.outcome if shell.front.is_interactive else await deed.settled()
    return _told(outcome, shell) if outcome else 0


async def confirmed(order: "Order", shell: Shell, *, yes: bool) -> bool:
    """Whether somebody says that this is to be done."""
    if yes or shell.settings.assume_yes:
        return True
    name = shell.connection.context_name if shell.connection else ""
    if fnmatchcase(name, shell.settings.production_pattern):
        answer = await shell.front.ask(f"{name} is production. Type its name in full to {order.title}: ")
        return answer == name
    return (await shell.front.ask(f"{order.title}? [y/N] ")).lower() in {"y", "yes"}


def _told(outcome: "Outcome", shell: Shell) -> int:
    from seatrial.runtime.verdict import Verdict

    if outcome.passed:
        return 0
    for reason in outcome.reasons:
        shell.output.line(f"{outcome.verdict}: {reason}", "yellow")
    return 1 if outcome.verdict is Verdict.FAILED else 3
