"""The life of one pod on its node: address and volumes, init containers, containers, and an orderly end.

One worker per pod, one coroutine from the pod's arrival to its last trace. What ends it early (deletion, its
deadline, the object's disappearance) cancels the coroutine that runs the containers and goes on to stop them. A worker
that begins with a pod of an earlier kubelet, or of an earlier life of the machine, takes over what is left of it.
"""

import asyncio
import contextlib
import functools
import shutil
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

import structlog

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.kubelet.container_isolation.hosts_file import hosts_file
from seatrial.sandbox.kubelet.container_restoration import known_statuses, restore_state
from seatrial.sandbox.kubelet.container_runner import ContainerRunner, Section
from seatrial.sandbox.kubelet.container_setup import hosts_path
from seatrial.sandbox.kubelet.container_state import ContainerState, Waiting
from seatrial.sandbox.kubelet.durations import go_duration
from seatrial.sandbox.kubelet.environment import PodPlace
from seatrial.sandbox.kubelet.events import EventReason
from seatrial.sandbox.kubelet.grace_period import GracePeriod
from seatrial.sandbox.kubelet.node_services import NodeServices
from seatrial.sandbox.kubelet.pod_addresses import NoAddressLeftError
from seatrial.sandbox.kubelet.pod_host import grace_seconds
from seatrial.sandbox.kubelet.pod_limits import EVICTED, EVICTION_GRACE_SECONDS, PodLimits
from seatrial.sandbox.kubelet.pod_network import PodNetwork
from seatrial.sandbox.kubelet.pod_status import TERMINAL_PHASES, PodFacts
from seatrial.sandbox.kubelet.protocol import ContainerRecord
from seatrial.sandbox.kubelet.status_writer import StatusWriter
from seatrial.sandbox.kubelet.volumes import MountError, is_refreshed, set_up_volumes
from seatrial.sandbox.timestamps import parse_time

# Half a second and two minutes, where the first pause before an image is pulled again is ten seconds.
_FIRST_MOUNT_PAUSE: Final = 0.05
_LONGEST_MOUNT_PAUSE: Final = 12.2
# How long a written status is waited for at most.
_SHOW_SECONDS: Final = 1.0
# How long the content of ConfigMaps and Secrets may be out of date; a kubelet takes about a minute.
_REFRESH_SECONDS: Final = 10.0
_FIRST_DELETE_PAUSE_SECONDS: Final = 0.1
_LONGEST_DELETE_PAUSE_SECONDS: Final = 10.0
# A token is renewed when 80 % of its time is over, as the kubelet does.
_TOKEN_AGE: Final = 0.8
_log = structlog.get_logger(__name__)


