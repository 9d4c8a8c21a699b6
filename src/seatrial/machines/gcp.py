"""Machines of Google Cloud, through the Compute REST API.

A machine's id is `PROJECT/ZONE/NAME`, so that clean-up needs nothing but credentials; `gce://` before it makes what
Kubernetes' cloud provider writes into `spec.providerID`. An instance of a managed group is stopped and started through
its group: stopped by itself it would be taken for failed, and made anew. Where that is written, below
https://cloud.google.com/compute/docs/: reference/rest/v1/instances, instances/instance-lifecycle (states),
instance-groups/about-repair, instance-groups/suspended-and-stopped-vms-in-mig.
"""

import contextlib
import re
import shlex
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from seatrial.errors import MachineError
from seatrial.kube.client import Client
from seatrial.kube.objects import Node
from seatrial.kube.resources import NODES
from seatrial.machines.driver import Capability, DriverType, Machine, MachineGone, MachineState
from seatrial.machines.gcp_api import ComputeApi, GcpError, decoded, last_segment
from seatrial.machines.gcp_credentials import GcpCredentials
from seatrial.machines.gcp_settings import read_settings
from seatrial.machines.pace import Pace

_PROVIDER_ID = re.compile(r"gce://([^/]+)/[^/]+/[^/]+")
_GROUP = re.compile(r"projects/[^/]+/((?:zones|regions)/[^/]+/instanceGroupManagers/[^/]+)$")
_STATES = {"RUNNING": MachineState.UP, "TERMINATED": MachineState.DOWN, "STOPPED": MachineState.DOWN}
_STILL = frozenset({"RUNNING", "TERMINATED", "STOPPED", "SUSPENDED"})
_DOWN = frozenset({"TERMINATED", "STOPPED"})
_CAPABILITIES = frozenset({Capability.START, Capability.STOP, Capability.REBOOT, Capability.DELETE})
# Skips the graceful shutdown, of instances and of groups.
_AT_ONCE = {"noGracefulShutdown": "true"}
_NODE_POOL = "goog-k8s-node-pool-name"


class _Part(msgspec.Struct, frozen=True, rename="camel"):
    """A part of what the API answers."""


class _AccessConfig(_Part, frozen=True):
    nat_ip: str = msgspec.field(name="natIP", default="")
    external_ipv6: str = ""


class _Interface(_Part, frozen=True):
    network_ip: str = msgspec.field(name="networkIP", default="")
    ipv6_address: str = ""
    access_configs: tuple[_AccessConfig, ...] = ()
    ipv6_access_configs: tuple[_AccessConfig, ...] = ()


class _Item(_Part, frozen=True):
    key: str
    value: str = ""


class _Metadata(_Part, frozen=True):
    items: tuple[_Item, ...] = ()


class _Instance(_Part, frozen=True):
    name: str
    status: str
    zone: str
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    network_interfaces: tuple[_Interface, ...] = ()
    metadata: _Metadata = _Metadata()

    @property
    def group(self) -> str:
        """Its managed group's path below the project; empty: it is in none."""
        created_by = next((each.value for each in self.metadata.items if each.key == "created-by"), "")
        found = _GROUP.search(created_by)
        return found[1] if found else ""


class _Warning(_Part, frozen=True):
    code: str = ""
    message: str = ""


class _Scope(_Part, frozen=True):
    instances: tuple[_Instance, ...] = ()
    warning: _Warning = _Warning()


class _Page(_Part, frozen=True):
    items: dict[str, _Scope] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an instance is, by its machine's id."""

    project: str
    zone: str
    name: str

    @classmethod
    def of(cls, machine_id: str) -> "_Place":
        parts = machine_id.split("/")
        if len(parts) != 3 or not all(parts):
            raise MachineError(f"'{machine_id}' is no machine of Google Cloud", hint="its form is PROJECT/ZONE/NAME")
        return cls(*parts)

    @property
    def path(self) -> str:
        """Below the project."""
        return f"zones/{self.zone}/instances/{self.name}"


