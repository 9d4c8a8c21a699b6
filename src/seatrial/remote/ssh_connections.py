"""Open SSH connections to machines: one for each, kept for the run, opened anew where it died.

Several commands share a connection, as many as OpenSSH's `MaxSessions` lets by default. Handshakes are bounded, so that
two hundred machines don't time out on one another. Jump hosts are connections like others, shared by all behind them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import asyncssh

from seatrial.errors import CommandNotStarted
from seatrial.remote.executor import CommandResult
from seatrial.remote.output import LineListener
from seatrial.remote.ssh_command import NotBegunError, carry_out
from seatrial.remote.ssh_errors import explain, unusable
from seatrial.remote.ssh_host_keys import HostKeyJudge, HostKeys
from seatrial.remote.ssh_settings import DEFAULT_USER, Address

# OpenSSH's MaxSessions is 10 by default.
_MOST_SESSIONS = 8
_MOST_HANDSHAKES = 32
_KEEPALIVES_UNANSWERED = 3
_CLOSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How connections are opened: with which credentials (arguments of asyncssh), believing which host keys.

    `user` is who logs in where neither an address nor `~/.ssh/config` has somebody.
    """

    credentials: Mapping[str, Any] = field(repr=False)
    host_keys: HostKeys
    user: str = DEFAULT_USER
    jump_host: Address | None = None
    connect_seconds: float = 20.0
    keepalive_seconds: float = 10.0


