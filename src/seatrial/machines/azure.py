"""Machines of Azure: virtual machines and those of scale sets (AKS), through azure-mgmt-compute.

A machine's id is its resource id, so that clean-up needs nothing but credentials; `azure://` before it makes what
Kubernetes' cloud provider writes into `spec.providerID`. To stop is to power off: a machine that were deallocated might
find no room to start again. Members of a scale set of the flexible kind are virtual machines by themselves. Where that
is written, below https://learn.microsoft.com/: azure/virtual-machines/states-billing (power states),
rest/api/compute/virtual-machines, rest/api/compute/virtual-machine-scale-set-vms,
azure/azure-resource-manager/management/async-operations.
"""

import asyncio
import contextlib
import shlex
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from seatrial.errors import MachineError, UsageError
from seatrial.kube.client import Client
from seatrial.kube.objects import Node
from seatrial.kube.resources import NODES
from seatrial.machines.azure_errors import translated
from seatrial.machines.azure_settings import AzureId, AzureSettings, read_settings
from seatrial.machines.driver import Capability, DriverType, Machine, MachineGone, MachineState
from seatrial.machines.pace import Pace

_STATES = {"running": MachineState.UP, "stopped": MachineState.DOWN, "deallocated": MachineState.DOWN}
_CAPABILITIES = frozenset({Capability.START, Capability.STOP, Capability.REBOOT, Capability.DELETE})
_AT_ONCE = 20
"""Reads under way at the same time."""


