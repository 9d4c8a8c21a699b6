"""Switching machines on: as an action, and as the undo of having switched them off.

A machine counts as back when its node is: its kubelet is heard of again, and the node is Ready.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from seatrial.actions.node_readiness import last_renewal, wait_until_back
from seatrial.machines.driver import MachineDriver, MachineGone, MachineState
from seatrial.machines.registry import find_driver
from seatrial.runtime.events import FaultCleared, MachineStarted, MeasurementTaken
from seatrial.runtime.undo import UndoKind
from seatrial.runtime.world import World


def done_by_start(machine_id: str) -> str:
    """What a scenario remembers of having told a machine to start."""
    return f"start of machine {machine_id}"


async def start_and_wait(
    machine_id: str, node: str, driver: MachineDriver, world: World, *, fault: str = "stop"
) -> None:
    """Start a machine, which may be up already, and wait until its node is back; says how long both took.

    `node` is empty for a machine that no node runs on: then it is back when it is up. `fault` is what ends by that.

    Raises:
        MachineError: the cloud refused.
        ClusterError: the cluster did not answer.
    """
    before = await last_renewal(node, world.cluster) if node else None
    was = await driver.describe(machine_id)
    begun = world.clock.monotonic()
    await driver.start(machine_id)
    seconds = world.clock.monotonic() - begun
    if was.state is not MachineState.UP:
        name = node or was.name or machine_id
        world.emit(MachineStarted(id=machine_id, name=name, duration_ms=seconds * 1000))
        world.emit(MeasurementTaken(name="machineStarted", of=name, seconds=seconds))
    if node:
        await wait_until_back(node, world.cluster, since_renewal=before)
        seconds = world.clock.monotonic() - begun
    if node and was.state is not MachineState.UP:
        world.emit(MeasurementTaken(name="nodeReady", of=node, seconds=seconds))
    if was.state is MachineState.UP and fault == "reboot":
        return  # nothing was left to end; that it rebooted is seen by its node's boot id
    seen = f"its kubelet reports and node {node} is Ready" if node else f"the driver '{driver.name}' says that it is UP"
    told = "go on" if fault == "pause" else "start"
    since = f"{seconds:.1f} s after the machine was told to {told}"
    proof = f"{seen}; the machine was UP before" if was.state is MachineState.UP else f"{seen}, {since}"
    world.emit(FaultCleared(subject=f"{fault} of machine {machine_id}", proof=proof))


async def _start_again(args: Mapping[str, Any], world: World) -> str:
    async with driver_named(args["driver"], world) as driver:
        try:
            await start_and_wait(args["id"], args["node"], driver, world, fault=args.get("fault", "stop"))
        except MachineGone as gone:
            if not args.get("group"):
                raise
            return f"{gone.message}; its group {args['group']} replaces it, which was said before it was stopped"
    return ""


@asynccontextmanager
async def driver_named(name: str, world: World) -> AsyncIterator[MachineDriver]:
    """The driver that changed something: this run's, or, where another run is cleaned up after, that of its name."""
    await world.machines.capabilities()  # a lazy one knows its name from then on
    if world.machines.name == name:
        yield world.machines
        return
    driver = await find_driver(name, world.cluster)
    try:
        yield driver
    finally:
        await driver.close()


# A machine of iron may take minutes to boot.
START_MACHINE = UndoKind(kind="startMachine", run=_start_again, deadline_seconds=600.0)
