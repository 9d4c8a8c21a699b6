"""What a driver may be able to do beyond the protocol of all drivers: freeze a machine where it stands."""

from typing import Protocol, runtime_checkable

from seatrial.errors import MachineError
from seatrial.machines.driver import MachineDriver
from seatrial.machines.lazy import opened


@runtime_checkable
class Pauser(Protocol):
    """A driver that can, and says so by `Capability.PAUSE`."""

    async def pause(self, machine_id: str) -> None:
        """Freeze a machine that is up, and wait until it stands still; `start` lets it go on."""
        ...


async def pause(machines: MachineDriver, machine_id: str) -> None:
    """Freeze a machine.

    Raises:
        MachineError: the driver can't, or the cloud refused or did not answer.
        ClusterError: the cluster, where the driver asks that, did not answer.
    """
    driver = await opened(machines)
    if not isinstance(driver, Pauser):
        raise MachineError(f"the driver '{driver.name}' can't pause machines")
    await driver.pause(machine_id)