class SshConnections:
    """All connections of a run; use it, then close it."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._handshakes = asyncio.Semaphore(_MOST_HANDSHAKES)
        self._machines: dict[Address, _Server] = {}
        self._hops: dict[tuple[Address, ...], _Server] = {}

    async def run(
        self, address: Address, command: str, *, machine: str, timeout_seconds: float, heard: LineListener | None
    ) -> CommandResult:
        """Run a shell command on the machine at an address; `machine` is its name, for messages.

        Raises:
            CommandNotStarted: it could not be carried there.
            MachineError: it took too long, or nobody knows what became of it.
        """
        server = self._machines.setdefault(address, _Server(lambda: self._open(address)))
        async with server.sessions:
            while True:
                connection, was_open = await server.connected()
                try:
                    return await carry_out(
                        connection, command, machine=machine, timeout_seconds=timeout_seconds, heard=heard
                    )
                except NotBegunError as error:
                    server.drop(connection)
                    if not was_open:
                        raise CommandNotStarted(f"{machine} closed its SSH connection at once") from error

    def is_open(self, address: Address) -> bool:
        """Whether there is a connection to that address."""
        return address in self._machines and self._machines[address].is_open

    async def login(self, address: Address) -> Address:
        """The address with the user who logs in there: the one given, the one that `~/.ssh/config` has, or the default.

        Raises:
            CommandNotStarted: the configuration can't be read.
        """
        return address._replace(user=self._user_at(address, await self._options(address)))

    async def close(self) -> None:
        """Close them all, those behind a jump host first."""
        async with asyncio.TaskGroup() as group:
            for machine in self._machines.values():
                group.create_task(machine.close())
        for hop in reversed(self._hops.values()):
            await hop.close()

    async def _open(self, address: Address) -> asyncssh.SSHClientConnection:
        """A new connection to a machine, by the jump hosts that flags or the configuration put before it."""
        options = await self._options(address)
        way = (self._opening.jump_host,) if self._opening.jump_host else _hops_in(options.tunnel)
        tunnel = await self._hop(way) if way else None
        return await self._connect(address, options, tunnel, behind=way[-1] if way else None)

    async def _hop(self, way: tuple[Address, ...]) -> asyncssh.SSHClientConnection:
        """The connection to the last of these jump hosts, each behind the one before it."""

        async def open_() -> asyncssh.SSHClientConnection:
            *before, address = way
            tunnel = await self._hop(tuple(before)) if before else None
            options = await self._options(address)
            return await self._connect(address, options, tunnel, behind=before[-1] if before else None)

        connection, _ = await self._hops.setdefault(way, _Server(open_)).connected()
        return connection

    async def _options(self, address: Address) -> asyncssh.SSHClientConnectionOptions:
        try:
            options: asyncssh.SSHClientConnectionOptions = await asyncssh.SSHClientConnectionOptions.construct(
                config=(),  # ~/.ssh/config
                host=address.host,
                port=address.port or (),
                username=address.user or (),
                **self._opening.credentials,
            )
        except (ValueError, OSError, RuntimeError, asyncssh.Error) as error:
            raise unusable(error, address) from error
        return options

    async def _connect(
        self,
        address: Address,
        options: asyncssh.SSHClientConnectionOptions,
        tunnel: asyncssh.SSHClientConnection | None,
        *,
        behind: Address | None,
    ) -> asyncssh.SSHClientConnection:
        login = Address(options.host, options.port, self._user_at(address, options))
        try:
            known = await asyncio.to_thread(self._opening.host_keys.read, options.known_hosts)
        except (ValueError, OSError) as error:
            raise unusable(error, login) from error
        judge = HostKeyJudge(self._opening.host_keys, known, behind=behind)
        try:
            async with self._handshakes, asyncio.timeout(self._opening.connect_seconds):
                return await asyncssh.connect(
                    address.host,
                    address.port or (),
                    options=options,
                    username=login.user,
                    tunnel=tunnel,
                    known_hosts=known,
                    client_factory=lambda: judge,
                    login_timeout=0,  # the timeout above is for all of it
                    keepalive_interval=self._opening.keepalive_seconds,
                    keepalive_count_max=_KEEPALIVES_UNANSWERED,
                    agent_forwarding=False,
                )
        except (OSError, asyncssh.Error) as error:
            raise explain(error, login, judge=judge, behind=behind) from error

    def _user_at(self, address: Address, options: asyncssh.SSHClientConnectionOptions) -> str:
        return address.user or str(options.config.get("User") or self._opening.user)


class _Server:
    """The connection to one server, once there is one."""

    def __init__(self, open_: Callable[[], Awaitable[asyncssh.SSHClientConnection]]) -> None:
        self.sessions = asyncio.Semaphore(_MOST_SESSIONS)
        self._open = open_
        self._turn = asyncio.Lock()
        self._connection: asyncssh.SSHClientConnection | None = None
        self._failures: list[CommandNotStarted] = []

    @property
    def is_open(self) -> bool:
        """Whether there is a connection, as far as is known here."""
        return self._connection is not None and not self._connection.is_closed()

    async def connected(self) -> tuple[asyncssh.SSHClientConnection, bool]:
        """An open connection, and whether it was open before.

        Who has waited while another failed to open it is told the same: a machine out of reach is tried once, not once
        for each command that waits for it.

        Raises:
            CommandNotStarted: it can't be opened.
        """
        failures = len(self._failures)
        async with self._turn:
            if self._connection is not None and not self._connection.is_closed():
                return self._connection, True
            if len(self._failures) > failures:
                raise CommandNotStarted(self._failures[-1].message, hint=self._failures[-1].hint)
            try:
                self._connection = await self._open()
            except CommandNotStarted as error:
                self._failures.append(error)
                raise
            return self._connection, False

    def drop(self, connection: asyncssh.SSHClientConnection) -> None:
        """That connection is dead: the next who asks gets another."""
        connection.abort()
        if self._connection is connection:
            self._connection = None

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is None:
            return
        self._connection.close()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._connection.wait_closed()
        except TimeoutError:
            self._connection.abort()


def _hops_in(proxy_jump: object) -> tuple[Address, ...]:
    """The jump hosts of an option `ProxyJump`."""
    texts: Iterable[str] = proxy_jump.split(",") if isinstance(proxy_jump, str) else ()
    hops = (Address.parse(each) for each in texts)
    return tuple(hop for hop in hops if hop)
