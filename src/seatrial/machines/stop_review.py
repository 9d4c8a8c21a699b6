"""What a driver may tell about a stop before it is made, for plans: an addition to the protocol of all drivers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from seatrial.machines.driver import Capability, MachineDriver
from seatrial.machines.lazy import opened


@dataclass(frozen=True, slots=True, kw_only=True)
class StopReview:
    """What stops would meet.

    `impediments` says which machines can't be stopped, and why, `missing_permissions` what the cloud doesn't permit,
    `notes` what could not be asked.
    """

    impediments: Mapping[str, str] = field(default_factory=dict)
    missing_permissions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@runtime_checkable
class StopReviewer(Protocol):
    """A driver that can tell so."""

    async def review_stops(
        self, machine_ids: Sequence[str], needed: Sequence[Capability], *, force: bool
    ) -> StopReview:
        """What stops of these machines would meet; changes nothing, raises `MachineError`."""
        ...


async def review_stops(
    machines: MachineDriver, machine_ids: Sequence[str], needed: Sequence[Capability], *, force: bool
) -> StopReview:
    """What the driver tells; nothing where it has nothing to tell.

    Raises:
        MachineError: the cloud refused or did not answer.
    """
    driver = await opened(machines)
    if not machine_ids or not isinstance(driver, StopReviewer):
        return StopReview()
    return await driver.review_stops(machine_ids, needed, force=force)
