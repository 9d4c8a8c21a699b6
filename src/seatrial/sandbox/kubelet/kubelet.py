"""The kubelet: brings the pods that are bound to its node to life, and says how they and the node are.

Its own process, forked by the machine (`kubelet_service`); it can die at any time, containers live on, and the next
one takes over what the runtime lists. `pod_worker` is the life of one pod, `node` the heartbeats, `server` what the
API server may ask.
"""

import asyncio
import os
import shutil
import socket
from collections.abc import Sequence
from typing import Final

import structlog

from seatrial.sandbox.api import Api, Object
from seatrial.sandbox.informer import Informer
from seatrial.sandbox.kubelet.configuration import ClusterConfiguration
from seatrial.sandbox.kubelet.events import EventReason, KubeletEvents
from seatrial.sandbox.kubelet.log_reader import LogQuery
from seatrial.sandbox.kubelet.machine_config import MachineConfig
from seatrial.sandbox.kubelet.node import NodeHeartbeat
from seatrial.sandbox.kubelet.node_object import KUBELET_VERSION, allocatable_resources
from seatrial.sandbox.kubelet.node_services import NodeServices
from seatrial.sandbox.kubelet.pod_addresses import PodAddresses
from seatrial.sandbox.kubelet.pod_host import Surroundings
from seatrial.sandbox.kubelet.pod_logs import open_log
from seatrial.sandbox.kubelet.pod_worker import PodWorker
from seatrial.sandbox.kubelet.probing.checks import Checker
from seatrial.sandbox.kubelet.protocol import ContainerRecord
from seatrial.sandbox.kubelet.remote_api import RemoteApi
from seatrial.sandbox.kubelet.runtime_client import RuntimeClient
from seatrial.sandbox.kubelet.server import KubeletServer, LogStream, NoSuchLogError
from seatrial.sandbox.kubelet.streams.stream_routes import StreamedPod, StreamRoutes
from seatrial.sandbox.kubelet.usage import UsageMeter
from seatrial.sandbox.kubelet.usage_routes import UsageRoutes
from seatrial.sandbox.kubelet.volumes import VolumeSources

# Changes of Services within this time are passed on together.
_GATHER_SECONDS: Final = 0.05
_WORKER_PAUSE_SECONDS: Final = 5.0
_log = structlog.get_logger(__name__)


def run_kubelet(config: MachineConfig, sock: socket.socket, packets: socket.socket) -> None:
    """Be the kubelet of that node, as long as the machine's container runtime is there.

    Args:
        config: the node.
        sock: the connection with the container runtime.
        packets: the other one, for requests with descriptors.
    """
    asyncio.run(_run(config, sock, packets))


async def _run(config: MachineConfig, sock: socket.socket, packets: socket.socket) -> None:
    runtime = RuntimeClient(sock, packets)
    await runtime.connect()
    async with RemoteApi(
        config.api_server,
        ca_file=config.ca_file,
        cert_file=config.client_cert_file,
        key_file=config.client_key_file,
        user_agent=f"kubelet/{KUBELET_VERSION} (seatrial)",
    ) as api:
        await Kubelet(config, api, runtime).run()


def _start_events(node: str) -> list[tuple[str, str]]:
    """What a kubelet tells of its node when it begins: reason and message."""
    statuses = ("NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID", "NodeReady")
    told = [(status, f"Node {node} status is now: {status}") for status in statuses]
    allocatable = ("NodeAllocatableEnforced", "Updated Node Allocatable limit across pods")
    return [("Starting", "Starting kubelet."), *told[:-1], allocatable, told[-1]]


