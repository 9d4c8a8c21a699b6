"""The servers of an OpenStack project, reached through openstacksdk.

Where the cloud is, and as whom, comes from `clouds.yaml` or the OS_* variables, as for every OpenStack client; the
name given by `--openstack-cloud-name` chooses among several. One driver sees one project in one region.

A server's status and its task together say what it is: Nova sets the task with the answer to a request and clears it
when all is done or has failed, so a server with a task is between two states
(https://docs.openstack.org/api-guide/compute/server_concepts.html). What is asked of Nova, its answers and
errors: https://docs.openstack.org/api-ref/compute/#servers-run-an-action-servers-action. Floating addresses stand
beside the fixed ones in a server's `addresses`, so Neutron is not asked. Kubernetes' cloud provider writes provider ids
with the region or without, as OS_CCM_REGIONAL tells it; both forms are given.

The SDK blocks: its calls run in a few threads. What it retries by itself is an expired token; rate limits, broken
connections and failures that pass are met here.
"""

import logging
import shlex
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from seatrial import __version__
from seatrial.errors import ConfigurationError, MachineError, UsageError
from seatrial.kube.client import Client
from seatrial.kube.retry import retry_after_seconds
from seatrial.machines.driver import Capability, DriverType, Machine, MachineGone, MachineState
from seatrial.machines.pace import Pace, Passing
from seatrial.machines.threads import Threads

if TYPE_CHECKING:
    from openstack.compute.v2.server import Server
    from openstack.connection import Connection

T = TypeVar("T")

CLOUD_NAME = "OPENSTACK_CLOUD_NAME"
"""The variable that names one of the clouds of clouds.yaml, as `--openstack-cloud-name` does."""

_CONFIGURE = "name a cloud of clouds.yaml with --openstack-cloud-name, or set the OS_* variables"
_THREADS = 8
_REQUEST_SECONDS = 30
# Nova's answer comes after the task is set; a replica of its database may tell of it a little later.
_IDLE_LOOKS = 3

_CAPABILITIES = frozenset({Capability.START, Capability.STOP, Capability.REBOOT, Capability.DELETE, Capability.PAUSE})
_STATES = {"ACTIVE": MachineState.UP, "SHUTOFF": MachineState.DOWN}
# A server of which an image is taken runs on.
_HARMLESS_TASKS = frozenset({"image_snapshot_pending", "image_snapshot", "image_pending_upload", "image_uploading"})
_THROTTLED = frozenset({413, 429})  # 413 with Retry-After is the older form of a rate limit
_PASSING = frozenset({502, 503, 504})
_GONE = frozenset({"DELETED", "SOFT_DELETED"})
_POLICIES = {
    "list": "servers:detail",
    "show": "servers:show",
    "start": "servers:start",
    "stop": "servers:stop",
    "reboot": "servers:reboot",
    "delete": "servers:delete",
    "pause": "os-pause-server:pause",
    "unpause": "os-pause-server:unpause",
    "resume": "os-suspend-server:resume",
}


class _ConflictError(MachineError):
    """The server is not in a state in which Nova does that: locked, in error, busy."""


@dataclass(frozen=True, slots=True)
class _Call:
    """One call of the SDK: what it does, in the word of `_POLICIES`, to which server."""

    verb: str
    server_id: str = ""

    def __str__(self) -> str:
        return f"{self.verb} server {self.server_id}" if self.server_id else f"{self.verb} servers"


