"""The auto-scaling groups of AWS: what they would do to an instance that is stopped, and keeping them from it.

A group's id is `REGION/NAME`.
"""

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from seatrial.errors import MachineError
from seatrial.machines.aws_errors import AwsError
from seatrial.machines.aws_instances import batches
from seatrial.machines.scaling_groups import ScalingGroup

if TYPE_CHECKING:
    from seatrial.machines.aws_api import AwsApi

# The group's processes that replace an instance which is stopped: one finds it unhealthy, the other ends it.
# Source: https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-suspend-resume-processes.html
_REPLACING = ("HealthCheck", "ReplaceUnhealthy")
# While Terminate is suspended, ReplaceUnhealthy rests.
_REPLACING_STOPS_WITH = frozenset({*_REPLACING, "Terminate"})
# How many groups may be named at once, and come in one answer:
# https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingGroups.html
_MOST_GROUPS = 100


class AwsGroups:
    """The groups of all regions."""

    def __init__(self, api: "AwsApi") -> None:
        self._api = api

    async def described(self, members: Mapping[str, set[str]], region: str) -> Sequence[ScalingGroup]:
        """Groups by their names; one that may not be looked at is taken to replace what fails.

        Args:
            members: the instances that are of each group, as their tags say.
            region: where they are.
        """
        try:
            described = [
                group for some in batches(sorted(members), _MOST_GROUPS) for group in await self._describe(some, region)
            ]
        except AwsError as error:
            if not error.forbidden:
                raise
            return [
                ScalingGroup(id=f"{region}/{name}", machines=frozenset(ids), replacing=_REPLACING, doubt=error.message)
                for name, ids in members.items()
            ]
        return [
            ScalingGroup(
                id=f"{region}/{each['AutoScalingGroupName']}",
                machines=frozenset(members[each["AutoScalingGroupName"]] & _in_service(each)),
                replacing=() if _REPLACING_STOPS_WITH & _suspended(each) else _REPLACING,
            )
            for each in described
        ]

    async def suspend(self, group_id: str, processes: Sequence[str]) -> None:
        """Suspend processes of a group, and see that they are."""
        await self._change(group_id, "suspend_processes", processes)
        suspended = await self._suspended(group_id)
        if suspended is None or not suspended.issuperset(processes):
            raise MachineError(f"auto-scaling group {group_id} goes on with {', '.join(processes)}")

    async def resume(self, group_id: str, processes: Sequence[str]) -> bool:
        """Resume processes of a group, and see that they are; False where the group is gone."""
        if await self._suspended(group_id) is None:
            return False
        await self._change(group_id, "resume_processes", processes)
        if left := set(processes) & (await self._suspended(group_id) or set()):
            raise MachineError(f"auto-scaling group {group_id} does not go on with {', '.join(sorted(left))}")
        return True

    def resume_command(self, group_id: str, processes: Sequence[str]) -> str:
        """That of Amazon's own program."""
        region, _, name = group_id.partition("/")
        which = f"--auto-scaling-group-name {shlex.quote(name)} --scaling-processes {' '.join(processes)}"
        return f"aws autoscaling resume-processes --region {region} {which}"

    async def _describe(self, names: Sequence[str], region: str) -> Sequence[Any]:
        return await self._api.pages(
            "describe_auto_scaling_groups", "AutoScalingGroups",
            region=region, service="autoscaling", MaxRecords=_MOST_GROUPS, AutoScalingGroupNames=[*names],
        )  # fmt: skip

    async def _suspended(self, group_id: str) -> set[str] | None:
        """The processes of a group that are suspended; None where there is no such group."""
        region, _, name = group_id.partition("/")
        described = await self._describe([name], region)
        return _suspended(described[0]) if described else None

    async def _change(self, group_id: str, operation: str, processes: Sequence[str]) -> None:
        region, _, name = group_id.partition("/")
        arguments: dict[str, Any] = {"AutoScalingGroupName": name, "ScalingProcesses": [*processes]}
        await self._api.call(operation, region=region, service="autoscaling", **arguments)


def _in_service(group: Any) -> set[str]:
    """The instances that a group looks after; those on standby it leaves alone."""
    return {each["InstanceId"] for each in group["Instances"] if each["LifecycleState"] == "InService"}


def _suspended(group: Any) -> set[str]:
    return {each["ProcessName"] for each in group.get("SuspendedProcesses", ())}
