"""The machines of Amazon EC2, in all regions that the run is about, and the auto-scaling groups that they belong to.

The regions are those of `--aws-region`; without it those that the cluster's nodes are in and the one that AWS's own
configuration names. States are Amazon's: pending, stopping and shutting-down are UNKNOWN, and `start`, `stop` and
`delete` wait for the end of them (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html).

The calls themselves are in `aws_api`; what plans and stops ask beyond the protocol of drivers is in `stop_review` and
`scaling_groups`.
"""

import asyncio
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seatrial.errors import ConfigurationError, MachineError, UsageError
from seatrial.kube.client import Client
from seatrial.kube.objects import Node
from seatrial.kube.resources import NODES
from seatrial.machines.aws_errors import AwsError
from seatrial.machines.driver import Capability, DriverType, Machine, MachineGone, MachineState
from seatrial.machines.scaling_groups import ScalingGroup
from seatrial.machines.stop_review import StopReview

if TYPE_CHECKING:
    from seatrial.machines.aws_api import AwsApi

_CAPABILITIES = frozenset({Capability.START, Capability.STOP, Capability.REBOOT, Capability.DELETE})
_STATES = {"running": MachineState.UP, "stopped": MachineState.DOWN, "terminated": MachineState.DOWN}
_PASSING = frozenset({"pending", "stopping"})
_ENDING = frozenset({"shutting-down", "terminated"})
_LISTED = ["pending", "running", "stopping", "stopped", "shutting-down"]
# The group's processes that replace an instance which is stopped: one finds it unhealthy, the other ends it.
# Source: https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-suspend-resume-processes.html
_REPLACING = ("HealthCheck", "ReplaceUnhealthy")
# While Terminate is suspended, ReplaceUnhealthy rests.
_REPLACING_STOPS_WITH = frozenset({*_REPLACING, "Terminate"})
_SCALING_GROUP_TAG = "aws:autoscaling:groupName"
_GROUP_TAGS = (_SCALING_GROUP_TAG, "eks:nodegroup-name", "karpenter.sh/nodepool", "kops.k8s.io/instancegroup")
_DRY_RUNS = {Capability.STOP: "stop_instances", Capability.START: "start_instances"}
# How many values a filter takes: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html
_MOST_FILTER_VALUES = 200
# What Amazon describes, as boto3 hands it out; the driver has a method `list`, which hides the type in its class.
_Descriptions = list[Any]
_Lines = list[str]
_Groups = list[ScalingGroup]
# A zone begins with its region, local zones and Wavelength's too.
_REGION = re.compile(r"[a-z]+(?:-[a-z]+)+-\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often a state is asked for while something is under way, and for how long.

    The deadline lies within that of the undo which starts machines, so that what is told is the cloud's state.
    """

    first_seconds: float = 1
    longest_seconds: float = 10
    deadline_seconds: float = 540


class AwsMachines:
    """The driver. `page_size` is how many instances one answer may have."""

    name = "aws"

    def __init__(
        self, api: "AwsApi", regions: Sequence[str], *, pace: Pace | None = None, page_size: int = 1000
    ) -> None:
        self._api = api
        self._regions = tuple(regions)
        self._pace = pace or Pace()
        self._page_size = page_size
        self._region_of: dict[str, str] = {}

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
        found = [_machine(each, region) for region, listing in asked.items() for each in listing.result()]
        self._region_of |= {machine.id: machine.region for machine in found}
        return sorted(found, key=lambda machine: (machine.region, machine.id))

    async def describe(self, machine_id: str) -> Machine:
        """One instance as it is; one that has been terminated is known for about an hour."""
        return _machine(*await self._find(machine_id))

    async def start(self, machine_id: str) -> None:
        """Start it, once a change that is under way has ended, and wait until it runs."""
        state, region = await self._settled(machine_id)
        if state != "running":
            await self._api.call("start_instances", region=region, InstanceIds=[machine_id])
            await self._wait(machine_id, wanted=("running",))

    async def stop(self, machine_id: str, *, force: bool = False) -> None:
        """Stop it, never hibernate it, and wait until it is stopped; `force` leaves out its system's shutdown.

        One that its group terminates meanwhile is down, too.
        """
        state, region = await self._settled(machine_id)
        if state != "stopped":
            forced: dict[str, Any] = {"Force": True, "SkipOsShutdown": True} if force else {}
            await self._api.call("stop_instances", region=region, InstanceIds=[machine_id], **forced)
            await self._wait(machine_id, wanted=("stopped", "terminated"))

    async def reboot(self, machine_id: str, *, force: bool = False) -> None:
        """Restart it: Amazon shows no state for that, so it is done when accepted; `force` stops and starts it."""
        state, region = await self._settled(machine_id)
        if state != "running":
            raise MachineError(f"instance {machine_id} is {state}, so it can't be rebooted", hint="start it")
        if force:
            await self.stop(machine_id, force=True)
            await self.start(machine_id)
        else:
            await self._api.call("reboot_instances", region=region, InstanceIds=[machine_id])

    async def delete(self, machine_id: str) -> None:
        """Terminate it, a spot instance as any other, and wait until it is; one that is gone is left so."""
        try:
            _, region = await self._find(machine_id)
            await self._api.call("terminate_instances", region=region, InstanceIds=[machine_id])
            await self._wait(machine_id, wanted=("terminated",))
        except MachineGone:
            return

    async def start_command(self, machine_id: str) -> str:
        """That of Amazon's own program."""
        _, region = await self._find(machine_id)
        return f"aws ec2 start-instances --region {region} --instance-ids {machine_id}"

    async def close(self) -> None:
        """Let go of connections and threads."""
        self._api.close()

    async def groups_of(self, machine_ids: Sequence[str]) -> Sequence[ScalingGroup]:
        """The auto-scaling groups that these instances are of, as their tags say."""
        groups: _Groups = []
        for region, instances in (await self._by_region(machine_ids)).items():
            members: dict[str, set[str]] = {}
            for each in instances:
                if name := _tags(each).get(_SCALING_GROUP_TAG):
                    members.setdefault(name, set()).add(each["InstanceId"])
            groups += await self._groups(members, region) if members else []
        return groups

    async def suspend(self, group_id: str, processes: Sequence[str]) -> None:
        """Suspend processes of a group, and see that they are."""
        await self._change_group(group_id, "suspend_processes", processes)
        suspended = await self._suspended(group_id)
        if suspended is None or not suspended.issuperset(processes):
            raise MachineError(f"auto-scaling group {group_id} goes on with {', '.join(processes)}")

    async def resume(self, group_id: str, processes: Sequence[str]) -> bool:
        """Resume processes of a group, and see that they are; False where the group is gone."""
        if await self._suspended(group_id) is None:
            return False
        await self._change_group(group_id, "resume_processes", processes)
        if left := set(processes) & (await self._suspended(group_id) or set()):
            raise MachineError(f"auto-scaling group {group_id} does not go on with {', '.join(sorted(left))}")
        return True

    async def resume_command(self, group_id: str, processes: Sequence[str]) -> str:
        """That of Amazon's own program."""
        region, _, name = group_id.partition("/")
        which = f"--auto-scaling-group-name {shlex.quote(name)} --scaling-processes {' '.join(processes)}"
        return f"aws autoscaling resume-processes --region {region} {which}"

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
            for operation in [_DRY_RUNS[each] for each in needed if ids and each in _DRY_RUNS]:
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
        filters = [{"Name": "spot-instance-request-id", "Values": sorted(of_spot)}]
        try:
            requests = await self._api.pages(
                "describe_spot_instance_requests", "SpotInstanceRequests",
                region=region, page_size=self._page_size, Filters=filters,
            )  # fmt: skip
        except AwsError as error:
            if not error.forbidden:
                raise
            notes.append(f"whether spot instances can be stopped is not known: {error.message}")
            return found
        one_time = [each["SpotInstanceRequestId"] for each in requests if each.get("Type") == "one-time"]
        return found | {
            of_spot[each]: "it is a one-time spot instance, so it can only be terminated" for each in one_time
        }

    async def _groups(self, members: Mapping[str, set[str]], region: str) -> Sequence[ScalingGroup]:
        """Groups by name; one that may not be looked at is taken to replace what fails."""
        try:
            described = await self._described_groups(sorted(members), region)
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

    async def _described_groups(self, names: Sequence[str], region: str) -> _Descriptions:
        return await self._api.pages(
            "describe_auto_scaling_groups", "AutoScalingGroups",
            region=region, service="autoscaling", page_size=100, AutoScalingGroupNames=names,
        )  # fmt: skip

    async def _suspended(self, group_id: str) -> set[str] | None:
        """The processes of a group that are suspended; None where there is no such group."""
        region, _, name = group_id.partition("/")
        described = await self._described_groups([name], region)
        return _suspended(described[0]) if described else None

    async def _change_group(self, group_id: str, operation: str, processes: Sequence[str]) -> None:
        region, _, name = group_id.partition("/")
        arguments = {"AutoScalingGroupName": name, "ScalingProcesses": [*processes]}
        await self._api.call(operation, region=region, service="autoscaling", **arguments)

    async def _instances(self, region: str, filters: Sequence[Mapping[str, Any]]) -> _Descriptions:
        reservations = await self._api.pages(
            "describe_instances", "Reservations", region=region, page_size=self._page_size, Filters=filters
        )
        return [each for reservation in reservations for each in reservation["Instances"]]

    async def _by_region(self, machine_ids: Sequence[str]) -> dict[str, _Descriptions]:
        """These instances as they are, by region; those that are gone are left out."""
        found: dict[str, _Descriptions] = {}
        for region in self._regions:
            ids = [each for each in machine_ids if self._region_of.get(each, region) == region]
            for start in range(0, len(ids), _MOST_FILTER_VALUES):
                some = ids[start : start + _MOST_FILTER_VALUES]
                instances = await self._instances(region, [{"Name": "instance-id", "Values": some}])
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
            return instances[0], region
        raise MachineGone(
            f"AWS knows no instance {machine_id} in {', '.join(self._regions)}",
            hint="it was terminated, or is in another region: name that with --aws-region",
        )

    async def _settled(self, machine_id: str) -> tuple[str, str]:
        """The state that an instance is in when no change of it is under way, and its region.

        Raises:
            MachineGone: it has been terminated, or will be.
            MachineError: a change took too long.
        """

        def settled(state: str) -> bool:
            return state not in _PASSING

        instance, region = await self._poll(machine_id, settled, "to end what is under way")
        state = _state(instance)
        if state in _ENDING:
            raise _gone(machine_id, instance)
        return state, region

    async def _wait(self, machine_id: str, *, wanted: Sequence[str]) -> None:
        """Wait until an instance is in a state.

        Raises:
            MachineGone: it was terminated instead.
            MachineError: it went back to another state, or took too long.
        """
        started = False

        def done(state: str) -> bool:
            # Amazon may tell the state from before for a while; what was pending and is stopped has failed to start.
            nonlocal started
            started = started or state == "pending"
            return state in {*wanted, "terminated"} or (started and state == "stopped")

        instance, _ = await self._poll(machine_id, done, f"to be {wanted[0]}")
        state = _state(instance)
        if state in wanted:
            return
        if state in _ENDING:
            raise _gone(machine_id, instance)
        why = instance.get("StateReason", {}).get("Message") or "Amazon gives no reason"
        raise MachineError(f"instance {machine_id} is {state} again instead of {wanted[0]}: {why}")

    async def _poll(self, machine_id: str, done: Callable[[str], bool], what: str) -> tuple[Any, str]:
        pause, state = self._pace.first_seconds, "not known"
        try:
            async with asyncio.timeout(self._pace.deadline_seconds):
                while True:
                    instance, region = await self._find(machine_id)
                    state = _state(instance)
                    if done(state):
                        return instance, region
                    await asyncio.sleep(pause)
                    pause = min(pause * 1.5, self._pace.longest_seconds)
        except TimeoutError as error:
            raise MachineError(
                f"instance {machine_id} took longer than {self._pace.deadline_seconds:g} s {what}: it is {state}",
                hint="look at it in Amazon's console",
            ) from error


def _machine(instance: Any, region: str) -> Machine:
    id_, zone, tags = instance["InstanceId"], instance["Placement"]["AvailabilityZone"], _tags(instance)
    spot = ("spot",) if instance.get("InstanceLifecycle") == "spot" else ()
    named = (tags[key] for key in _GROUP_TAGS if key in tags)
    return Machine(
        id=id_,
        name=instance.get("PrivateDnsName") or tags.get("Name") or id_,
        state=_STATES.get(_state(instance), MachineState.UNKNOWN),
        addresses=_addresses(instance),
        provider_id=f"aws:///{zone}/{id_}",
        zone=zone,
        region=region,
        groups=tuple(dict.fromkeys([*named, *spot, *(f"{key}={value}" for key, value in tags.items())])),
        labels=tags,
    )


def _addresses(instance: Any) -> tuple[str, ...]:
    """The private address first, then those of further interfaces, then the public ones."""
    interfaces = instance.get("NetworkInterfaces", ())
    private = [each["PrivateIpAddress"] for face in interfaces for each in face.get("PrivateIpAddresses", ())]
    found = [instance.get("PrivateIpAddress"), *private, instance.get("PublicIpAddress"), instance.get("Ipv6Address")]
    return tuple(dict.fromkeys(each for each in found if each))


def _tags(instance: Any) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in sorted(instance.get("Tags", ()), key=lambda tag: tag["Key"])}


