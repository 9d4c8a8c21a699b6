"""Groups of machines that replace what fails: what they will do to a stop is said, or held off until clean-up.

Clean-up works last in, first out: what is suspended before machines are stopped is resumed after they are back.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from seatrial.actions.machine_starts import driver_named
from seatrial.errors import MachineError
from seatrial.machines.scaling_groups import GroupKeeper, ScalingGroup, group_keeper
from seatrial.runtime.context import Context
from seatrial.runtime.events import ReplacementForeseen, ScalingGroupResumed, ScalingGroupSuspended
from seatrial.runtime.undo import Undo, UndoKind
from seatrial.runtime.world import World


async def replacing_groups(machine_ids: Sequence[str], context: Context) -> Sequence[ScalingGroup]:
    """The groups that would replace some of these machines if they were stopped.

    Raises:
        MachineError: the cloud refused or did not answer.
    """
    keeper = await group_keeper(context.machines) if machine_ids else None
    groups = await keeper.groups_of(machine_ids) if keeper else ()
    return [each for each in groups if each.replacing and each.machines]


def foresee(groups: Sequence[ScalingGroup], context: Context) -> None:
    """Say which machines will be replaced."""
    for group in groups:
        context.emit(ReplacementForeseen(group=group.id, machines=tuple(sorted(group.machines)), doubt=group.doubt))


async def hold_off(groups: Sequence[ScalingGroup], context: Context) -> None:
    """Let the groups replace nothing until clean-up.

    Raises:
        MachineError: the cloud refused; what was suspended until then is resumed at clean-up.
        StateError: the disk did not take the undo; that group was not touched.
    """
    keeper = await group_keeper(context.machines)
    if keeper is not None:
        for group in groups:
            await _suspend(group, keeper, context)


async def _suspend(group: ScalingGroup, keeper: GroupKeeper, context: Context) -> None:
    await context.write_undo(
        Undo(
            kind=RESUME_SCALING_GROUP.kind,
            args={"driver": context.machines.name, "group": group.id, "processes": [*group.replacing]},
            description=f"resume {', '.join(group.replacing)} of group {group.id}",
            manual=await keeper.resume_command(group.id, group.replacing),
        )
    )
    await keeper.suspend(group.id, group.replacing)
    context.emit(ScalingGroupSuspended(group=group.id, processes=group.replacing))


async def _resume(args: Mapping[str, Any], world: World) -> str:
    group, processes = args["group"], tuple(args["processes"])
    async with driver_named(args["driver"], world) as driver:
        keeper = await group_keeper(driver)
        if keeper is None:
            raise MachineError(f"the driver '{driver.name}' can't resume group {group}")
        if not await keeper.resume(group, processes):
            return f"group {group} is gone"
    world.emit(ScalingGroupResumed(group=group, processes=processes))
    return ""


RESUME_SCALING_GROUP = UndoKind(kind="resumeScalingGroup", run=_resume)
