"""Nodes and machines as the API server and a cloud describe them, and a cloud of such machines."""

import asyncio

from msgspec.structs import replace

from seatrial.errors import MachineError
from seatrial.kube.objects import Node, NodeAddress, NodeSpec, NodeStatus, ObjectMeta
from seatrial.machines.driver import Capability, Machine, MachineGone, MachineState


def node(name, *, provider_id="", ip="", hostname=""):
    addresses = [("InternalIP", ip), ("Hostname", hostname)]
    known = tuple(NodeAddress(type=type_, address=address) for type_, address in addresses if address)
    return Node(
        metadata=ObjectMeta(name=name, uid=f"uid-{name}"),
        spec=NodeSpec(provider_id=provider_id),
        status=NodeStatus(addresses=known),
    )


def machine(id_, *, name="", provider_id="", addresses=(), state=MachineState.UP, **given):
    return Machine(id=id_, name=name or id_, state=state, provider_id=provider_id, addresses=addresses, **given)


class MemoryCloud:
    """A cloud without machines of iron: remembers who was switched on and off; `broken` machines refuse."""

    name = "memory"

    def __init__(self, *machines, can=frozenset(Capability), broken=()):
        self.machines = {each.id: each for each in machines}
        self.can = can
        self.broken = set(broken)
        self.started = asyncio.Event()

    def states(self):
        return {each.id: each.state.value for each in self.machines.values()}

    async def capabilities(self):
        return self.can

    async def require(self, *capabilities):
        if missing := set(capabilities) - self.can:
            raise MachineError(f"the memory cloud can't {', '.join(sorted(missing))}", hint="ask another")

    async def list(self):
        return list(self.machines.values())

    async def describe(self, machine_id):
        if machine_id not in self.machines:
            raise MachineGone(f"the memory cloud knows no machine {machine_id}")
        return self.machines[machine_id]

    async def start(self, machine_id):
        self._become(machine_id, MachineState.UP)
        self.started.set()

    async def stop(self, machine_id, *, force=False):
        self._become(machine_id, MachineState.DOWN)

    async def reboot(self, machine_id, *, force=False):
        self._become(machine_id, MachineState.UP)

    async def delete(self, machine_id):
        self._become(machine_id, MachineState.DOWN)
        del self.machines[machine_id]

    async def start_command(self, machine_id):
        return f"cloud start {machine_id}"

    async def close(self):
        pass

    def _become(self, machine_id, state):
        if machine_id in self.broken:
            raise MachineError(f"machine {machine_id} is locked")
        self.machines[machine_id] = replace(self.machines[machine_id], state=state)
