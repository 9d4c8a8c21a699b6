"""No cloud: what a run has where nobody said how machines are reached. It says so, before anything is touched."""

from collections.abc import Sequence
from typing import NoReturn

from seatrial.errors import MachineError
from seatrial.machines.driver import Capability, Machine


class NoMachines:
    """The driver that can do nothing."""

    name = "none"
    capabilities: frozenset[Capability] = frozenset()

    async def list(self) -> Sequence[Machine]:
        """There are none."""
        return ()

    async def describe(self, machine_id: str) -> Machine:  # noqa: ARG002 -- the protocol's
        """Refuse."""
        _refuse()

    async def start(self, machine_id: str) -> None:  # noqa: ARG002 -- the protocol's
        """Refuse."""
        _refuse()

    async def stop(self, machine_id: str, *, force: bool = False) -> None:  # noqa: ARG002 -- the protocol's
        """Refuse."""
        _refuse()

    async def reboot(self, machine_id: str, *, force: bool = False) -> None:  # noqa: ARG002 -- the protocol's
        """Refuse."""
        _refuse()

    async def delete(self, machine_id: str) -> None:  # noqa: ARG002 -- the protocol's
        """Refuse."""
        _refuse()

    async def close(self) -> None:
        """There is nothing to let go of."""


def _refuse() -> NoReturn:
    raise MachineError(
        "no cloud is configured, so machines can't be stopped or started",
        hint="name the cloud that the cluster's machines are on, or run on the sandbox",
    )