class GcpMachines:
    """The driver.

    Args:
        api: a session with the Compute API; the driver closes it.
        projects: whose machines are listed.
        region: lists its machines only; empty: those of all regions.
        pace: how patiently to wait.
    """

    name = "gcp"

    def __init__(self, api: ComputeApi, *, projects: Sequence[str], region: str = "", pace: Pace) -> None:
        self._api = api
        self._projects = tuple(dict.fromkeys(projects))
        self._region = region
        self._pace = pace
        self._seen: dict[_Place, str] = {}

    async def capabilities(self) -> frozenset[Capability]:
        """Everything but pausing."""
        return _CAPABILITIES

    async def require(self, *capabilities: Capability) -> None:
        """Refuse what it can't do, and everything without a project."""
        for each in capabilities:
            if each not in _CAPABILITIES:
                raise MachineError(f"Seatrial can't {each} machines of Google Cloud")
        self._require_project()

    async def list(self) -> Sequence[Machine]:
        """All machines of the projects, by project, zone and name."""
        self._require_project()
        found = [machine for project in self._projects for machine in await self._list_project(project)]
        if self._region:
            inside = [each for each in found if each.region == self._region]
            if found and not inside:
                raise MachineError(
                    f"Google Cloud has no machines of {', '.join(self._projects)} in the region {self._region}",
                    hint=f"there are some in {', '.join(sorted({each.region for each in found}))}",
                )
            found = inside
        return sorted(found, key=lambda each: each.id)

    async def describe(self, machine_id: str) -> Machine:
        """One machine as it is."""
        place = _Place.of(machine_id)
        return _as_machine(await self._look(place), place.project)

    async def start(self, machine_id: str) -> None:
        """Start it, or resume it, and wait until it runs."""
        await self._within_deadline("starting", machine_id, self._start(_Place.of(machine_id)))

    async def stop(self, machine_id: str, *, force: bool = False) -> None:
        """Stop it, and wait until it is down; `force` skips the time that graceful shutdown grants."""
        await self._within_deadline("stopping", machine_id, self._stop(_Place.of(machine_id), force=force))

    async def reboot(self, machine_id: str, *, force: bool = False) -> None:  # noqa: ARG002 -- the cloud has one way only
        """Press its reset button: the one way of restarting a machine that Compute Engine knows."""
        await self._within_deadline("resetting", machine_id, self._reset(_Place.of(machine_id)))

    async def delete(self, machine_id: str) -> None:
        """Delete it; a managed group makes another in its place. One that is gone is left so."""
        with contextlib.suppress(MachineGone):
            await self._within_deadline("deleting", machine_id, self._delete(_Place.of(machine_id)))

    async def start_command(self, machine_id: str) -> str:
        """The command of gcloud, of its group where it is in one."""
        place = _Place.of(machine_id)
        group = (await self._look(place)).group
        if not group:
            words = ["gcloud", "compute", "instances", "start", place.name, f"--zone={place.zone}"]
        else:
            kind, where, _, name = group.split("/")
            words = ["gcloud", "compute", "instance-groups", "managed", "start-instances", name]
            words += [f"--instances={place.name}", f"--{kind.removesuffix('s')}={where}"]
        return shlex.join([*words, f"--project={place.project}"])

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def _list_project(self, project: str) -> Sequence[Machine]:
        found: list[Machine] = []
        async for page in self._api.pages(f"projects/{project}/aggregated/instances", maxResults="500"):
            for where, scope in decoded(page, _Page).items.items():
                if scope.warning.code == "UNREACHABLE":
                    raise MachineError(f"Google Cloud can't reach {where} at present: {scope.warning.message}")
                found += (_as_machine(each, project) for each in scope.instances)
        return found

    async def _look(self, place: _Place) -> _Instance:
        try:
            seen = decoded(await self._api.get(f"projects/{place.project}/{place.path}"), _Instance)
        except GcpError as error:
            if error.status != 404:
                raise
            raise MachineGone(
                f"machine {place.name} is not in {place.zone} of the project {place.project}: {error.message}",
                hint="it is gone, or was made anew under another name; gcloud compute instances list has all",
            ) from error
        self._seen[place] = seen.status
        return seen

    async def _within_deadline(self, doing: str, machine_id: str, change: Awaitable[None]) -> None:
        place = _Place.of(machine_id)
        what = f"{doing} machine {machine_id}"
        await self._pace.within_deadline(change, what=what, seen=lambda: self._seen.get(place, ""))

    async def _start(self, place: _Place) -> None:
        now = await self._pace.until(lambda: self._look(place), lambda seen: seen.status in _STILL)
        if now.status == "RUNNING":
            return
        verb = "resume" if now.status == "SUSPENDED" else "start"
        if now.group:
            await self._act_by_group(place, now, verb)
        else:
            await self._api.change("POST", place.project, f"{place.path}/{verb}")
        await self._pace.until(lambda: self._look(place), lambda seen: seen.status == "RUNNING")

    async def _stop(self, place: _Place, *, force: bool) -> None:
        # A graceful shutdown that is under way is cut short where it is meant to.
        still = _STILL | {"PENDING_STOP"} if force else _STILL
        now = await self._pace.until(lambda: self._look(place), lambda seen: seen.status in still)
        if now.status in _DOWN:
            return
        if now.group:
            await self._act_by_group(place, now, "stop", force=force)
        else:
            await self._api.change("POST", place.project, f"{place.path}/stop", params=_AT_ONCE if force else {})
        await self._pace.until(lambda: self._look(place), lambda seen: seen.status in _DOWN)

    async def _reset(self, place: _Place) -> None:
        now = await self._pace.until(lambda: self._look(place), lambda seen: seen.status in _STILL)
        if now.status != "RUNNING":
            raise MachineError(f"machine {place.name} is {now.status}, so it can't be rebooted", hint="start it")
        await self._api.change("POST", place.project, f"{place.path}/reset")
        await self._pace.until(lambda: self._look(place), lambda seen: seen.status == "RUNNING")

    async def _delete(self, place: _Place) -> None:
        await self._look(place)
        await self._api.change("DELETE", place.project, place.path)

    async def _act_by_group(self, place: _Place, now: _Instance, verb: str, *, force: bool = False) -> None:
        """Let the managed group do it, which then does not mend it; `force` waits for no initialization either."""
        body = {"instances": [place.path], **({"forceStop": True} if force else {})}
        path = f"{now.group}/{verb}Instances"
        await self._api.change("POST", place.project, path, params=_AT_ONCE if force else {}, body=body)

    def _require_project(self) -> None:
        if not self._projects:
            raise MachineError(
                "no project of Google Cloud is known: neither the credentials nor the cluster's nodes name one",
                hint="give --gcp-config-file, or set GOOGLE_CLOUD_PROJECT",
            )