class OpenStackMachines:
    """The driver.

    Args:
        connection: the SDK's, which has said what it can of the cloud already.
        threads: where it may block.
        pace: how patiently to wait.
    """

    name = "openstack"

    def __init__(self, connection: "Connection", *, threads: Threads, pace: Pace) -> None:
        self._connection = connection
        self._threads = threads
        self._pace = pace
        self._seen: dict[str, str] = {}
        self._region = connection.config.get_region_name() or ""

    async def capabilities(self) -> frozenset[Capability]:
        """Everything; whether these credentials may is Nova's to say."""
        return _CAPABILITIES

    async def require(self, *capabilities: Capability) -> None:
        """Nova can do all of it."""

    async def list(self) -> Sequence[Machine]:
        """The servers of the project in this region, by id."""
        servers = await self._ask(
            lambda: list(self._connection.compute.servers(details=True)),
            _Call("list"),
            seconds=self._pace.deadline_seconds,  # many questions: a page each
        )
        return sorted((self._as_machine(each) for each in servers), key=lambda machine: machine.id)

    async def describe(self, machine_id: str) -> Machine:
        """One server as it is."""
        return self._as_machine(await self._show(machine_id))

    async def start(self, machine_id: str) -> None:
        """Switch it on; one that is paused or suspended goes on."""
        await self._within_deadline("starting", machine_id, self._become(machine_id, MachineState.UP, self._way_up))

    async def stop(self, machine_id: str, *, force: bool = False) -> None:  # noqa: ARG002 -- Nova has one way only
        """Switch it off: Nova asks the guest first, and cuts the power after its `shutdown_timeout`."""
        change = self._become(machine_id, MachineState.DOWN, lambda _server: "stop")
        await self._within_deadline("stopping", machine_id, change)

    async def reboot(self, machine_id: str, *, force: bool = False) -> None:
        """Let the guest restart, or (force) cut the power and switch on again."""
        await self._within_deadline("rebooting", machine_id, self._reboot(machine_id, "HARD" if force else "SOFT"))

    async def pause(self, machine_id: str) -> None:
        """Freeze it; `start` lets it go on."""
        await self._within_deadline("pausing", machine_id, self._freeze(machine_id))

    async def delete(self, machine_id: str) -> None:
        """Delete it and wait until it is gone; one that is gone already is no error."""
        await self._within_deadline("deleting", machine_id, self._delete(machine_id))

    async def start_command(self, machine_id: str) -> str:
        """OpenStack's own client."""
        cloud = self._connection.config.name
        chosen = [f"--os-cloud {shlex.quote(cloud)}"] if cloud and cloud != "envvars" else []
        region = [f"--os-region-name {shlex.quote(self._region)}"] if self._region else []
        return " ".join(["openstack", *chosen, *region, "server start", shlex.quote(machine_id)])

    async def close(self) -> None:
        """Let go of the connections to the cloud."""
        await self._threads.run(self._connection.close)

    def _as_machine(self, server: "Server") -> Machine:
        return Machine(
            id=server.id,
            name=server.name or "",
            state=_state(server),
            addresses=_addresses(server),
            provider_id=f"openstack:///{server.id}",
            other_provider_ids=(f"openstack://{self._region}/{server.id}",) if self._region else (),
            zone=server.availability_zone or "",
            region=self._region,
            groups=tuple(server.tags or ()),
            labels=server.metadata or {},
        )

    def _way_up(self, server: "Server") -> str:
        return {"PAUSED": "unpause", "SUSPENDED": "resume"}.get(server.status, "start")

    async def _become(self, machine_id: str, wanted: MachineState, verb: Callable[["Server"], str]) -> None:
        """See that a server is in a state: ask for it once no task is under way, and wait until it is reached."""
        server = await self._settled(machine_id)
        if _state(server) is wanted:
            return
        asked = verb(server)
        try:
            await self._act(asked, machine_id)
        except _ConflictError:  # somebody else may have asked first
            if _state(await self._settled(machine_id)) is wanted:
                return
            raise
        idle = 0

        def is_over(server: "Server") -> bool:
            nonlocal idle
            idle = idle + 1 if server.task_state is None else 0
            return _state(server) is wanted or idle > _IDLE_LOOKS

        server = await self._pace.until(lambda: self._show(machine_id), is_over)
        if _state(server) is not wanted:
            raise MachineError(
                f"server {machine_id} did not {asked}: it is {server.status}{_fault(server)}",
                hint=f"what Nova knows: openstack server event list {machine_id}",
            )

    async def _reboot(self, machine_id: str, kind: str) -> None:
        if (server := await self._settled(machine_id)).status != "ACTIVE":
            raise MachineError(f"server {machine_id} is {server.status}, so it can't be rebooted", hint="start it")
        await self._ask(
            lambda: self._connection.compute.reboot_server(machine_id, kind),
            _Call("reboot", machine_id),
            repeatable=False,
        )
        server = await self._settled(machine_id)
        if _state(server) is not MachineState.UP:
            raise MachineError(f"server {machine_id} is {server.status} after it was rebooted{_fault(server)}")

    async def _freeze(self, machine_id: str) -> None:
        if (await self._settled(machine_id)).status == "PAUSED":
            return
        try:
            await self._act("pause", machine_id)
        except _ConflictError:  # somebody else may have asked first, or we did, and were not answered
            if (await self._settled(machine_id)).status != "PAUSED":
                raise
        server = await self._settled(machine_id)
        if server.status != "PAUSED":
            raise MachineError(f"server {machine_id} is {server.status} after it was paused{_fault(server)}")

    async def _delete(self, machine_id: str) -> None:
        call = _Call("delete", machine_id)
        await self._ask(lambda: self._connection.compute.delete_server(machine_id, ignore_missing=True), call)

        def is_over(server: "Server | None") -> bool:
            return server is None or (server.status == "ERROR" and server.task_state is None)

        left = await self._pace.until(lambda: self._show_if_there(machine_id), is_over)
        if left is not None:
            raise MachineError(f"server {machine_id} could not be deleted{_fault(left)}")

    async def _settled(self, machine_id: str) -> "Server":
        """The server, as soon as nothing is being done to it."""
        return await self._pace.until(
            lambda: self._show(machine_id), lambda server: server.task_state in {None, *_HARMLESS_TASKS}
        )

    async def _within_deadline(self, doing: str, machine_id: str, change: Awaitable[None]) -> None:
        what = f"{doing} server {machine_id}"
        await self._pace.within_deadline(change, what=what, seen=lambda: self._seen.get(machine_id, ""))

    async def _show(self, machine_id: str) -> "Server":
        call = _Call("show", machine_id)
        seen = await self._ask(lambda: self._connection.compute.get_server(machine_id), call)
        self._seen[machine_id] = f"{seen.status}, task {seen.task_state}" if seen.task_state else seen.status or ""
        return seen

    async def _show_if_there(self, machine_id: str) -> "Server | None":
        try:
            server = await self._show(machine_id)
        except MachineGone:
            return None
        return None if server.status in _GONE else server

    async def _act(self, verb: str, machine_id: str) -> None:
        act: Callable[[str], None] = getattr(self._connection.compute, f"{verb}_server")
        await self._ask(lambda: act(machine_id), _Call(verb, machine_id))

    async def _ask(
        self, ask: Callable[[], T], call: _Call, *, repeatable: bool = True, seconds: float | None = None
    ) -> T:
        """Let the SDK ask in a thread; again, later and later, while the cloud is too busy.

        What was throttled was not done; of what failed otherwise that isn't known, so it is asked again only where
        doing it twice does no harm.
        """
        from keystoneauth1.exceptions import ClientException, ConnectFailure, ConnectTimeout  # noqa: PLC0415 -- late
        from openstack.exceptions import SDKException  # noqa: PLC0415 -- loaded with the driver

        async def once() -> T:
            try:
                return await self._threads.run(ask)
            except (SDKException, ClientException) as error:
                refused = _translated(error, call, region=self._region)
                broken = isinstance(error, ConnectFailure | ConnectTimeout)
                status = _status(error)
                if status in _THROTTLED or (repeatable and (broken or status in _PASSING)):
                    raise Passing(refused, not_before_seconds=_retry_after(error)) from error
                raise refused from error

        return await self._pace.ask(once, whom="OpenStack", seconds=seconds)


