"""The cluster, put together: API server, controllers, scheduler and service proxy here, machines by the launcher.

The order of start-up is what makes it quick: the API server first, as everything needs it; then the machines, which
boot while the controllers fill their caches; ready when the API server has seen every node Ready. `__main__` runs it
in a process of its own; nothing here may import what that process doesn't need.
"""

import asyncio
import random
import secrets
import socket
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

import structlog

from seatrial.errors import SandboxError
from seatrial.sandbox.apiserver.server import ApiServer, ApiServerConfig, write_kubeconfig
from seatrial.sandbox.cluster_config import GROUP, ClusterConfig, NodePlan
from seatrial.sandbox.control.components import Components
from seatrial.sandbox.control.control_api import ControlApi
from seatrial.sandbox.control.disturber import Disturber
from seatrial.sandbox.control.doorman import Doorman
from seatrial.sandbox.control.machines import Machines
from seatrial.sandbox.control.partitions import Partitions
from seatrial.sandbox.controllers.manager import ControllerManager
from seatrial.sandbox.controllers.objects import is_ready
from seatrial.sandbox.home import Home
from seatrial.sandbox.kubelet.machine_config import MachineConfig
from seatrial.sandbox.launcher import Launcher, LauncherProcess
from seatrial.sandbox.network.addresses import API_SERVER_PORT, AddressBlock, blocks
from seatrial.sandbox.network.reachability import REACHABILITY
from seatrial.sandbox.network.service_proxy import ServiceProxy
from seatrial.sandbox.pki import Authority
from seatrial.sandbox.scheduler import Scheduler

_log = structlog.get_logger(__name__)

CONTEXT: Final = "seatrial-sandbox"
_READY_WITHIN_SECONDS: Final = 60
_STOP_SECONDS: Final = 2