def _as_machine(each: _Instance, project: str) -> Machine:
    zone = last_segment(each.zone)
    addresses = [
        address
        for interface in each.network_interfaces
        for address in (
            interface.network_ip,
            interface.ipv6_address,
            *(config.nat_ip for config in interface.access_configs),
            *(config.external_ipv6 for config in interface.ipv6_access_configs),
        )
        if address
    ]
    groups = (last_segment(each.group), each.labels.get(_NODE_POOL, ""))
    return Machine(
        id=f"{project}/{zone}/{each.name}",
        name=each.name,
        state=_STATES.get(each.status, MachineState.UNKNOWN),
        addresses=tuple(addresses),
        provider_id=f"gce://{project}/{zone}/{each.name}",
        zone=zone,
        region=zone.rpartition("-")[0],
        groups=tuple(group for group in groups if group),
        labels=each.labels,
    )


async def _connect(cluster: Client, settings: Mapping[str, str]) -> GcpMachines:
    """The driver of the machines under a cluster: those of the projects that its nodes, settings, credentials name.

    Raises:
        UsageError: the extra is missing, or a setting is wrong.
        MachineError: there are no credentials.
        ClusterError: the nodes can't be listed.
    """
    chosen = read_settings(settings)
    credentials = await GcpCredentials.find(chosen)
    nodes = (await cluster.list(NODES, type=Node)).items
    of_nodes = [found[1] for each in nodes if (found := _PROVIDER_ID.fullmatch(each.spec.provider_id))]
    # What nodes and settings say outweighs the project that somebody happens to be logged in to.
    projects = [each for each in (chosen.project, *of_nodes) if each] or [credentials.project]
    pace = Pace()
    api = ComputeApi(chosen.endpoint, credentials, pace=pace)
    return GcpMachines(api, projects=[each for each in projects if each], region=chosen.region, pace=pace)


async def _recognizes(_cluster: Client) -> bool:
    return False


DRIVER = DriverType(name=GcpMachines.name, connect=_connect, recognizes=_recognizes)