def _state(server: "Server") -> MachineState:
    if server.task_state not in {None, *_HARMLESS_TASKS}:
        return MachineState.UNKNOWN
    return _STATES.get(server.status or "", MachineState.UNKNOWN)


def _addresses(server: "Server") -> tuple[str, ...]:
    """Fixed ones first, then floating ones; each once."""
    known = [each for network in (server.addresses or {}).values() for each in network]
    known.sort(key=lambda each: each.get("OS-EXT-IPS:type") == "floating")
    return tuple(dict.fromkeys(each["addr"] for each in known))


def _fault(server: "Server") -> str:
    """What Nova says of why a server is in error, where it says anything."""
    message = (server.fault or {}).get("message", "")
    return f": {_one_line(message)}" if message else ""


def _status(error: Exception) -> int | None:
    """The HTTP status: `status_code` of the SDK's errors, `http_status` of those of keystoneauth."""
    status = getattr(error, "status_code", None) or getattr(error, "http_status", None)
    return status if isinstance(status, int) else None


def _retry_after(error: Exception) -> float:
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    return retry_after_seconds(headers) or 0.0


def _translated(error: Exception, call: _Call, *, region: str) -> MachineError:
    """What a failed call means to the user; the message is that of Nova, which holds no credentials."""
    from keystoneauth1.exceptions import ConnectFailure, ConnectTimeout  # noqa: PLC0415 -- loaded with the driver

    what = f"OpenStack can't {call}"
    said = _said(error)
    match _status(error):
        case 401:
            return MachineError(
                "OpenStack rejects the credentials", hint="renew them in clouds.yaml or the OS_* variables"
            )
        case 403:
            hint = f"the project's role needs the policy os_compute_api:{_POLICIES[call.verb]}"
            return MachineError(f"{what}: {said}", hint=hint)
        case 404:
            where = f"in the region {region}" if region else "in this project"
            hint = "it was deleted, or belongs to another project or region"
            return MachineGone(f"OpenStack has no server {call.server_id} {where}", hint=hint)
        case 409:
            locked = "locked" in said.casefold()
            hint = f"openstack server unlock {call.server_id}" if locked else "look at the server's status"
            return _ConflictError(f"{what}: {said}", hint=hint)
        case status if status in _THROTTLED:
            return MachineError(f"{what}: it is asked too often ({said})", hint="try again later, or fewer at a time")
    if isinstance(error, ConnectFailure | ConnectTimeout):
        return MachineError(f"{what}: it can't be reached", hint=said)
    return MachineError(f"{what}: {said}")