class AzureMachines:
    """The driver.

    Args:
        open_client: makes the SDK's compute client of a subscription; the driver closes it.
        close_credential: lets go of what the clients log in with.
        groups: whose machines are listed: subscription and name of each resource group.
        pace: how patiently to wait.
    """

    name = "azure"

    def __init__(
        self,
        open_client: Callable[[str], Any],
        *,
        close_credential: Callable[[], Awaitable[None]],
        groups: Sequence[tuple[str, str]],
        pace: Pace,
    ) -> None:
        self._open_client = open_client
        self._close_credential = close_credential
        self._groups = tuple(groups)
        self._pace = pace
        self._clients: dict[str, Any] = {}
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._seen: dict[AzureId, str] = {}

    async def capabilities(self) -> frozenset[Capability]:
        """Everything but pausing."""
        return _CAPABILITIES

    async def require(self, *capabilities: Capability) -> None:
        """Refuse what it can't do, and everything without a resource group."""
        for each in capabilities:
            if each not in _CAPABILITIES:
                raise MachineError(f"Seatrial can't {each} machines of Azure")
        self._require_group()

    async def list(self) -> Sequence[Machine]:
        """All machines of the resource groups, by their ids."""
        self._require_group()
        found: list[Machine] = []
        for subscription, group in self._groups:
            listing = self._list_group(subscription, group)
            # Many questions: each machine is asked for its state.
            found += await self._ask(listing, f"list the machines of {group}", seconds=self._pace.deadline_seconds)
        return sorted(found, key=lambda each: each.id.casefold())

    async def describe(self, machine_id: str) -> Machine:
        """One machine as it is."""
        return await self._look(AzureId.of(machine_id))

    async def start(self, machine_id: str) -> None:
        """Start it, and wait until it runs."""
        place = AzureId.of(machine_id)
        await self._within_deadline("starting", place, self._become(place, MachineState.UP, "begin_start", "start"))

    async def stop(self, machine_id: str, *, force: bool = False) -> None:
        """Power it off, and wait until it is down; `force` doesn't wait for its system to shut down."""
        place = AzureId.of(machine_id)
        off = self._become(place, MachineState.DOWN, "begin_power_off", "power off", skip_shutdown=force)
        await self._within_deadline("stopping", place, off)

    async def reboot(self, machine_id: str, *, force: bool = False) -> None:  # noqa: ARG002 -- the cloud has one way only
        """Restart it, and wait until it runs."""
        place = AzureId.of(machine_id)
        await self._within_deadline("restarting", place, self._restart(place))

    async def delete(self, machine_id: str) -> None:
        """Delete it; a scale set is one smaller then. One that is gone is left so."""
        place = AzureId.of(machine_id)
        with contextlib.suppress(MachineGone):
            await self._within_deadline("deleting", place, self._change(place, "begin_delete", "delete"))

    async def start_command(self, machine_id: str) -> str:
        """The command of Azure's own program."""
        place = AzureId.of(machine_id)
        names = ["--name", place.name]
        if place.scale_set:
            names = ["--name", place.scale_set, "--instance-ids", place.name]
        kind = "vmss" if place.scale_set else "vm"
        where = ["--resource-group", place.group, "--subscription", place.subscription]
        return shlex.join(["az", kind, "start", *names, *where])

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            await client.close()
        await self._close_credential()

    def _client(self, subscription: str) -> Any:
        if subscription not in self._clients:
            self._clients[subscription] = self._open_client(subscription)
        return self._clients[subscription]

    async def _list_group(self, subscription: str, group: str) -> Sequence[Machine]:
        client = self._client(subscription)
        alone = [each async for each in client.virtual_machines.list(group)]
        async with asyncio.TaskGroup() as tasks:
            # A list of virtual machines doesn't say their states.
            views = [tasks.create_task(self._view(client, group, each.name)) for each in alone]
        found = [_as_machine(each, view.result()) for each, view in zip(alone, views, strict=True) if view.result()]
        async for each in client.virtual_machine_scale_sets.list(group):
            if str(each.orchestration_mode or "").rpartition(".")[2].casefold() != "flexible":
                members = client.virtual_machine_scale_set_vms.list(group, each.name, expand="instanceView")
                found += [_as_machine(member, member.instance_view, each.name) async for member in members]
        return found

    async def _view(self, client: Any, group: str, name: str) -> Any:
        """How it is; None where it has gone since it was listed."""
        from azure.core.exceptions import ResourceNotFoundError  # noqa: PLC0415 -- an extra

        async with self._at_once:
            try:
                return await client.virtual_machines.instance_view(group, name)
            except ResourceNotFoundError:
                return None

    async def _look(self, place: AzureId) -> Machine:
        found: Machine = await self._ask(self._get(place), f"read machine {place.name}")
        return found

    async def _get(self, place: AzureId) -> Machine:
        client = self._client(place.subscription)
        if place.scale_set:
            members = client.virtual_machine_scale_set_vms
            found = await members.get(place.group, place.scale_set, place.name, expand="instanceView")
        else:
            found = await client.virtual_machines.get(place.group, place.name, expand="instanceView")
        self._seen[place] = _power_state(found.instance_view)
        return _as_machine(found, found.instance_view, place.scale_set)

    async def _become(self, place: AzureId, wanted: MachineState, method: str, verb: str, **more: bool) -> None:
        if (await self._settled(place)).state is not wanted:
            await self._change(place, method, verb, **more)
            await self._pace.until(lambda: self._look(place), lambda found: found.state is wanted)

    async def _restart(self, place: AzureId) -> None:
        if (await self._settled(place)).state is not MachineState.UP:
            raise MachineError(f"machine {place.name} is down, so it can't be rebooted", hint="start it")
        await self._change(place, "begin_restart", "restart")
        await self._pace.until(lambda: self._look(place), lambda seen: seen.state is MachineState.UP)

    async def _settled(self, place: AzureId) -> Machine:
        """The machine, as soon as it is not between two states."""
        return await self._pace.until(lambda: self._look(place), lambda found: found.state is not MachineState.UNKNOWN)

    async def _within_deadline(self, doing: str, place: AzureId, change: Awaitable[None]) -> None:
        what = f"{doing} machine {place.name}"
        await self._pace.within_deadline(change, what=what, seen=lambda: self._seen.get(place, ""))

    async def _change(self, place: AzureId, method: str, verb: str, **more: bool) -> None:
        """Ask for a change, and wait until its operation has succeeded."""
        client = self._client(place.subscription)
        names = (place.group, place.scale_set, place.name) if place.scale_set else (place.group, place.name)
        operations = client.virtual_machine_scale_set_vms if place.scale_set else client.virtual_machines

        async def operation() -> None:
            poller = await getattr(operations, method)(*names, polling_interval=self._pace.first_seconds, **more)
            await poller.result()

        await self._translate(operation(), f"{verb} machine {place.name}")

    async def _ask(self, question: Awaitable[Any], what: str, *, seconds: float | None = None) -> Any:
        seconds = self._pace.answer_seconds if seconds is None else seconds
        try:
            async with asyncio.timeout(seconds) as timer:
                return await self._translate(question, what)
        except TimeoutError as error:
            if not timer.expired():
                raise
            raise MachineError(
                f"can't {what}: Azure did not answer within {seconds:g} s",
                hint="try again when it is less busy",
            ) from error

    async def _translate(self, question: Awaitable[Any], what: str) -> Any:
        from azure.core.exceptions import AzureError  # noqa: PLC0415 -- an extra

        try:
            return await question
        except AzureError as error:
            raise translated(error, what) from error
        except BaseExceptionGroup as group:
            known, others = group.split(AzureError)
            if known is None or others is not None:
                raise
            first = next(error for error in _leaves(known))
            raise translated(first, what) from group

    def _require_group(self) -> None:
        if not self._groups:
            raise MachineError(
                "no resource group of Azure is known: no flag and no node of the cluster names one",
                hint="give --azure-node-resource-group-name, and the subscription as AZURE_SUBSCRIPTION_ID",
            )