class Kubelet:
    """Runs the node's pods.

    Args:
        config: the node.
        api: the API server.
        runtime: the machine's container runtime, connected.
    """

    def __init__(self, config: MachineConfig, api: Api, runtime: RuntimeClient) -> None:
        self._config = config
        self._runtime = runtime
        self._events = KubeletEvents(api, node_name=config.node_name)
        self._heartbeat = NodeHeartbeat(api, config)
        self._pods = Informer(api, "pods", field_selector=f"spec.nodeName={config.node_name}")
        self._known_services = Informer(api, "services")
        self._checker = Checker(runtime)
        streams = StreamRoutes(runtime, self._streamed_pod)
        # The parent is the machine, which everything on the node is below of.
        meter = UsageMeter(node_name=config.node_name, machine_pid=os.getppid())
        usage = UsageRoutes(meter, runtime=runtime, pods=self._pods.list)
        self._server = KubeletServer(config, pods=self._pods.list, logs=self._open_log, pages=(streams, usage))
        self._services = self._node_services(api)
        self._workers: dict[str, PodWorker] = {}
        self._records: Sequence[ContainerRecord] = ()
        self._group: asyncio.TaskGroup | None = None
        self._services_told: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Run until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                group.create_task(self._runtime.run())
                group.create_task(self._heartbeat.run())
                group.create_task(self._events.run())
                group.create_task(self._known_services.run())
                await self._server.start()
                self._records = await self._runtime.list()
                await self._known_services.wait_synced()
                self._known_services.add_handler(self._service_changed)
                self._pods.add_handler(self._pod_changed)
                group.create_task(self._pods.run())
                self._tell_started()
                await self._pods.wait_synced()
                await self._clean_up()
        finally:
            await self._server.stop()
            await self._checker.close()

    def _node_services(self, api: Api) -> NodeServices:
        config, configuration = self._config, ClusterConfiguration(api)
        return NodeServices(
            api=api,
            events=self._events,
            surroundings=Surroundings(
                runtime=self._runtime,
                checker=self._checker,
                configuration=configuration,
                services=self._known_services.list,
                images=config.images,
                timing=config.timing,
                sandbox=config.sandbox,
            ),
            volumes=VolumeSources(configuration=configuration, token=configuration.token),
            addresses=PodAddresses(config.pod_cidr),
            host_ip=config.address,
            allocatable=allocatable_resources(),
            pods_directory=config.directory / "pods",
        )

    def _tell_started(self) -> None:
        node = {
            "kind": "Node",
            "apiVersion": "v1",
            "metadata": {"name": self._config.node_name, "uid": self._config.node_name},
        }
        for reason, message in _start_events(self._config.node_name):
            self._events.record(node, EventReason("Normal", reason, message))

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        uid = (new or old or {})["metadata"]["uid"]
        worker = self._workers.get(uid)
        if new is None:
            if worker is not None:
                worker.remove()
        elif worker is not None:
            worker.update(new)
        elif self._group is not None:
            records = [record for record in self._records if record.container.pod_uid == uid]
            self._workers[uid] = PodWorker(new, self._services, records=records)
            self._group.create_task(self._keep(uid))

    def _service_changed(self, old: Object | None, new: Object | None) -> None:
        """Tell the pods once, however many Services change at a time."""
        if (old or {}).get("spec") != (new or {}).get("spec") and self._services_told is None:
            self._services_told = asyncio.get_running_loop().call_later(_GATHER_SECONDS, self._tell_services)

    def _tell_services(self) -> None:
        self._services_told = None
        for worker in self._workers.values():
            worker.services_changed()

    async def _keep(self, uid: str) -> None:
        """Run a pod's worker; one that fails (it must not) is replaced, so that the pod isn't forgotten."""
        try:
            while True:
                worker = self._workers[uid]
                try:
                    await worker.run()
                except Exception:  # noqa: BLE001 -- the pod of one broken worker must not take the others along
                    _log.exception("pod worker failed", pod=worker.pod["metadata"]["name"])
                else:
                    return
                await asyncio.sleep(_WORKER_PAUSE_SECONDS)
                metadata = worker.pod["metadata"]
                pod = self._pods.get(metadata["namespace"], metadata["name"])
                if pod is None or pod["metadata"]["uid"] != uid:
                    await self._kill(uid)
                    return
                records = [r for r in await self._runtime.list() if r.container.pod_uid == uid]
                self._workers[uid] = PodWorker(pod, self._services, records=records)
        finally:
            self._workers.pop(uid, None)

    async def _clean_up(self) -> None:
        """What is left of pods that were deleted while no kubelet ran."""
        strangers = {r.container.pod_uid for r in self._records} - self._workers.keys()
        for uid in strangers:
            await self._kill(uid)
        self._records = ()
        directory = self._services.pods_directory
        for left in directory.iterdir() if directory.exists() else ():
            if left.name not in self._workers:
                await asyncio.to_thread(shutil.rmtree, left, ignore_errors=True)

    async def _kill(self, uid: str) -> None:
        for record in await self._runtime.list():
            if record.container.pod_uid == uid:
                await self._runtime.remove(record.container.id)

    def _streamed_pod(self, namespace: str, name: str) -> StreamedPod | None:
        found = self._pods.get(namespace, name)
        worker = self._workers.get(found["metadata"]["uid"]) if found else None
        if worker is None:
            return None
        # Programs of the pod listen there even where its own address is redirected, and so does whoever is inside.
        address = worker.place.listen_ip or worker.place.pod_ip
        return StreamedPod(pod=worker.pod, address=address, running=worker.running_containers())

    def _open_log(self, namespace: str, pod: str, container: str, query: LogQuery) -> LogStream:
        found = self._pods.get(namespace, pod)
        if found is None:
            raise NoSuchLogError(f'pod "{pod}" not found', code=404)
        # The worker's copy is ahead of the informer's.
        worker = self._workers.get(found["metadata"]["uid"])
        current = worker.pod if worker else found
        return open_log(current, container, query, pods_directory=self._services.pods_directory, runtime=self._runtime)
