"""The machines of a sandbox as its "cloud" sees them: listed, stopped, started, rebooted, paused, deleted.

Stopping is pulling the plug: everything on the machine is gone at once, its disk stays. Pausing freezes it: nothing on
it runs, its connections stand open and silent, and when it goes on it believes that no time has passed. Operations on
one machine are done one after the other; each returns when the machine is in the wanted state, and does nothing when it
was already.
"""

import asyncio
from dataclasses import dataclass
from typing import Literal

from seatrial.errors import SandboxError
from seatrial.sandbox.control.freezer import FrozenTree, freeze
from seatrial.sandbox.kubelet.machine_config import MachineConfig
from seatrial.sandbox.launcher import Launcher

MachineState = Literal["running", "stopped", "paused"]


@dataclass(frozen=True, kw_only=True)
class MachineInfo:
    """A machine as the list shows it; `name` is its node's, too."""

    name: str
    state: MachineState
    instance_id: str
    zone: str
    region: str
    group: str
    address: str


class UnknownMachineError(SandboxError):
    """There is no machine of that name."""


class Machines:
    """Switches machines on and off.

    Args:
        launcher: the process that starts them.
    """

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self._configs: dict[str, MachineConfig] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._ended: dict[str, asyncio.Event] = {}
        self._frozen: dict[str, FrozenTree] = {}

    async def add(self, config: MachineConfig) -> None:
        """Take a machine into the list and start it."""
        self._configs[config.node_name] = config
        self._locks[config.node_name] = asyncio.Lock()
        await self.start(config.node_name)

    def list(self) -> list[MachineInfo]:
        """All machines, in the order in which they were added."""
        return [self.info(name) for name in self._configs]

    def config(self, name: str) -> MachineConfig:
        """What makes that machine; `UnknownMachineError` if there is none."""
        try:
            return self._configs[name]
        except KeyError:
            known = ", ".join(self._configs)
            raise UnknownMachineError(f"there is no machine {name!r}", hint=f"machines: {known}") from None

    def info(self, name: str) -> MachineInfo:
        """One machine."""
        config = self.config(name)
        return MachineInfo(
            name=name,
            state=self._state(name),
            instance_id=config.instance_id,
            zone=config.zone,
            region=config.region,
            group=config.group,
            address=config.address,
        )

    async def start(self, name: str) -> MachineInfo:
        """Switch a machine on, or let a paused one go on."""
        self.config(name)
        async with self._locks[name]:
            config = self.config(name)  # it may have been deleted meanwhile
            if name in self._frozen:
                self._frozen.pop(name).thaw()
            elif self._state(name) == "stopped":
                self._ended[name] = asyncio.Event()
                await self._launcher.start_machine(config)
        return self.info(name)

    async def stop(self, name: str) -> MachineInfo:
        """Pull the plug; returns when everything on the machine is gone."""
        self.config(name)
        async with self._locks[name]:
            await self._cut_power(name)
        return self.info(name)

    async def reboot(self, name: str) -> MachineInfo:
        """Pull the plug and put it in again."""
        await self.stop(name)
        return await self.start(name)

    async def pause(self, name: str) -> MachineInfo:
        """Freeze a machine that runs; one that is stopped stays so."""
        self.config(name)
        async with self._locks[name]:
            if self._state(name) == "running":
                pid = self._launcher.machines[name]
                frozen = await asyncio.to_thread(freeze, pid)
                # One that has ended meanwhile isn't paused.
                if self._launcher.machines.get(name) == pid:
                    self._frozen[name] = frozen
        return self.info(name)

    async def delete(self, name: str) -> MachineInfo:
        """Pull the plug for good: there is no such machine from then on, whose state was this at the end."""
        self.config(name)
        async with self._locks[name]:
            await self._cut_power(name)
            last = self.info(name)
            del self._configs[name]
        return last

    def ended(self, name: str) -> None:
        """The launcher reports that a machine's process has ended."""
        self._frozen.pop(name, None)
        if name in self._ended:
            self._ended[name].set()

    async def _cut_power(self, name: str) -> None:
        if self._state(name) == "stopped":
            return
        frozen = self._frozen.pop(name, None)
        if frozen is not None:
            frozen.kill()
        else:
            self._launcher.cut_power(name)
        await self._ended[name].wait()

    def _state(self, name: str) -> MachineState:
        if name in self._frozen:
            return "paused"
        return "running" if name in self._launcher.machines else "stopped"
