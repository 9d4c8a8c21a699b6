"""The machines of Seatrial's own sandbox, reached as a cloud is: by its API, below `/sandbox/v1` of the API server.

The credentials are those of the cluster. A sandbox knows one way of stopping, pulling the plug, so `force` changes
nothing. A machine's id carries the sandbox's, so that a machine of another sandbox at the same address is never taken
for it.
"""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from seatrial.errors import MachineError
from seatrial.kube.client import Client
from seatrial.kube.errors import BadRequest, Conflict, NotFound, UnexpectedAnswer
from seatrial.machines.driver import Capability, DriverType, Machine, MachineGone, MachineState

T = TypeVar("T")

_MACHINES = "/sandbox/v1/machines"
_STATES = {"running": MachineState.UP, "stopped": MachineState.DOWN}


class _Machine(msgspec.Struct, frozen=True):
    name: str
    state: str
    instance_id: str
    zone: str = ""
    region: str = ""
    group: str = ""
    address: str = ""


class _Machines(msgspec.Struct, frozen=True):
    machines: list[_Machine]


class SandboxMachines:
    """The driver; `cluster` leads to the sandbox's API server."""

    name = "sandbox"

    def __init__(self, cluster: Client) -> None:
        self._cluster = cluster

    async def capabilities(self) -> frozenset[Capability]:
        """Everything."""
        return frozenset(Capability)

    async def require(self, *capabilities: Capability) -> None:
        """A sandbox's machines can be done everything to."""

    async def list(self) -> Sequence[Machine]:
        """All machines, in the order in which they were made."""
        return [_as_machine(each) for each in await self._known()]

    async def describe(self, machine_id: str) -> Machine:
        """One machine as it is."""
        return _as_machine(await self._find(machine_id))

    async def start(self, machine_id: str) -> None:
        """Switch it on, or let a paused one go on."""
        await self._act(machine_id, "start", wanted="running")

    async def stop(self, machine_id: str, *, force: bool = False) -> None:  # noqa: ARG002 -- a sandbox has one way only
        """Pull the plug."""
        await self._act(machine_id, "stop", wanted="stopped")

    async def reboot(self, machine_id: str, *, force: bool = False) -> None:  # noqa: ARG002 -- a sandbox has one way only
        """Pull the plug and put it in again."""
        machine = await self._find(machine_id)
        if machine.state != "running":
            raise MachineError(f"machine {machine.name} is {machine.state}, so it can't be rebooted", hint="start it")
        await self._act(machine_id, "reboot", wanted="running")

    async def pause(self, machine_id: str) -> None:
        """Freeze it; `start` lets it go on."""
        await self._act(machine_id, "pause", wanted="paused")

    async def delete(self, machine_id: str) -> None:
        """Pull the plug and throw it away; the Node stays, as in any cluster without a cloud's controller."""
        with contextlib.suppress(MachineGone):
            await self._act(machine_id, "delete", wanted="stopped")

    async def start_command(self, machine_id: str) -> str:
        """Kubectl's raw request: it reaches this sandbox, whatever its name is."""
        name = (await self._find(machine_id)).name
        return f"kubectl create --raw {_MACHINES}/{quote(name)}/start -f /dev/null"

    async def close(self) -> None:
        """The cluster's client is not this driver's to close."""

    async def _known(self) -> Sequence[_Machine]:
        return _decoded(await self._cluster.request_json("GET", _MACHINES), _Machines).machines

    async def _find(self, machine_id: str) -> _Machine:
        for each in await self._known():
            if each.instance_id == machine_id:
                return each
        raise MachineGone(
            f"the sandbox at {self._cluster.server} has no machine {machine_id}",
            hint="it is another sandbox than the one that machine belonged to",
        )

    async def _act(self, machine_id: str, action: str, *, wanted: str) -> None:
        name = (await self._find(machine_id)).name
        path = f"{_MACHINES}/{quote(name)}/{action}"
        # A reboot that is sent twice would be two; the others are the same however often they are sent.
        repeatable = action != "reboot"
        try:
            answer = await self._cluster.request_json("POST", path, repeatable=repeatable)
        except (NotFound, Conflict, BadRequest) as error:
            raise MachineError(f"can't {action} machine {name}: {error.message}", hint=error.hint) from error
        found = _decoded(answer, _Machine).state
        if found != wanted:
            raise MachineError(f"machine {name} is {found} after {action}")


def _as_machine(each: _Machine) -> Machine:
    return Machine(
        id=each.instance_id,
        name=each.name,
        state=_STATES.get(each.state, MachineState.UNKNOWN),
        addresses=(each.address,) if each.address else (),
        provider_id=f"sandbox:///{each.zone}/{each.instance_id}",
        zone=each.zone,
        region=each.region,
        groups=(each.group,) if each.group else (),
    )


def _decoded(answer: Any, wanted: type[T]) -> T:
    try:
        return msgspec.convert(answer, wanted)
    except msgspec.ValidationError as error:
        raise UnexpectedAnswer(f"the sandbox's control answered something else than machines: {error}") from error


async def _connect(cluster: Client, _settings: Mapping[str, str]) -> SandboxMachines:
    return SandboxMachines(cluster)


async def recognizes(cluster: Client) -> bool:
    """Whether the cluster is a sandbox, as far as these credentials may know.

    Raises:
        Forbidden: they may not ask.
    """
    try:
        answer = await cluster.request_json("GET", _MACHINES)
    except NotFound:
        return False
    return isinstance(answer, dict) and "machines" in answer


DRIVER = DriverType(name=SandboxMachines.name, connect=_connect, recognizes=recognizes)
