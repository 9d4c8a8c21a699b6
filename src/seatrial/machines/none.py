"""No cloud: what a run has where nobody said how machines are reached. It says so, before anything is touched."""

from collections.abc import Mapping, Sequence
from typing import NoReturn

from seatrial.errors import MachineError
from seatrial.kube.client import Client
from seatrial.machines.driver import Capability, DriverType, Machine


class NoMachines:
    """The driver that can do nothing; `why` is what there is to say about that."""

    name = "none"

    def __init__(self, *, why: str = "") -> None:
        self._why = why

    async def capabilities(self) -> frozenset[Capability]:
        """It has none."""
        return frozenset()

    async def require(self, *capabilities: Capability) -> None:
        """Refuse whatever is asked for."""
        if capabilities:
            self._refuse()

    async def list(self) -> Sequence[Machine]:
        """There are none."""
        return ()

    async def describe(self, machine_id: str) -> Machine:  # noqa: ARG002 -- the protocol's
        """Refuse."""
        self._refuse()

    async def start(self, machine_id: str) -> None:  # noqa: ARG002 -- the protocol's
        """Refuse."""
        self._refuse()

    async def stop(self, machine_id: str, *, force: bool = False) -> None:  # noqa: ARG002 -- the protocol's
        """Refuse."""
        self._refuse()

    async def reboot(self, machine_id: str, *, force: bool = False) -> None:  # noqa: ARG002 -- the protocol's
        """Refuse."""
        self._refuse()

    async def delete(self, machine_id: str) -> None:  # noqa: ARG002 -- the protocol's
        """Refuse."""
        self._refuse()

    async def start_command(self, machine_id: str) -> str:  # noqa: ARG002 -- the protocol's
        """Refuse."""
        self._refuse()

    async def close(self) -> None:
        """There is nothing to let go of."""

    def _refuse(self) -> NoReturn:
        raise MachineError(
            "no cloud is configured, so machines can't be stopped or started" + (f": {self._why}" if self._why else ""),
            hint="name the cloud that they are on (--aws, --azure, --gcp, --openstack), or try it on a sandbox",
        )


async def _connect(_cluster: Client, _settings: Mapping[str, str]) -> NoMachines:
    return NoMachines()


async def _recognizes(_cluster: Client) -> bool:
    return False


DRIVER = DriverType(name=NoMachines.name, connect=_connect, recognizes=_recognizes)
