"""The shell as its commands see it: the session, the live view of the cluster, the front, the output."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

import msgspec

from seatrial.errors import UsageError
from seatrial.shell.front import Front
from seatrial.shell.output import Output

if TYPE_CHECKING:
    from seatrial.by_hand.live.cluster import LiveCluster
    from seatrial.by_hand.server_time import ServerTime
    from seatrial.by_hand.session import HandSession
    from seatrial.shell.listings.pods import PodList
    from seatrial.shell.watching import Watching

Opening = Callable[[], "AbstractAsyncContextManager[Connection]"]
"""Reaches the cluster; what it takes to do that is imported then and not before, so that the prompt comes first."""


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """What there is once the cluster is reached; `namespace` is the one that commands mean where none is said."""

    session: "HandSession"
    live: "LiveCluster"
    namespace: str
    context_name: str


class ShellSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says: `assume_yes` answers every question but those for the name of a production cluster.

    Which those are `production_pattern` says, a glob; `production` is the name that a script gives, since it can't be
    asked. `halt_namespace` is where the mark of a halt is. In `plain` mode nothing is drawn that can't be read aloud.
    `reached_by` are the options by which other commands reach the same cluster, with the same things loaded.
    """

    assume_yes: bool = False
    plain: bool = False
    keep: bool = False
    namespace: str = ""
    production_pattern: str = "*prod*"
    production: str = ""
    halt_namespace: str = "default"
    reached_by: tuple[str, ...] = ()


class Shell:
    """One shell; commands get it as click's object."""

    def __init__(self, front: Front, output: Output, settings: ShellSettings) -> None:
        self.front = front
        self.output = output
        self.settings = settings
        self.namespace = settings.namespace
        self.numbered_pods: Sequence[tuple[str, str]] = ()
        """Namespace and name of the pods that were listed last, as `kill 1` counts them."""
        self.numbered_nodes: Sequence[str] = ()
        self.watching: Watching | None = None
        """What `watch` tells in the background."""
        self.listed_pods: PodList | None = None
        """The pods of that list as they were, for `cached_pods`."""
        self.server_time: ServerTime | None = None
        """The API server's clock, once it was looked at."""
        self.keeps = settings.keep
        self.is_leaving = False
        self.is_planning = False
        """Whether what is ordered is to be shown and not done, as under the command `plan`."""
        self.on_change: Callable[[], None] = lambda: None
        """Called when something that the status bar tells has changed."""
        self._connection: Connection | None = None
        self._connected: asyncio.Future[Connection] | None = None

    @property
    def connection(self) -> Connection | None:
        """The connection, once there is one."""
        return self._connection

    @property
    def session(self) -> "HandSession":
        """The session; only for commands that need the cluster, which wait for it."""
        return self._there.session

    @property
    def live(self) -> "LiveCluster":
        """The live view of the cluster; likewise."""
        return self._there.live

    @property
    def _there(self) -> Connection:
        if self._connection is None:
            raise UsageError("the cluster is not reached yet")
        return self._connection

    async def connected(self) -> None:
        """Return when the cluster is reached.

        Raises:
            SeatrialError: it can't be.
        """
        assert self._connected is not None  # noqa: S101 -- `staying_connected` stands around all
        await asyncio.shield(self._connected)

    async def caught_up(self) -> None:
        """Return when what has happened so far is written."""
        if self._connection is not None:
            await self._connection.session.context.events.caught_up()

    async def stay_connected(self, opening: Opening, leaving: asyncio.Event) -> None:
        """Reach the cluster, and let go of it (undoing what was done) when `leaving` is set."""
        loop = asyncio.get_running_loop()
        self._connected = loop.create_future()
        try:
            async with opening() as connection:
                self._connection = connection
                self.namespace = self.namespace or connection.namespace
                connection.session.on_change = self._has_changed
                self._has_changed()
                self._connected.set_result(connection)
                await leaving.wait()
                if self.watching is not None:
                    self.watching.end()
        except BaseException as error:
            if not self._connected.done():
                self._connected.set_exception(error)
                self._connected.exception()  # looked at, also where no command waits for it
            raise

    def _has_changed(self) -> None:
        self.on_change()