class Cluster:
    """One running sandbox.

    Args:
        config: what it is asked to be.
        launcher: the process that starts its machines.
        began: when the command was given, by the monotonic clock; milestones are counted from it.
    """

    def __init__(self, config: ClusterConfig, *, launcher: LauncherProcess, began: float) -> None:
        self._config = config
        self._home = Home(config.directory)
        self._began = began
        self._launcher = Launcher(launcher, on_exit=self._machine_ended)
        self._machines = Machines(self._launcher)
        zones = [(node.name, node.zone) for node in config.plan()]
        self._partitions = Partitions(zones, reachability=REACHABILITY)
        self._server: ApiServer | None = None
        self._components: Components | None = None
        self._proxy: ServiceProxy | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._stopping = False
        self.timings: dict[str, float] = {}

    @property
    def url(self) -> str:
        """Where the API server answers."""
        return self._running_server().url

    async def start(self) -> None:
        """Bring everything up; returns when all nodes are Ready.

        Raises:
            SandboxError: no free addresses, a part failed, or the nodes took too long.
        """
        await self._launcher.connect()
        self._run(self._launcher.run(), name="launcher")
        self._run(self._partitions.follow_firewalls(), name="firewalls")
        await self._or_failure(self._bring_up())
        self._mark("ready")

    async def _bring_up(self) -> None:
        self._mark("loaded")
        authority = Authority.create(self._config.directory / "pki")
        block = await self._start_api_server(authority)
        self._mark("api_server")
        self._components = self._control_plane()
        for node in self._config.plan():
            await self._machines.add(self._machine(node, block, authority))
        self._mark("machines")
        self._components.start_all()
        self._run(self._components.failure(), name="control plane")
        await self._nodes_ready()

    async def run(self) -> None:
        """Wait until a part of the sandbox fails, which raises `SandboxError`."""
        await self._or_failure(asyncio.get_running_loop().create_future())

    async def stop(self) -> None:
        """Take everything down; nothing of the sandbox is left but this process."""
        self._stopping = True
        self._failed.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._components is not None:
            await self._components.close()
        if self._proxy is not None:
            self._proxy.close()
        # Both at once: requests of machines and pods end when these do.
        await asyncio.gather(self._stop_server(), self._launcher.close())

    async def _stop_server(self) -> None:
        if self._server is None:
            return
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await self._server.stop()
        except TimeoutError:
            _log.warning("requests are still being served; leaving them", after_seconds=_STOP_SECONDS)

    async def _start_api_server(self, authority: Authority) -> AddressBlock:
        token = secrets.token_urlsafe(32)
        for block in blocks(random.SystemRandom()):
            if _is_taken(block):
                continue
            config = ApiServerConfig(
                host=block.api_server,
                port=API_SERVER_PORT,
                directory=self._config.directory,
                service_cidr=block.service_cidr,
                admin_token=token,
                audit_log=Path(self._config.audit_log) if self._config.audit_log else None,
                audit_level=self._config.audit_level,
                most_reading=self._config.most_reading,
                most_writing=self._config.most_writing,
            )
            server = ApiServer(config, authority)
            try:
                await server.start()
            except SandboxError:
                # Somebody was quicker; any other failure shows again in the next block.
                if not _is_taken(block):
                    raise
                continue
            self._server = server
            write_kubeconfig(self._home.kubeconfig, server=server.url, authority=authority, name=CONTEXT, token=token)
            return block
        raise SandboxError(
            f"all of 127.16.0.1 to 127.250.0.1 port {API_SERVER_PORT} are taken",
            hint="stop sandboxes that you don't need: seatrial sandbox down --all",
        )

    def _control_plane(self) -> Components:
        """The loops that make a cluster of an API server, and what stops and disturbs them."""
        server, timing = self._running_server(), self._config.timing
        api, volumes = server.api, self._config.directory / "volumes"
        proxy = self._proxy = ServiceProxy(api, partitions=self._partitions)
        components = Components(
            {
                "controller-manager": lambda: ControllerManager(api, timing=timing, volumes=volumes).run(),
                "scheduler": lambda: Scheduler(api.as_manager("kube-scheduler")).run(),
                "kube-proxy": proxy.run,
            },
            machines=self._machines,
        )
        disturber = Disturber(self._config.disturbance)
        control = ControlApi(
            machines=self._machines, components=components, partitions=self._partitions, disturber=disturber
        )

        server.doorman = Doorman(
            control, partitions=self._partitions, disturber=disturber, node_of_pod=server.node_of_pod
        )
        return components

    def _machine(self, node: NodePlan, block: AddressBlock, authority: Authority) -> MachineConfig:
        client = authority.issue_client(f"system:node:{node.name}", ["system:nodes"])
        serving = authority.issue_server(node.name, [block.node(node.index), node.name])
        return MachineConfig(
            node_name=node.name,
            address=block.node(node.index),
            pod_cidr=block.pod_cidr(node.index),
            zone=node.zone,
            region=node.region,
            group=GROUP,
            instance_id=f"{self._config.sandbox_id}-{node.name}",
            directory=self._config.directory / "machines" / node.name,
            api_server=self.url,
            ca_file=authority.ca_file,
            client_cert_file=client.cert_file,
            client_key_file=client.key_file,
            serving_cert_file=serving.cert_file,
            serving_key_file=serving.key_file,
            sandbox=self._config.sandbox_id,
            images=self._config.images,
            timing=self._config.timing,
        )

    async def _nodes_ready(self) -> None:
        wanted = {node.name for node in self._config.plan()}
        try:
            async with asyncio.timeout(_READY_WITHIN_SECONDS):
                await self._watch_nodes(wanted)
        except TimeoutError:
            raise SandboxError(
                f"not all nodes were Ready within {_READY_WITHIN_SECONDS} s; missing: {', '.join(sorted(wanted))}",
                hint="the machine may be overloaded: try fewer nodes",
            ) from None

    async def _watch_nodes(self, missing: set[str]) -> None:
        api = self._running_server().api
        nodes = await api.list("nodes")
        missing -= {node["metadata"]["name"] for node in nodes.items if is_ready(node)}
        if not missing:
            return
        async for event in api.watch("nodes", resource_version=nodes.resource_version):
            if event.type in ("ADDED", "MODIFIED") and is_ready(event.object):
                missing.discard(event.object["metadata"]["name"])
            if not missing:
                return

    async def _or_failure(self, what: "Coroutine[Any, Any, None] | asyncio.Future[None]") -> None:
        """Wait for something, or for the first part to fail."""
        waited = asyncio.ensure_future(what)
        try:
            await asyncio.wait([waited, self._failed], return_when=asyncio.FIRST_COMPLETED)
            await (self._failed if self._failed.done() else waited)
        finally:
            waited.cancel()

    def _run(self, part: Coroutine[Any, Any, None], *, name: str) -> None:
        task = asyncio.create_task(part, name=name)
        self._tasks.append(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not (self._stopping or self._failed.done()):
            self._failed.set_exception(_failure_of(task))

    def _machine_ended(self, name: str, exit_code: int) -> None:
        self._machines.ended(name)
        _log.warning("machine ended", machine=name, exit_code=exit_code)

    def _running_server(self) -> ApiServer:
        if self._server is None:
            raise SandboxError("the sandbox's API server is not running")
        return self._server

    def _mark(self, milestone: str) -> None:
        self.timings[f"{milestone}_ms"] = round((time.monotonic() - self._began) * 1000, 1)


def _failure_of(task: "asyncio.Task[None]") -> SandboxError:
    error = None if task.cancelled() else task.exception()
    if isinstance(error, SandboxError):
        return error
    failure = SandboxError(f"the sandbox's {task.get_name()} stopped: {error or 'it ended unasked'}")
    failure.__cause__ = error
    return failure


def _is_taken(block: AddressBlock) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((block.api_server, API_SERVER_PORT))
        except OSError:
            return True
    return False
