"""Between a key and the cluster: what would be hit is shown, somebody says yes, what came of it is told.

As in the shell, there is no other way to the session's `do`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from textual.notifications import SeverityLevel

from seatrial.by_hand.confirmation import Confirmation, confirmation_of
from seatrial.by_hand.deeds import Deed, Standing
from seatrial.by_hand.halts import until_seen
from seatrial.by_hand.orders import Order
from seatrial.by_hand.previews import changes_since, obstacle_to, what_allows
from seatrial.by_hand.session import HandSession
from seatrial.dashboard.board import Shown
from seatrial.dashboard.dialogs.ask import Ask
from seatrial.dashboard.dialogs.confirm import Confirm, preview_of
from seatrial.dashboard.orders import order_for_node, order_to_kill
from seatrial.engine.halt_mark import lift_mark, own_mark, read_mark, set_mark
from seatrial.errors import Halted
from seatrial.report.plain import plain
from seatrial.runtime.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from seatrial.dashboard.app import Dashboard


class Acting:
    """Carries out what keys ask for. Every method raises `SeatrialError` where it can't be done."""

    def __init__(self, app: "Dashboard", session: HandSession, production_pattern: str) -> None:
        self._app = app
        self._session = session
        self._production_pattern = production_pattern
        self._doing: set[asyncio.Task[Deed]] = set()
        self._is_asking = False

    @property
    def is_at_work(self) -> bool:
        """Whether something is being done."""
        return bool(self._doing)

    def confirmation(self, title: str) -> Confirmation:
        """What is to be asked before that is done."""
        cluster = self._session.context.cluster
        return confirmation_of(
            title,
            context_name=cluster.context_name,
            cluster_name=cluster.cluster_name,
            server=cluster.server,
            production_pattern=self._production_pattern,
        )

    async def kill(self, shown: Shown, *, force: bool) -> None:
        """Kill a pod."""
        await self._act(lambda: order_to_kill(shown, self._session.context, force=force))

    async def act_on_node(self, verb: str, name: str) -> None:
        """Stop, start, cordon or drain a node."""
        await self._act(lambda: order_for_node(verb, name, self._session.context))

    async def undo_last(self) -> None:
        """Take back what was done last and stands."""
        deed = await self._session.undo_last()
        self._tell_undone([deed] if deed else [])

    async def undo_all(self) -> None:
        """Take back everything that stands."""
        self._tell_undone(await self._session.undo_all())

    async def halt(self, *, namespace: str) -> None:
        """Halt every experiment on the cluster, once somebody has said why."""
        context = self._session.context
        question = "Halt every experiment on this cluster, this session's too? Why, in a few words:"
        reason = await self._app.push_screen_wait(Ask(question, is_dangerous=True))
        if reason is not None:
            mark = await set_mark(context.cluster, own_mark(reason), namespace=namespace)
            await until_seen(context, halted=True)
            self._tell(str(mark))

    async def resume(self, *, namespace: str) -> None:
        """Lift the halt, whoever set it, once somebody has said yes."""
        context = self._session.context
        found = await read_mark(context.cluster, namespace=namespace)
        if found is None:
            self._tell("experiments are not halted")
            return
        question = Confirmation(title="let experiments run again")
        if await self._app.push_screen_wait(Confirm(question, plain(f"experiments are {found}"))):
            await lift_mark(context.cluster, namespace=namespace)
            await until_seen(context, halted=False)
            self._tell("experiments may run again")

    def give_up(self) -> None:
        """Stop what is being done; what it changed so far is taken back."""
        if not self._doing:
            self._tell("nothing is being done")
        for task in self._doing:
            task.cancel()

    async def _act(self, make_order: Callable[[], Awaitable[Order]]) -> None:
        if self._is_asking:
            return  # a key that was pressed twice is one question
        self._is_asking = True
        try:
            order = await make_order()
            is_agreed = await self._agreed_to(order)
        finally:
            self._is_asking = False
        if is_agreed:
            await self._do(order)

    async def _do(self, order: Order) -> None:
        doing = asyncio.create_task(self._session.do(order), name=order.title)
        self._doing.add(doing)
        try:
            await asyncio.wait({doing})
        except asyncio.CancelledError:
            doing.cancel()  # the dashboard ends: what it changed so far is taken back
            raise
        finally:
            self._doing.discard(doing)
        if doing.cancelled():
            self._tell(f"stopped: {order.title}")
            return
        deed = doing.result()
        self._tell_outcome(order, deed.outcome)
        settled = await deed.settled()
        if settled != deed.outcome:
            self._tell_outcome(order, settled)

    async def _agreed_to(self, order: Order) -> bool:
        """Show what an order would do, and ask; again, where it would do another thing by the time of the answer."""
        await self._refuse_halted()
        plan = await self._session.preview(order)
        note, is_asked_again = "", False
        while True:
            obstacle = obstacle_to(plan, is_destructive=order.is_destructive)
            if obstacle:
                note = what_allows(plan)
            preview = preview_of(order.title, plan, width=self._app.size.width)
            question = Confirm(
                self.confirmation(order.title), preview, obstacle=obstacle, note=note, is_asked_again=is_asked_again
            )
            if not await self._app.push_screen_wait(question):
                return False
            shown, plan = plan, await self._session.preview(order)
            changes = changes_since(shown, plan)
            if not changes:
                return True
            note, is_asked_again = f"the cluster has changed meanwhile: {'; '.join(changes)}", True

    async def _refuse_halted(self) -> None:
        try:
            await self._session.context.halt.check()
        except Halted as error:
            raise Halted(f"nothing is done: experiments are {error.message}", hint="R lifts the halt") from None

    def _tell_outcome(self, order: Order, outcome: Outcome | None) -> None:
        if outcome is None or outcome.passed:
            return
        severity: SeverityLevel = "error" if outcome.verdict is Verdict.FAILED else "warning"
        self._tell("\n".join(outcome.reasons), title=f"{order.title}: {outcome.verdict}", severity=severity)

    def _tell_undone(self, deeds: Sequence[Deed]) -> None:
        if not deeds:
            self._tell("there is nothing to take back")
        for deed in deeds:
            failed = deed.standing is Standing.NOT_UNDONE
            self._tell(f"{deed.standing}: {deed.order.title}", severity="error" if failed else "information")

    def _tell(self, words: str, *, title: str = "", severity: SeverityLevel = "information") -> None:
        self._app.notify(words, title=title, severity=severity, markup=False)