def _leaves(group: BaseExceptionGroup[Any]) -> Sequence[Any]:
    found: list[Any] = []
    for each in group.exceptions:
        found += _leaves(each) if isinstance(each, BaseExceptionGroup) else [each]
    return found


def _as_machine(each: Any, view: Any, scale_set: str = "") -> Machine:
    zones = each.zones or []
    zone = f"{each.location}-{zones[0]}" if zones else ""
    tags = dict(each.tags or {})
    profile = each.os_profile
    pool = tags.get("aks-managed-poolName", "")
    return Machine(
        id=each.id,
        name=(profile.computer_name if profile else None) or each.name,
        state=_STATES.get(_power_state(view), MachineState.UNKNOWN),
        provider_id=f"azure://{each.id}",
        zone=zone,
        region=each.location or "",
        groups=tuple(dict.fromkeys(group for group in (scale_set, pool) if group)),
        labels=tags,
    )


def _power_state(view: Any) -> str:
    codes = [str(each.code or "") for each in (view.statuses if view else None) or []]
    return next((code.partition("/")[2].casefold() for code in codes if code.startswith("PowerState/")), "")


async def _connect(cluster: Client, settings: Mapping[str, str]) -> AzureMachines:
    """The driver of the machines under a cluster: those of the resource groups that flags and its nodes name.

    Raises:
        UsageError: the extra is missing.
        ClusterError: the nodes can't be listed.
    """
    nodes = (await cluster.list(NODES, type=Node)).items
    chosen = read_settings(settings, [each.spec.provider_id for each in nodes])
    return await asyncio.to_thread(_open, chosen)


def _open(chosen: AzureSettings) -> AzureMachines:
    try:
        from seatrial.machines.azure_client import open_azure  # noqa: PLC0415 -- the SDK is an extra, and slow to load
    except ImportError as error:
        raise UsageError(
            "machines on Azure need the extra 'azure'", hint='install it: pip install "seatrial[azure]"'
        ) from error
    open_client, close_credential = open_azure(chosen)
    return AzureMachines(open_client, close_credential=close_credential, groups=chosen.groups, pace=Pace())


async def _recognizes(_cluster: Client) -> bool:
    return False


DRIVER = DriverType(name=AzureMachines.name, connect=_connect, recognizes=_recognizes)