class PodWorker:
    """Runs one pod.

    Args:
        pod: the Pod as it arrived.
        services: the node's.
        records: what the runtime has of it already.
    """

    def __init__(self, pod: Object, services: NodeServices, *, records: Sequence[ContainerRecord] = ()) -> None:
        self._services = services
        self.surroundings = services.surroundings
        self.directory = services.pods_directory / pod["metadata"]["uid"]
        started_at = parse_time((pod.get("status") or {}).get("startTime")) or time.time()
        self._facts = PodFacts(pod=pod, host_ip=services.host_ip, start_time=started_at)
        self._writer = StatusWriter(services.api, self._facts)
        self._updated = asyncio.Event()
        self._removed = False
        self._grace: GracePeriod | None = None
        self._init_runners: list[ContainerRunner] = []
        self._runners: list[ContainerRunner] = []
        self._ephemeral_runners: list[ContainerRunner] = []
        self._ephemeral_tasks: list[asyncio.Task[int]] = []
        self._set_up_done = asyncio.Event()
        self._stale = asyncio.Event()
        self._quiet = False
        self._lost = False
        # Ended before this worker began: its status stands.
        self._settled = self._phase in TERMINAL_PHASES
        self.network = PodNetwork(self.directory, services.addresses)
        self._take_over(records)

    @property
    def pod(self) -> Object:
        """The Pod as last seen."""
        return self._facts.pod

    @property
    def place(self) -> PodPlace:
        """Where it runs."""
        return PodPlace(
            pod_ip=self._facts.pod_ip,
            host_ip=self._services.host_ip,
            allocatable=self._services.allocatable,
            listen_ip=self.network.inner_ip,
        )

    def running_id(self, container: str) -> str:
        """The id of the container of that name while it runs, else nothing."""
        return next((r.running_id for r in self._all_runners if r.state.name == container), "")

    def running_containers(self) -> dict[str, str]:
        """The containers that run, name to the runtime's id."""
        return {s.name: s.container_id.partition("://")[2] for s in self._facts.all_containers if s.running}

    def update(self, pod: Object) -> None:
        """The Pod changed."""
        self._writer.see(pod)
        for runner in self._all_runners:
            runner.spec_changed()
        self._start_ephemeral_containers()
        self._stale.set()
        if self._is_deleted:
            self._give_up_starts()
        if self._grace is not None and self._is_deleted:
            self._grace.shorten(self._deletion_grace_seconds)
        self._updated.set()
        self.changed()

    def services_changed(self) -> None:
        """Services came or went, which the pod finds by their names."""
        if self._set_up_done.is_set():
            with contextlib.suppress(OSError):  # a full disk: what was there is what containers see
                self._write_hosts()

    def remove(self) -> None:
        """The Pod object is gone: whatever still runs has no right to."""
        self._removed = True
        self._writer.forget()
        if self._grace is not None:
            self._grace.shorten(0)
        self._updated.set()

    def changed(self) -> None:
        """The status is to be written."""
        if not (self._removed or self._settled or self._quiet):
            self._writer.touch()

    async def published(self) -> None:
        """Wait until the status is written."""
        await self._writer.flush()

    def record_event(self, event: EventReason) -> None:
        """Tell an event of the pod."""
        self._services.events.record({"kind": "Pod", "apiVersion": "v1", **self.pod}, event)

    async def run(self) -> None:
        """From now to the pod's last trace."""
        writer = asyncio.create_task(self._writer.run())
        refresher = asyncio.create_task(self._refresh_volumes())
        try:
            if not self._settled:
                await self._run_to_end()
                self._quiet = False
                self.changed()
            await self._wait_until(lambda: self._is_deleted or self._removed)
            await self._release()
            if not self._removed:
                await self._writer.flush()
                await self._wait_removal(self._services.surroundings.timing.pod_stop_seconds)
                await self._delete_object()
        finally:
            for task in (writer, refresher, *self._ephemeral_tasks):
                task.cancel()
            self.network.close()
            self._services.addresses.release(self._own_address)

    # --- what is known of it

    @property
    def _all_runners(self) -> list[ContainerRunner]:
        return [*self._init_runners, *self._runners, *self._ephemeral_runners]

    @property
    def _phase(self) -> str:
        return str((self.pod.get("status") or {}).get("phase", "Pending"))

    @property
    def _is_deleted(self) -> bool:
        return bool(self.pod["metadata"].get("deletionTimestamp"))

    @property
    def _deletion_grace_seconds(self) -> float:
        return float(self.pod["metadata"].get("deletionGracePeriodSeconds") or 0)

    @property
    def _first_reason(self) -> str:
        """Why a container waits in the beginning."""
        return "PodInitializing" if self.pod["spec"].get("initContainers") else "ContainerCreating"

    @property
    def _own_address(self) -> str:
        return "" if self.pod["spec"].get("hostNetwork") else self._facts.pod_ip

    # --- take over

    def _take_over(self, records: Sequence[ContainerRecord]) -> None:
        spec, known = self.pod["spec"], known_statuses(self.pod)
        latest = {record.container.name: record for record in sorted(records, key=lambda r: r.container.attempt)}
        for container in spec.get("initContainers") or ():
            self._init_runners.append(self._add(container, "initContainers", known, latest))
        for container in spec["containers"]:
            self._runners.append(self._add(container, "containers", known, latest))
        for container in spec.get("ephemeralContainers") or ():
            if container["name"] in known:
                self._ephemeral_runners.append(self._add(container, "ephemeralContainers", known, latest))
        self._lost = any(record is None for name, record in self._expected(known, latest))
        if self._lost and spec.get("restartPolicy") != "Never":
            self._initialize_again()
        alive = [record for record in latest.values() if record.running]
        if alive and not self._lost:
            self._facts.has_sandbox = True
            self._set_up_done.set()
        self._facts.pod_ip = next((r.container.pod_ip for r in alive), "")
        self._services.addresses.reserve([self._facts.pod_ip])
        listens = (r.container.environ.get("SEATRIAL_POD_IP", "") for r in alive)
        self.network.adopt(next((address for address in listens if address != self._facts.pod_ip), ""))

    def _add(
        self, spec: Object, section: Section, known: Mapping[str, Object], latest: Mapping[str, ContainerRecord]
    ) -> ContainerRunner:
        name, facts = spec["name"], self._facts
        is_late = section == "ephemeralContainers"
        state = ContainerState(name, Waiting("ContainerCreating" if is_late else self._first_reason))
        state.restartable = section == "initContainers" and spec.get("restartPolicy") == "Always"
        runner = ContainerRunner(self, state, section=section)
        record = latest.get(name)
        restore_state(state, known.get(name), record)
        if record is not None:
            runner.adopt(record)
        states = {
            "initContainers": facts.init_containers,
            "containers": facts.containers,
            "ephemeralContainers": facts.ephemeral_containers,
        }
        states[section][name] = state
        return runner

    def _initialize_again(self) -> None:
        """A pod whose surroundings are lost begins from the first init container."""
        for state in self._facts.init_containers.values():
            if not state.restartable:
                state.wait("PodInitializing")

    def _expected(
        self, known: Mapping[str, Object], latest: Mapping[str, ContainerRecord]
    ) -> list[tuple[str, ContainerRecord | None]]:
        """The containers that ran when the status was written, with what the runtime has of them."""
        return [(name, latest.get(name)) for name, item in known.items() if "running" in (item.get("state") or {})]

    # --- life

    async def _run_to_end(self) -> None:
        if not (self._is_deleted or self._removed):
            if self._lost:
                message = "Pod sandbox changed, it will be killed and re-created."
                self.record_event(EventReason("Normal", "SandboxChanged", message))
            self.changed()
            life = asyncio.create_task(self._run_containers())
            stop = asyncio.create_task(self._wait_for_stop())
            try:
                await asyncio.wait({life, stop}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._quiet = False
                life.cancel()
                stop.cancel()
                await asyncio.wait({life, stop})
            if not life.cancelled():
                life.result()
        self._facts.ending = True
        self._give_up_starts()
        if not (self._is_deleted or self._removed):
            # The end of the containers is shown first, the pod's final phase when nothing is left of it.
            self.changed()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SHOW_SECONDS):
                    await self.published()
        await self._stop_containers()
        self._facts.finished = True
        self._facts.has_sandbox = False

    def _give_up_starts(self) -> None:
        """Nothing of the pod is started any more."""
        for state in self._facts.all_containers:
            state.give_up(self._first_reason)

    async def _wait_for_stop(self) -> None:
        """Wait until the pod has to end: deleted, gone, or beyond its limits."""
        limits = PodLimits(self.directory, look_seconds=self.surroundings.timing.eviction_look_seconds)
        while not (self._is_deleted or self._removed):
            exceeded = await limits.exceeded(self.pod, started_at=self._facts.start_time)
            if exceeded is not None:
                self._facts.reason, self._facts.message = exceeded.reason, exceeded.message
                self.record_event(exceeded)
                return
            await self._wait_update(limits.seconds_to_look(self.pod, started_at=self._facts.start_time))

    async def _wait_update(self, seconds: float | None = None) -> None:
        self._updated.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._updated.wait()

    async def _wait_removal(self, seconds: float) -> None:
        """Wait a moment, unless the object goes before."""
        ends_at = time.monotonic() + seconds
        while not self._removed and (left := ends_at - time.monotonic()) > 0:
            await self._wait_update(left)

    async def _wait_until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self._wait_update()

    async def _run_containers(self) -> None:
        await self._set_up()
        sidecars: list[asyncio.Task[int]] = []
        try:
            for runner in self._init_runners:
                if runner.state.restartable:
                    sidecars.append(asyncio.create_task(runner.run()))
                    await self._first(runner.wait_started(), sidecars)
                elif runner.state.completed:
                    continue
                elif await runner.run() != 0:
                    return
                self.network.apply(self.pod, self._facts.pod_ip)
            self.network.apply(self.pod, self._facts.pod_ip)
            await self._run_main_containers(sidecars)
        finally:
            for task in sidecars:
                task.cancel()
            if sidecars:
                await asyncio.wait(sidecars)

    async def _run_main_containers(self, sidecars: Sequence[asyncio.Task[int]]) -> None:
        async with asyncio.TaskGroup() as group:
            # One after the other, and shown when all have been tried.
            self._quiet = True
            for runner in self._runners:
                task = group.create_task(runner.run())
                await self._first(runner.wait_tried(), [task])
            self._quiet = False
            self.changed()
        for task in sidecars:
            if task.done():
                task.result()

    async def _first(self, awaited: Coroutine[Any, Any, None], tasks: Sequence[asyncio.Task[int]]) -> None:
        """Await something, unless one of the tasks fails before."""
        task = asyncio.ensure_future(awaited)
        try:
            await asyncio.wait({task, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            for other in tasks:
                if other.done():
                    other.result()
        finally:
            task.cancel()

    async def _set_up(self) -> None:
        """Address and volumes; tried again until they are there."""
        unit = self.surroundings.timing.pull_base_seconds
        pause = unit * _FIRST_MOUNT_PAUSE
        while True:
            try:
                if not self._facts.pod_ip:
                    self._facts.pod_ip = self._take_address()
                self.directory.mkdir(parents=True, exist_ok=True)
                self._write_hosts()
                await set_up_volumes(self.pod, self.directory, place=self.place, sources=self._services.volumes)
            except NoAddressLeftError as error:
                self.record_event(EventReason("Warning", "FailedCreatePodSandBox", str(error)))
            except MountError as error:
                self.record_event(EventReason("Warning", "FailedMount", str(error)))
            except OSError as error:
                text = f"Failed to create pod sandbox: {error.strerror or error}"
                self.record_event(EventReason("Warning", "FailedCreatePodSandBox", text))
            else:
                await asyncio.sleep(self._services.surroundings.timing.pod_start_seconds)
                self._facts.has_sandbox = True
                self._set_up_done.set()
                self._start_ephemeral_containers()
                self.changed()
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, unit * _LONGEST_MOUNT_PAUSE)

    def _write_hosts(self) -> None:
        """In place: containers have the file itself mounted."""
        text = hosts_file(self.pod, self.surroundings.services(), pod_ip=self._facts.pod_ip)
        with contextlib.suppress(FileNotFoundError):
            hosts_path(self.directory).write_text(text)

    def _take_address(self) -> str:
        if self.pod["spec"].get("hostNetwork"):
            return self._services.host_ip
        return self._services.addresses.take()

    def _start_ephemeral_containers(self) -> None:
        """Start those that were added to the running pod."""
        if not self._set_up_done.is_set() or self._facts.ending:
            return
        known = self._facts.ephemeral_containers
        for container in self.pod["spec"].get("ephemeralContainers") or ():
            if container["name"] not in known:
                self._ephemeral_runners.append(self._add(container, "ephemeralContainers", {}, {}))
        started = {task.get_name() for task in self._ephemeral_tasks}
        for runner in self._ephemeral_runners:
            if runner.state.name not in started:
                self._ephemeral_tasks.append(asyncio.create_task(runner.run(), name=runner.state.name))

    async def _refresh_volumes(self) -> None:
        """Keep volumes up to date: tokens before they expire, ConfigMaps and Secrets, what the Pod says of itself."""
        await self._set_up_done.wait()
        lifetimes = [
            source["serviceAccountToken"].get("expirationSeconds", 3600) * _TOKEN_AGE
            for volume in self.pod["spec"].get("volumes") or ()
            for source in (volume.get("projected") or {}).get("sources") or ()
            if "serviceAccountToken" in source
        ]
        seconds = min([*lifetimes, *([_REFRESH_SECONDS] if is_refreshed(self.pod) else [])], default=None)
        while not self._settled:
            self._stale.clear()
            told = (self.pod["metadata"].get("labels"), self.pod["metadata"].get("annotations"))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._stale.wait()
                if told == (self.pod["metadata"].get("labels"), self.pod["metadata"].get("annotations")):
                    continue
            try:
                await set_up_volumes(self.pod, self.directory, place=self.place, sources=self._services.volumes)
            except MountError as error:
                _log.warning("volumes not renewed", pod=self.pod["metadata"]["name"], error=str(error))

    # --- end

    async def _stop_containers(self) -> None:
        seconds = grace_seconds(self.pod)
        if self._is_deleted:
            self._quiet = True
            await self._wait_removal(self._services.surroundings.timing.pod_stop_seconds)
            seconds = self._deletion_grace_seconds
        if self._facts.reason == EVICTED:
            seconds = min(seconds, EVICTION_GRACE_SECONDS)
        if self._removed:
            seconds = 0.0
        grace = self._grace = GracePeriod(seconds)
        # Sidecars serve the containers to their end, and end in reverse order.
        async with asyncio.TaskGroup() as group:
            stopping: list[asyncio.Task[None]] = []
            for index, runner in enumerate(self._all_runners):
                first = index + 1 if index < len(self._init_runners) else len(self._all_runners)
                turn = functools.partial(_from, stopping, first)
                stopping.append(group.create_task(runner.stop(grace, turn=turn)))

    async def _release(self) -> None:
        for runner in self._all_runners:
            await runner.remove()
        await asyncio.to_thread(shutil.rmtree, self.directory, ignore_errors=True)

    async def _delete_object(self) -> None:
        """Complete the deletion that the API server began."""
        metadata, pause = self.pod["metadata"], _FIRST_DELETE_PAUSE_SECONDS
        while not self._removed:
            try:
                await self._services.api.delete(
                    "pods", metadata["name"], metadata["namespace"], uid=metadata["uid"], grace_period_seconds=0
                )
            except ApiError as error:
                if error.reason in {"NotFound", "Conflict"}:
                    return
                _log.warning("pod not deleted", pod=metadata["name"], retry=go_duration(pause), error=str(error))
                await self._wait_update(pause)
                pause = min(pause * 2, _LONGEST_DELETE_PAUSE_SECONDS)
            else:
                return


def _from(tasks: Sequence[asyncio.Task[None]], first: int) -> Sequence[asyncio.Task[None]]:
    return tasks[first:]
