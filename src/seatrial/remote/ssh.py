"""Commands on machines over SSH, as whoever may log in there: `--execution-mode ssh`.

The machine of a node is found by the node's addresses. They are asked for when a connection is opened, since a machine
that was restarted may have others, and remembered: a fault may have taken the API server away.

`ssh_settings` says how machines are reached, `ssh_connections` keeps connections open, `ssh_command` runs a command on
one. These need asyncssh, which is an extra, and slow to import.
"""

import asyncio
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

from seatrial.errors import ClusterError, CommandNotStarted, UsageError
from seatrial.kube.client import Client
from seatrial.kube.errors import Forbidden, NotFound
from seatrial.kube.objects import Node
from seatrial.kube.resources import NODES
from seatrial.remote.executor import CommandResult, ExecutorType
from seatrial.remote.output import LineListener
from seatrial.remote.sandbox import is_sandbox
from seatrial.remote.ssh_settings import DEFAULT_USER, Address, SshSettings

if TYPE_CHECKING:
    from seatrial.remote.ssh_connections import SshConnections

# How long the API server may take to say whether a machine has another address than it had.
_PATIENCE_SECONDS = 5.0


class SshExecutor:
    """The executor; `cluster` tells where the nodes are."""

    name = "ssh"

    def __init__(self, cluster: Client, settings: SshSettings, connections: "SshConnections") -> None:
        self._cluster = cluster
        self._settings = settings
        self._connections = connections
        self._addresses: dict[str, Address] = {}

    async def require(self) -> None:
        """Its settings were read when it was made; whether a machine lets us in is known when it is asked."""

    async def run(
        self, node: str, command: str, *, timeout_seconds: float = 60, heard: LineListener | None = None
    ) -> CommandResult:
        """Run a shell command on the machine of a node."""
        return await self._connections.run(
            await self._address_of(node), command, machine=node, timeout_seconds=timeout_seconds, heard=heard
        )

    async def by_hand(self, node: str, command: str) -> str:
        """OpenSSH's command that does the same."""
        settings, address = self._settings, await self._connections.login(await self._address_of(node))
        words = ["ssh"]
        if settings.key_file:
            words += ["-i", str(settings.key_file.absolute())]
        if settings.known_hosts:
            words += ["-o", f"UserKnownHostsFile={settings.known_hosts.absolute()}"]
        if settings.allow_missing_host_keys:
            words += ["-o", "StrictHostKeyChecking=accept-new"]
        if settings.jump_host:
            words += ["-J", str(await self._connections.login(settings.jump_host))]
        if address.port:
            words += ["-p", str(address.port)]
        return shlex.join([*words, str(address._replace(port=None)), command])

    async def close(self) -> None:
        """Close all connections."""
        await self._connections.close()

    async def _address_of(self, node: str) -> Address:
        remembered = self._addresses.get(node)
        if remembered and self._connections.is_open(remembered):
            return remembered
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS if remembered else None):
                found = await self._cluster.get(NODES, node, type=Node)
        except (ClusterError, TimeoutError) as error:
            if remembered:
                return remembered
            if isinstance(error, NotFound):
                raise CommandNotStarted(f"there is no node {node}") from error
            raise CommandNotStarted(f"nobody knows the address of {node}: {error}") from error
        address = self._settings.address_of(found)
        if address is None:
            raise CommandNotStarted(
                f"node {node} has no address to reach it by", hint="name the host: --override-ssh-host"
            )
        self._addresses[node] = address
        return address


async def _connect(cluster: Client, variables: Mapping[str, str]) -> SshExecutor:
    settings = SshSettings.of(variables)
    if await _is_on_sandbox(cluster):
        # Its nodes' addresses are this machine's own: who answers there is not the node.
        raise UsageError(
            "the sandbox's machines have no SSH servers",
            hint="leave out --execution-mode ssh: commands reach them all the same",
        )
    try:
        from seatrial.remote.ssh_connections import Opening, SshConnections  # noqa: PLC0415 -- asyncssh is an extra, and slow to import
        from seatrial.remote.ssh_credentials import credentials_of  # noqa: PLC0415 -- the same
        from seatrial.remote.ssh_host_keys import HostKeys  # noqa: PLC0415 -- the same
    except ImportError as error:
        raise UsageError(
            "commands over SSH need the extra 'ssh'", hint='install it: pip install "seatrial[ssh]"'
        ) from error
    opening = Opening(
        credentials=await credentials_of(settings),
        host_keys=HostKeys(file=settings.known_hosts, allow_missing=settings.allow_missing_host_keys),
        user=settings.user or DEFAULT_USER,
        jump_host=settings.jump_host,
    )
    return SshExecutor(cluster, settings, SshConnections(opening))


async def _is_on_sandbox(cluster: Client) -> bool:
    try:
        return await is_sandbox(cluster)
    except Forbidden:  # what clusters of others answer whoever isn't their administrator
        return False


async def _recognizes(_cluster: Client) -> bool:
    """Nobody logs in anywhere unasked."""
    return False


EXECUTOR = ExecutorType(name=SshExecutor.name, connect=_connect, recognizes=_recognizes)
