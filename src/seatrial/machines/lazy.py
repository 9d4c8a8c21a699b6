"""A driver that is looked for when the first step needs a machine: a run without such steps pays nothing for it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from seatrial.kube.client import Client
from seatrial.machines.driver import Capability, Machine, MachineDriver
from seatrial.machines.registry import find_driver


class LazyMachines:
    """Stands for the driver that `find` finds."""

    def __init__(self, find: Callable[[], Awaitable[MachineDriver]]) -> None:
        self._find = find
        self._driver: MachineDriver | None = None
        self._turn = asyncio.Lock()

    @classmethod
    def of(cls, cluster: Client, *, name: str | None = None) -> "LazyMachines":
        """The driver of a cluster's machines: of that name and settings, or the one that recognizes them."""
        return cls(lambda: find_driver(name, cluster))

    @property
    def name(self) -> str:
        """The driver's name, empty while nobody has asked it for anything."""
        return self._driver.name if self._driver else ""

    async def opened(self) -> MachineDriver:
        """The driver itself.

        Raises:
            UsageError: there is no such driver.
            ClusterError: the API server did not answer.
        """
        async with self._turn:
            if self._driver is None:
                self._driver = await self._find()
            return self._driver

    async def capabilities(self) -> frozenset[Capability]:
        """What it can do."""
        return await (await self.opened()).capabilities()

    async def require(self, *capabilities: Capability) -> None:
        """Refuse what it can't do."""
        await (await self.opened()).require(*capabilities)

    async def list(self) -> Sequence[Machine]:
        """All machines that it can reach."""
        return await (await self.opened()).list()

    async def describe(self, machine_id: str) -> Machine:
        """One machine as it is."""
        return await (await self.opened()).describe(machine_id)

    async def start(self, machine_id: str) -> None:
        """Start a machine."""
        await (await self.opened()).start(machine_id)

    async def stop(self, machine_id: str, *, force: bool = False) -> None:
        """Stop a machine."""
        await (await self.opened()).stop(machine_id, force=force)

    async def reboot(self, machine_id: str, *, force: bool = False) -> None:
        """Restart a machine."""
        await (await self.opened()).reboot(machine_id, force=force)

    async def delete(self, machine_id: str) -> None:
        """Delete a machine."""
        await (await self.opened()).delete(machine_id)

    async def start_command(self, machine_id: str) -> str:
        """The shell command by which a person starts it."""
        return await (await self.opened()).start_command(machine_id)

    async def close(self) -> None:
        """Let go of connections, where there are any."""
        if self._driver is not None:
            await self._driver.close()


async def opened(machines: MachineDriver) -> MachineDriver:
    """The driver itself, to ask what it knows beyond the protocol of all drivers.

    Raises:
        UsageError: there is no such driver.
        ClusterError: the API server did not answer.
    """
    return await machines.opened() if isinstance(machines, LazyMachines) else machines
