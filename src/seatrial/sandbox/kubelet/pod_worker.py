"""The life of one pod on its node: address and volumes, init containers, containers, and an orderly end.

One worker per pod, one coroutine from the pod's arrival to its last trace. What ends it early (deletion, its
deadline, the object's disappearance) cancels the coroutine that runs the containers and goes on to stop them. A worker
that begins with a pod of an earlier kubelet, or of an earlier life of the machine, takes over what is left of it.
"""

import asyncio
import contextlib
import shutil
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from seatrial.sandbox.api import Api, ApiError, Object
from seatrial.sandbox.kubelet.container_runner import ContainerRunner, Surroundings
from seatrial.sandbox.kubelet.container_state import (
    LOST_EXIT_CODE,
    ContainerState,
    Running,
    Terminated,
    Waiting,
)
from seatrial.sandbox.kubelet.durations import go_duration
from seatrial.sandbox.kubelet.environment import PodPlace
from seatrial.sandbox.kubelet.events import EventReason, EventRecorder
from seatrial.sandbox.kubelet.grace_period import GracePeriod
from seatrial.sandbox.kubelet.pod_addresses import NoAddressLeftError, PodAddresses
from seatrial.sandbox.kubelet.pod_status import TERMINAL_PHASES, PodFacts
from seatrial.sandbox.kubelet.protocol import ContainerRecord
from seatrial.sandbox.kubelet.status_writer import StatusWriter
from seatrial.sandbox.kubelet.times import parse_time
from seatrial.sandbox.kubelet.volumes import MountError, VolumeSources, set_up_volumes