def _said(error: Exception) -> str:
    details = getattr(error, "details", None)
    return _one_line(str(details or error)) or type(error).__name__


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]


# What comes of settings that the SDK reads without looking at them.
_UNCHECKED = (AttributeError, KeyError, OSError, TypeError, ValueError)


def open_connection(cloud: str | None) -> "Connection":
    """Read the settings, log in and find Nova; blocks.

    Args:
        cloud: the name of one in clouds.yaml; None takes OS_CLOUD, or the OS_* variables, or the only one there is.

    Raises:
        UsageError: openstacksdk is not installed.
        ConfigurationError: the settings are missing or wrong, or lead to no Nova.
        MachineError: the cloud can't be reached, or rejects the credentials.
    """
    try:
        import openstack  # noqa: PLC0415 -- an extra, half a second to load
    except ImportError as error:
        raise UsageError(
            "machines on OpenStack need the extra 'openstack'", hint='install it: pip install "seatrial[openstack]"'
        ) from error
    from keystoneauth1 import exceptions as keystone  # noqa: PLC0415 -- comes with it
    from openstack.exceptions import SDKException, ServiceDisabledException  # noqa: PLC0415 -- the same

    for name in ("keystoneauth", "openstack", "stevedore"):  # what they warn of is raised as well, in fewer words
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        connection = openstack.connect(
            cloud=cloud, app_name="seatrial", app_version=__version__, api_timeout=_REQUEST_SECONDS
        )
    except (SDKException, keystone.ClientException, *_UNCHECKED) as error:
        raise ConfigurationError(f"no OpenStack cloud is configured: {_said(error)}", hint=_CONFIGURE) from error
    try:
        connection.compute.get_endpoint_data()
    except (ServiceDisabledException, keystone.EndpointNotFound) as error:
        region = connection.config.get_region_name() or "(none named)"
        raise ConfigurationError(
            f"OpenStack has no compute service in the region {region}",
            hint="set region_name in clouds.yaml, or OS_REGION_NAME; `openstack region list` shows all",
        ) from error
    except (keystone.MissingRequiredOptions, OSError) as error:  # the latter: a certificate that isn't there
        raise ConfigurationError(f"no OpenStack cloud is configured: {_said(error)}", hint=_CONFIGURE) from error
    except (SDKException, keystone.ClientException) as error:
        raise _translated(error, _Call("list"), region="") from error
    return connection


async def _connect(_cluster: Client, settings: Mapping[str, str]) -> OpenStackMachines:
    threads = Threads(_THREADS, name="openstack")
    connection = await threads.run(lambda: open_connection(settings.get(CLOUD_NAME) or None))
    return OpenStackMachines(connection, threads=threads, pace=Pace())


async def _recognizes(_cluster: Client) -> bool:
    return False


DRIVER = DriverType(name=OpenStackMachines.name, connect=_connect, recognizes=_recognizes)
