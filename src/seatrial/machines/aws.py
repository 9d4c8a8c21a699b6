"""The machines of Amazon EC2, in all regions that the run is about, and the auto-scaling groups that they belong to.

The regions are those of `--aws-region`; without it those that the cluster's nodes are in and the one that AWS's own
configuration names. States are Amazon's: pending, stopping and shutting-down are UNKNOWN, and `start`, `stop` and
`delete` wait for the end of them (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html).

The calls themselves are in `aws_api`, what instances say of themselves is read in `aws_instances`; what plans and stops
ask beyond the protocol of drivers is in `stop_review` and `scaling_groups`.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

from seatrial.errors import MachineError, UsageError
from seatrial.kube.client import Client
from seatrial.machines.aws_errors import AwsError
from seatrial.machines.aws_groups import AwsGroups
from seatrial.machines.aws_instances import (
    MOST_FILTER_VALUES,
    SCALING_GROUP_TAG,
    as_machine,
    batches,
    gone,
    state_of,
    tags_of,
)
from seatrial.machines.aws_settings import regions_of
from seatrial.machines.driver import Capability, DriverType, Machine, MachineGone
from seatrial.machines.pace import Pace
from seatrial.machines.scaling_groups import ScalingGroup
from seatrial.machines.stop_review import StopReview

if TYPE_CHECKING:
    from seatrial.machines.aws_api import AwsApi

_CAPABILITIES = frozenset({Capability.START, Capability.STOP, Capability.REBOOT, Capability.DELETE})
_PASSING = frozenset({"pending", "stopping"})
_ENDING = frozenset({"shutting-down", "terminated"})
_LISTED = ["pending", "running", "stopping", "stopped", "shutting-down"]
_DRY_RUNS = {
    Capability.STOP: "stop_instances",
    Capability.START: "start_instances",
    Capability.REBOOT: "reboot_instances",
    Capability.DELETE: "terminate_instances",
}
# What Amazon describes, as boto3 hands it out; the driver has a method `list`, which hides the type in its class.
_Descriptions = list[Any]
_Lines = list[str]
_Groups = list[ScalingGroup]


class AwsMachines:
    """The driver. `page_size` is how many instances one answer may have."""

    name = "aws"

    def __init__(
        self, api: "AwsApi", regions: Sequence[str], *, pace: Pace | None = None, page_size: int = 1000
    ) -> None:
        self._api = api
        self._groups = AwsGroups(api)
        self._regions = tuple(regions)
        self._pace = pace or Pace()
        self._page_size = page_size
        self._region_of: dict[str, str] = {}
        self._seen: dict[str, str] = {}

    async def capabilities(self) -> frozenset[Capability]:
        """Everything but pausing: hibernation has to be prepared at an instance's launch, and fails silently."""
        return _CAPABILITIES

    async def require(self, *capabilities: Capability) -> None:
        """Refuse what it can't do."""
        for each in capabilities:
            if each not in _CAPABILITIES:
                raise MachineError(f"machines on AWS can't {each}", hint="instances are not hibernated: stop them")

    async def list(self) -> Sequence[Machine]:
        """All instances of all regions that have not been terminated, by region and id."""
        filters = [{"Name": "instance-state-name", "Values": _LISTED}]
        try:
            async with asyncio.TaskGroup() as tasks:
                asked = {region: tasks.create_task(self._instances(region, filters)) for region in self._regions}
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        found = [as_machine(each, region) for region, listing in asked.items() for each in listing.result()]
        self._region_of |= {machine.id: machine.region for machine in found}
        return sorted(found, key=lambda machine: (machine.region, machine.id))

    async def describe(self, machine_id: str) -> Machine:
        """One instance as it is; one that has been terminated is known for about an hour."""
        return as_machine(*await self._find(machine_id))

    async def start(self, machine_id: str) -> None:
        """Start it, once a change that is under way has ended, and wait until it runs."""
        await self._within_deadline("starting", machine_id, self._start(machine_id))

    async def stop(self, machine_id: str, *, force: bool = False) -> None:
        """Stop it, never hibernate it, and wait until it is stopped; `force` leaves out its system's shutdown.

        One that its group terminates meanwhile is down, too.
        """
        await self._within_deadline("stopping", machine_id, self._stop(machine_id, force=force))

    async def reboot(self, machine_id: str, *, force: bool = False) -> None:
        """Restart it: Amazon shows no state for that, so it is done when accepted; `force` stops and starts it."""
        await self._within_deadline("rebooting", machine_id, self._reboot(machine_id, force=force))

    async def delete(self, machine_id: str) -> None:
        """Terminate it, a spot instance as any other, and wait until it is; one that is gone is left so."""
        with contextlib.suppress(MachineGone):
            await self._within_deadline("terminating", machine_id, self._terminate(machine_id))

    async def start_command(self, machine_id: str) -> str:
        """That of Amazon's own program."""
        _, region = await self._find(machine_id)
        return f"aws ec2 start-instances --region {region} --instance-ids {machine_id}"

    async def close(self) -> None:
        """Let go of connections."""
        self._api.close()

    async def groups_of(self, machine_ids: Sequence[str]) -> Sequence[ScalingGroup]:
        """The auto-scaling groups that these instances are of, as their tags say."""
        groups: _Groups = []
        for region, instances in (await self._by_region(machine_ids)).items():
            members: dict[str, set[str]] = {}
            for each in instances:
                if name := tags_of(each).get(SCALING_GROUP_TAG):
                    members.setdefault(name, set()).add(each["InstanceId"])
            groups += await self._groups.described(members, region)
        return groups

    async def suspend(self, group_id: str, processes: Sequence[str]) -> None:
        """Suspend processes of a group, and see that they are."""
        await self._groups.suspend(group_id, processes)

    async def resume(self, group_id: str, processes: Sequence[str]) -> bool:
        """Resume processes of a group, and see that they are; False where the group is gone."""
        return await self._groups.resume(group_id, processes)

    async def resume_command(self, group_id: str, processes: Sequence[str]) -> str:
        """That of Amazon's own program."""
        return self._groups.resume_command(group_id, processes)

    async def review_stops(
        self, machine_ids: Sequence[str], needed: Sequence[Capability], *, force: bool
    ) -> StopReview:
        """Which can't be stopped, and what isn't permitted, as dry runs tell."""
        impediments: dict[str, str] = {}
        missing: _Lines = []
        notes: _Lines = []
        for region, instances in (await self._by_region(machine_ids)).items():
            impediments |= await self._impediments(instances, region, notes)
            ids = [each["InstanceId"] for each in instances if each["InstanceId"] not in impediments]
            for operation in [_DRY_RUNS[each] for each in needed if ids]:
                forced: dict[str, Any] = {"Force": True} if force and operation == "stop_instances" else {}
                await self._dry_run(operation, region, missing, notes, InstanceIds=ids, **forced)
        return StopReview(impediments=impediments, missing_permissions=tuple(missing), notes=tuple(notes))

    async def _dry_run(self, operation: str, region: str, missing: _Lines, notes: _Lines, **arguments: Any) -> None:
        """Ask whether an operation is permitted: `DryRunOperation` says that it would have been done.

        Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StopInstances.html
        """
        try:
            await self._api.call(operation, region=region, DryRun=True, **arguments)
        except AwsError as error:
            if error.forbidden:
                missing.append(error.message)
            elif error.code != "DryRunOperation":
                notes.append(error.message)

    async def _impediments(self, instances: Sequence[Any], region: str, notes: _Lines) -> dict[str, str]:
        """Why some of these instances can't be stopped."""
        found = {
            each["InstanceId"]: "its root is an instance store, so it can only be terminated"
            for each in instances
            if each.get("RootDeviceType") == "instance-store"
        }
        of_spot = {request: each["InstanceId"] for each in instances if (request := each.get("SpotInstanceRequestId"))}
        if not of_spot:
            return found
        try:
            requests = [
                request
                for some in batches(sorted(of_spot), MOST_FILTER_VALUES)
                for request in await self._spot_requests(region, some)
            ]
        except AwsError as error:
            if not error.forbidden:
                raise
            notes.append(f"whether spot instances can be stopped is not known: {error.message}")
            return found
        one_time = [each["SpotInstanceRequestId"] for each in requests if each.get("Type") == "one-time"]
        return found | {
            of_spot[each]: "it is a one-time spot instance, so it can only be terminated" for each in one_time
        }

    async def _spot_requests(self, region: str, ids: Sequence[str]) -> _Descriptions:
        return await self._api.pages(
            "describe_spot_instance_requests", "SpotInstanceRequests", region=region, MaxResults=self._page_size,
            Filters=[{"Name": "spot-instance-request-id", "Values": [*ids]}],
        )  # fmt: skip

    async def _instances(self, region: str, filters: Sequence[Mapping[str, Any]]) -> _Descriptions:
        reservations = await self._api.pages(
            "describe_instances", "Reservations", region=region, MaxResults=self._page_size, Filters=filters
        )
        return [each for reservation in reservations for each in reservation["Instances"]]

    async def _by_region(self, machine_ids: Sequence[str]) -> dict[str, _Descriptions]:
        """These instances as they are, by region; those that are gone are left out."""
        found: dict[str, _Descriptions] = {}
        for region in self._regions:
            ids = [each for each in machine_ids if self._region_of.get(each, region) == region]
            for some in batches(ids, MOST_FILTER_VALUES):
                instances = await self._instances(region, [{"Name": "instance-id", "Values": [*some]}])
                self._region_of |= {each["InstanceId"]: region for each in instances}
                if instances:
                    found.setdefault(region, []).extend(instances)
        return found

    async def _find(self, machine_id: str) -> tuple[Any, str]:
        """An instance, and its region.

        Raises:
            MachineGone: Amazon doesn't know it.
        """
        for region, instances in (await self._by_region([machine_id])).items():
            self._seen[machine_id] = state_of(instances[0])
            return instances[0], region
        raise MachineGone(
            f"AWS knows no instance {machine_id} in {', '.join(self._regions)}",
            hint="it was terminated, or is in another region: name that with --aws-region",
        )

    async def _within_deadline(self, doing: str, machine_id: str, change: Awaitable[None]) -> None:
        what = f"{doing} instance {machine_id}"
        await self._pace.within_deadline(change, what=what, seen=lambda: self._seen.get(machine_id, ""))

    async def _start(self, machine_id: str) -> None:
        state, region = await self._settled(machine_id)
        if state != "running":
            await self._api.call("start_instances", region=region, InstanceIds=[machine_id])
            await self._wait(machine_id, wanted=("running",))

    async def _stop(self, machine_id: str, *, force: bool) -> None:
        # A shutdown that is under way is cut short where that is meant: it may hang.
        state, region = await self._settled(machine_id, passing=_PASSING - ({"stopping"} if force else set()))
        if state != "stopped":
            forced: dict[str, Any] = {"Force": True, "SkipOsShutdown": True} if force else {}
            await self._api.call("stop_instances", region=region, InstanceIds=[machine_id], **forced)
            await self._wait(machine_id, wanted=("stopped", "terminated"))

    async def _reboot(self, machine_id: str, *, force: bool) -> None:
        state, region = await self._settled(machine_id)
        if state != "running":
            raise MachineError(f"instance {machine_id} is {state}, so it can't be rebooted", hint="start it")
        if force:
            await self._stop(machine_id, force=True)
            await self._start(machine_id)
        else:
            await self._api.call("reboot_instances", region=region, repeatable=False, InstanceIds=[machine_id])

    async def _terminate(self, machine_id: str) -> None:
        _, region = await self._find(machine_id)
        await self._api.call("terminate_instances", region=region, InstanceIds=[machine_id])
        await self._wait(machine_id, wanted=("terminated",))

    async def _settled(self, machine_id: str, *, passing: AbstractSet[str] = _PASSING) -> tuple[str, str]:
        """The state that an instance is in when no change of it is under way, and its region.

        Raises:
            MachineGone: it has been terminated, or will be.
        """
        instance, region = await self._pace.until(
            lambda: self._find(machine_id), lambda found: state_of(found[0]) not in passing
        )
        state = state_of(instance)
        if state in _ENDING:
            raise gone(machine_id, instance)
        return state, region

    async def _wait(self, machine_id: str, *, wanted: Sequence[str]) -> None:
        """Wait until an instance is in a state.

        Raises:
            MachineGone: it was terminated instead.
            MachineError: it went back to another state.
        """
        started = False

        def done(found: tuple[Any, str]) -> bool:
            # Amazon may tell the state from before for a while; what was pending and is stopped has failed to start.
            nonlocal started
            state = state_of(found[0])
            started = started or state == "pending"
            return state in {*wanted, "terminated"} or (started and state == "stopped")

        instance, _ = await self._pace.until(lambda: self._find(machine_id), done)
        state = state_of(instance)
        if state in wanted:
            return
        if state in _ENDING:
            raise gone(machine_id, instance)
        why = instance.get("StateReason", {}).get("Message") or "Amazon gives no reason"
        raise MachineError(f"instance {machine_id} is {state} again instead of {wanted[0]}: {why}")


async def _connect(cluster: Client, settings: Mapping[str, str]) -> AwsMachines:
    try:
        from seatrial.machines.aws_api import AwsApi  # noqa: PLC0415 -- boto3 is an extra, and slow to import
    except ImportError as error:
        raise UsageError(
            "machines on AWS need the extra 'aws'", hint='install it: pip install "seatrial[aws]"'
        ) from error
    pace = Pace()
    api = AwsApi(pace=pace)
    try:
        return AwsMachines(api, await regions_of(cluster, settings, api), pace=pace)
    except BaseException:
        api.close()
        raise


async def _recognizes(_cluster: Client) -> bool:
    """Somebody's machines are stopped only where somebody said that they are on AWS."""
    return False


DRIVER = DriverType(name=AwsMachines.name, connect=_connect, recognizes=_recognizes)
