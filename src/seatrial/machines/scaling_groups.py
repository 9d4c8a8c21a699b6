"""Groups of machines that replace what fails in them: what a driver may know beyond the protocol of all drivers.

A machine of such a group that is stopped counts as failed: the group terminates it and makes another. That is said
before it is stopped, and can be held off. A driver that knows groups has the methods of `GroupKeeper`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from seatrial.machines.driver import MachineDriver
from seatrial.machines.lazy import opened


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingGroup:
    """A group, and which machines are its own.

    `id` is what the driver's methods take. `replacing` are the processes, at work, by which it replaces a machine that
    is stopped; where there are none, it leaves it alone. `doubt` says why that could not be asked, and is assumed.
    """

    id: str
    machines: frozenset[str]
    replacing: tuple[str, ...]
    doubt: str = ""


@runtime_checkable
class GroupKeeper(Protocol):
    """A driver that knows the groups of its machines. Every method raises `MachineError`."""

    async def groups_of(self, machine_ids: Sequence[str]) -> Sequence[ScalingGroup]:
        """The groups that these machines belong to."""
        ...

    async def suspend(self, group_id: str, processes: Sequence[str]) -> None:
        """Let the group stop doing this, and wait until it does."""
        ...

    async def resume(self, group_id: str, processes: Sequence[str]) -> bool:
        """Let the group go on with it, and wait until it does; False where the group is gone."""
        ...

    async def resume_command(self, group_id: str, processes: Sequence[str]) -> str:
        """The shell command by which a person resumes them."""
        ...


async def group_keeper(machines: MachineDriver) -> GroupKeeper | None:
    """The driver, where it knows groups.

    Raises:
        UsageError: there is no such driver.
        ClusterError: the API server did not answer.
    """
    driver = await opened(machines)
    return driver if isinstance(driver, GroupKeeper) else None