def _state(instance: Any) -> str:
    return str(instance["State"]["Name"])


def _gone(machine_id: str, instance: Any) -> MachineGone:
    why = instance.get("StateReason", {}).get("Message", "")
    return MachineGone(f"instance {machine_id} is {_state(instance)}{f': {why}' if why else ''}")


def _in_service(group: Any) -> set[str]:
    """The instances that a group looks after; those on standby it leaves alone."""
    return {each["InstanceId"] for each in group["Instances"] if each["LifecycleState"] == "InService"}


def _suspended(group: Any) -> set[str]:
    return {each["ProcessName"] for each in group.get("SuspendedProcesses", ())}


async def _connect(cluster: Client, settings: Mapping[str, str]) -> AwsMachines:
    try:
        from seatrial.machines.aws_api import AwsApi  # noqa: PLC0415 -- boto3 is an extra, and slow to import
    except ImportError as error:
        raise UsageError(
            "machines on AWS can't be reached without boto3", hint='pip install "seatrial[aws]"'
        ) from error
    api = AwsApi()
    try:
        return AwsMachines(api, await regions_of(cluster, settings, api))
    except BaseException:
        api.close()
        raise


async def regions_of(cluster: Client, settings: Mapping[str, str], api: "AwsApi") -> Sequence[str]:
    """The regions to look for machines in: those given, else those of the cluster's nodes and AWS's configuration.

    Raises:
        ConfigurationError: there are none.
        ClusterError: the API server refused, or did not answer.
    """
    if given := [each.strip() for each in settings.get("AWS_REGIONS", "").split(",") if each.strip()]:
        return tuple(dict.fromkeys(given))
    nodes = (await cluster.list(NODES, type=Node)).items
    configured = settings.get("AWS_REGION") or settings.get("AWS_DEFAULT_REGION") or await api.default_region()
    found = sorted({*_regions_in(node.spec.provider_id for node in nodes), *([configured] if configured else [])})
    if not found:
        raise ConfigurationError(
            "which AWS regions the machines are in is not known", hint="name them: --aws-region eu-west-1,us-east-1"
        )
    return tuple(found)


def _regions_in(provider_ids: Iterable[str]) -> set[str]:
    """The regions of `aws:///eu-west-1a/i-0abc`, as Amazon's cloud provider writes it."""
    zones = [each.removeprefix("aws:///").partition("/")[0] for each in provider_ids if each.startswith("aws:///")]
    return {match[0] for zone in zones if (match := _REGION.match(zone))}


async def _recognizes(_cluster: Client) -> bool:
    """Somebody's machines are stopped only where somebody said that they are on AWS."""
    return False


DRIVER = DriverType(name=AwsMachines.name, connect=_connect, recognizes=_recognizes)
