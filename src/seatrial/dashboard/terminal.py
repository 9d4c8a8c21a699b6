"""The terminal around the screen: what is written before it appears and after it has gone, and what ends it.

What is taken back when the dashboard ends is told line by line on the terminal, where it stays to be read.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager

from rich.console import Console

from seatrial.by_hand.hand_account import HandAccount
from seatrial.by_hand.live.cluster import LiveCluster
from seatrial.by_hand.session import HandSession
from seatrial.dashboard.app import Dashboard, DashboardSettings
from seatrial.dashboard.dialogs.leave import Leaving
from seatrial.engine.interrupts import Interrupts
from seatrial.errors import Interrupted, SeatrialError
from seatrial.policy.wording import counted
from seatrial.report.plain import plain
from seatrial.report.terminal import print_line
from seatrial.runtime.events import Preparing, Record

_log = logging.getLogger(__name__)

Opening = Callable[["Account"], AbstractAsyncContextManager[HandSession]]
"""Begins a session that an account listens to, and takes back at the end what was done unless the account `keeps`."""


class Account:
    """Listens to a session: while there is a screen it gets the events, else they are written to the terminal."""

    def __init__(self, console: Console) -> None:
        self.keeps = False
        """Whether somebody asked to leave what was done as it is."""
        self._console = console
        self._account = HandAccount()
        self._screen: Callable[[Record], None] | None = None

    def __call__(self, record: Record) -> None:
        """Take in an event, in a thread of the stream's."""
        lines = self._account.lines(record)  # asked always: it counts what it has shown
        if self._screen is not None:
            self._screen(record)
            return
        if isinstance(record.event, Preparing):
            self.write(record.event.what, "dim")
        for line in lines:
            print_line(line, self._console)

    def write(self, text: str, style: str = "") -> None:
        """Write a line of the dashboard's own."""
        self._console.print(plain(text, style=style), soft_wrap=True)

    @contextmanager
    def shown_by(self, app: Dashboard) -> Iterator[None]:
        """Hand the events to a screen while the block runs."""
        loop = asyncio.get_running_loop()

        def hand_over(record: Record) -> None:
            loop.call_soon_threadsafe(app.hear, record)

        self._screen = hand_over
        try:
            yield
        finally:
            self._screen = None


async def run_dashboard(opening: Opening, settings: DashboardSettings, *, interrupts: Interrupts) -> None:
    """Show the dashboard until somebody leaves it, or the process is asked to end.

    Raises:
        SeatrialError: the session could not begin, or what it did could not be taken back.
        Interrupted: the process was asked to end; what was done is taken back.
    """
    account = Account(Console(highlight=False))
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 -- a coroutine runs in a task
    try:
        with interrupts.installed(), interrupts.guarding(task):
            async with opening(account) as session:
                await _show(session, settings, account, interrupts)
                _tell_what_goes(session, account)
    except asyncio.CancelledError:
        if not interrupts.requested:
            raise
        task.uncancel()
    if interrupts.requested:
        raise Interrupted(f"stopped by {interrupts.reason}")


async def _show(session: HandSession, settings: DashboardSettings, account: Account, interrupts: Interrupts) -> None:
    cluster = session.context.cluster
    async with LiveCluster(cluster, namespace=lambda: settings.namespace or cluster.default_namespace) as live:
        app = Dashboard(session, live, settings)
        asked_to_end = asyncio.create_task(asyncio.Event().wait(), name="asked to end")
        asked_to_end.add_done_callback(lambda _: app.exit() if interrupts.requested else None)
        try:
            with account.shown_by(app), interrupts.guarding(asked_to_end):
                how = await app.run_async()
        finally:
            asked_to_end.cancel()
        if app.failure is not None:
            _log.error("what failed in the dashboard:", exc_info=app.failure)
            raise SeatrialError(
                f"the dashboard failed: {type(app.failure).__name__}",
                hint="a mistake of ours: please report it with what stands above",
            )
        account.keeps = how is Leaving.KEEP


def _tell_what_goes(session: HandSession, account: Account) -> None:
    standing = len(session.standing_deeds)
    if standing and not account.keeps:
        account.write(f"taking back {counted(standing, 'thing')} that you did", "dim")