_FIRST_MOUNT_PAUSE_SECONDS: Final = 0.5
_LONGEST_MOUNT_PAUSE_SECONDS: Final = 122.0
_FIRST_DELETE_PAUSE_SECONDS: Final = 0.1
_LONGEST_DELETE_PAUSE_SECONDS: Final = 10.0
# A token is renewed when 80 % of its time is over, as the kubelet does.
_TOKEN_AGE: Final = 0.8
_DEADLINE_MESSAGE: Final = "Pod was active on the node longer than the specified deadline"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class NodeServices:
    """What all workers of a node share.

    Args:
        api: the API server.
        events: tells events.
        surroundings: what containers need.
        volumes: where the content of volumes comes from.
        addresses: the node's pod addresses.
        host_ip: the node's address.
        allocatable: the node's resources.
        pods_directory: where the pods' files are.
    """

    api: Api
    events: EventRecorder
    surroundings: Surroundings
    volumes: VolumeSources
    addresses: PodAddresses
    host_ip: str
    allocatable: Mapping[str, str]
    pods_directory: Path


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
        self._lost = False
        # Ended before this worker began: its status stands.
        self._settled = self._phase in TERMINAL_PHASES
        self._take_over(records)

    @property
    def pod(self) -> Object:
        """The Pod as last seen."""
        return self._facts.pod

    @property
    def place(self) -> PodPlace:
        """Where it runs."""
        return PodPlace(
            pod_ip=self._facts.pod_ip, host_ip=self._services.host_ip, allocatable=self._services.allocatable
        )

    def update(self, pod: Object) -> None:
        """The Pod changed."""
        self._writer.see(pod)
        for runner in (*self._init_runners, *self._runners):
            runner.spec_changed()
        if self._grace is not None and self._is_deleted:
            self._grace.shorten(self._deletion_grace_seconds)
        self._updated.set()
        self.changed()

    def remove(self) -> None:
        """The Pod object is gone: whatever still runs has no right to."""
        self._removed = True
        self._writer.forget()
        if self._grace is not None:
            self._grace.shorten(0)
        self._updated.set()

    def changed(self) -> None:
        """The status is to be written."""
        if not (self._removed or self._settled):
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
                self.changed()
            await self._wait_until(lambda: self._is_deleted or self._removed)
            await self._release()
            if not self._removed:
                await self._writer.flush()
                await self._delete_object()
        finally:
            writer.cancel()
            refresher.cancel()
            self._services.addresses.release(self._own_address)

    # --- what is known of it

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
    def _own_address(self) -> str:
        return "" if self.pod["spec"].get("hostNetwork") else self._facts.pod_ip

    # --- take over

    def _take_over(self, records: Sequence[ContainerRecord]) -> None:
        spec, status = self.pod["spec"], self.pod.get("status") or {}
        latest = {record.container.name: record for record in sorted(records, key=lambda r: r.container.attempt)}
        known = {
            item["name"]: item
            for item in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
        }
        waiting = "PodInitializing" if spec.get("initContainers") else "ContainerCreating"
        for is_init, containers in ((True, spec.get("initContainers") or ()), (False, spec["containers"])):
            for container in containers:
                state = ContainerState(container["name"], Waiting(waiting))
                state.restartable = is_init and container.get("restartPolicy") == "Always"
                runner = ContainerRunner(self, state, is_init=is_init)
                self._restore(runner, known.get(state.name), latest.get(state.name))
                (self._init_runners if is_init else self._runners).append(runner)
                (self._facts.init_containers if is_init else self._facts.containers)[state.name] = state
        self._lost = any(record is None for name, record in self._expected(known, latest))
        if self._lost and spec.get("restartPolicy") != "Never":
            self._initialize_again()
        alive = [record for record in latest.values() if record.running]
        if alive and not self._lost:
            self._facts.has_sandbox = True
        self._facts.pod_ip = next((r.container.pod_ip for r in alive), "")
        self._services.addresses.reserve([self._facts.pod_ip])

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

    def _restore(self, runner: ContainerRunner, known: Object | None, record: ContainerRecord | None) -> None:
        state = runner.state
        if known is not None:
            last = (known.get("lastState") or {}).get("terminated")
            state.last = Terminated.from_object(last) if last else None
            state.restart_count = int(known.get("restartCount") or 0)
            state.container_id = known.get("containerID") or ""
            state.image_id = known.get("imageID") or ""
            state.image = known["image"] if state.image_id else ""
            state.started = bool(known.get("started"))
            state.ready = bool(known.get("ready"))
            state.current = _restored_state(known, state.current)
        if record is not None:
            state.restart_count = record.container.attempt
            runner.adopt(record)
            if record.running and not state.running:
                state.current = Running(record.started_at)
        elif isinstance(state.current, Running):
            # It went with its machine.
            state.end(
                Terminated(
                    exit_code=LOST_EXIT_CODE,
                    reason="Unknown",
                    started_at=state.current.started_at,
                    finished_at=time.time(),
                    container_id=state.container_id,
                )
            )

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
                life.cancel()
                stop.cancel()
                await asyncio.wait({life, stop})
            if not life.cancelled():
                life.result()
        self._facts.ending = True
        await self._stop_containers()

    async def _wait_for_stop(self) -> None:
        """Wait until the pod has to end: deleted, gone, or past its deadline."""
        while not (self._is_deleted or self._removed):
            seconds = self.pod["spec"].get("activeDeadlineSeconds")
            left = None if seconds is None else self._facts.start_time + seconds - time.time()
            if left is not None and left <= 0:
                self._facts.reason, self._facts.message = "DeadlineExceeded", _DEADLINE_MESSAGE
                self.record_event(EventReason("Normal", "DeadlineExceeded", _DEADLINE_MESSAGE))
                return
            await self._wait_update(left)

    async def _wait_update(self, seconds: float | None = None) -> None:
        self._updated.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._updated.wait(), seconds)

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
            await self._run_main_containers(sidecars)
        finally:
            for task in sidecars:
                task.cancel()
            if sidecars:
                await asyncio.wait(sidecars)

    async def _run_main_containers(self, sidecars: Sequence[asyncio.Task[int]]) -> None:
        async with asyncio.TaskGroup() as group:
            for runner in self._runners:
                group.create_task(runner.run())
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
        pause = _FIRST_MOUNT_PAUSE_SECONDS
        while True:
            try:
                if not self._facts.pod_ip:
                    self._facts.pod_ip = self._take_address()
                self.directory.mkdir(parents=True, exist_ok=True)
                await set_up_volumes(self.pod, self.directory, place=self.place, sources=self._services.volumes)
            except NoAddressLeftError as error:
                self.record_event(EventReason("Warning", "FailedCreatePodSandBox", str(error)))
            except MountError as error:
                self.record_event(EventReason("Warning", "FailedMount", str(error)))
            else:
                self._facts.has_sandbox = True
                self.changed()
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_MOUNT_PAUSE_SECONDS)

    def _take_address(self) -> str:
        if self.pod["spec"].get("hostNetwork"):
            return self._services.host_ip
        return self._services.addresses.take()

    async def _refresh_volumes(self) -> None:
        """Renew service account tokens in time."""
        lifetimes = [
            source["serviceAccountToken"].get("expirationSeconds", 3600)
            for volume in self.pod["spec"].get("volumes") or ()
            for source in (volume.get("projected") or {}).get("sources") or ()
            if "serviceAccountToken" in source
        ]
        while lifetimes:
            await asyncio.sleep(min(lifetimes) * _TOKEN_AGE)
            try:
                await set_up_volumes(self.pod, self.directory, place=self.place, sources=self._services.volumes)
            except MountError as error:
                _log.warning("volumes not renewed", pod=self.pod["metadata"]["name"], error=str(error))

    # --- end

    async def _stop_containers(self) -> None:
        if self._removed:
            seconds = 0.0
        elif self._is_deleted:
            seconds = self._deletion_grace_seconds
        else:
            seconds = float(self.pod["spec"].get("terminationGracePeriodSeconds", 30))
        self._grace = GracePeriod(seconds)
        await asyncio.gather(*(runner.stop(self._grace) for runner in self._runners))
        # Sidecars serve the containers to their end, and end in reverse order.
        for runner in reversed(self._init_runners):
            await runner.stop(self._grace)

    async def _release(self) -> None:
        for runner in (*self._init_runners, *self._runners):
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


def _restored_state(known: Object, fallback: Waiting | Running | Terminated) -> Waiting | Running | Terminated:
    state = known.get("state") or {}
    if "running" in state:
        return Running(parse_time(state["running"].get("startedAt")))
    if "terminated" in state:
        return Terminated.from_object(state["terminated"])
    if "waiting" in state:
        return Waiting(state["waiting"].get("reason", ""), state["waiting"].get("message", ""))
    return fallback
