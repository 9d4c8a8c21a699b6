"""One container of a pod: image, start, probes, end, restart; over and over as its restart policy says.

A runner goes through the container's life in one coroutine (`run`). It can be cancelled at any point: the
container itself then lives on, until the pod worker calls `stop`. `container_setup` says what is started,
`container_checks` has probes and hooks, `restart_rules` decides what comes after an end.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal

from seatrial.sandbox.api import Object
from seatrial.sandbox.images.registry import Image, find
from seatrial.sandbox.kubelet.backoff import RestartBackoff
from seatrial.sandbox.kubelet.container_setup import cpu_limit, describe_container, memory_limit, message_file
from seatrial.sandbox.kubelet.container_state import (
    START_FAILED_EXIT_CODE,
    ContainerState,
    Terminated,
    termination_reason,
)
from seatrial.sandbox.kubelet.durations import go_duration
from seatrial.sandbox.kubelet.environment import ConfigurationMissingError
from seatrial.sandbox.kubelet.events import EventReason, EventType
from seatrial.sandbox.kubelet.grace_period import GracePeriod
from seatrial.sandbox.kubelet.image_names import canonical_name, image_id
from seatrial.sandbox.kubelet.image_puller import ImagePuller
from seatrial.sandbox.kubelet.node_object import RUNTIME_NAME
from seatrial.sandbox.kubelet.pod_host import PodHost, grace_seconds
from seatrial.sandbox.kubelet.probing.container_checks import ContainerChecks
from seatrial.sandbox.kubelet.protocol import Container, ContainerRecord
from seatrial.sandbox.kubelet.restart_rules import is_restarted
from seatrial.sandbox.kubelet.runtime_client import RuntimeFailedError
from seatrial.sandbox.kubelet.termination_message import read_termination_message

# How long an init container shows how it ended before it shows that it waits.
_INIT_SHOWS_END_SECONDS: Final = 1.0
# The other containers show it for most of a first back-off: until the kubelet's next look at a pod that failed.
_SHARE_OF_PAUSE: Final = 0.9
# A kubelet looks at its containers once a second, and tells of a back-off after that; in first back-offs.
_SHARE_UNNOTICED: Final = 0.15
# A restart doesn't wait longer than this for the status before it to be written.
_PUBLISH_SECONDS: Final = 0.25
# How often a container whose configuration is missing is looked at again, at most.
_LONGEST_CONFIGURE_PAUSE_SECONDS: Final = 10.0

Turn = Callable[[], Sequence[asyncio.Task[None]]]
"""Answers what has to end before."""
Section = Literal["initContainers", "containers", "ephemeralContainers"]


class ContainerRunner:
    """Runs one container.

    Args:
        host: its pod's worker.
        state: what the status shows; changed here.
        section: where in the pod's spec it stands.
    """

    def __init__(self, host: PodHost, state: ContainerState, *, section: Section = "containers") -> None:
        self.state = state
        self._host = host
        self._section: Section = section
        self._runtime = host.surroundings.runtime
        timing = host.surroundings.timing
        self._backoff = RestartBackoff(
            base_seconds=timing.restart_base_seconds,
            longest_seconds=timing.restart_longest_seconds,
            forget_seconds=timing.restart_forget_seconds,
        )
        self._puller = ImagePuller(
            images=host.surroundings.images,
            base_seconds=timing.pull_base_seconds,
            longest_seconds=timing.pull_longest_seconds,
            tell=self._tell,
            wait=self._show_waiting,
        )
        self._checks = ContainerChecks(host, state, spec=lambda: self.spec, tell=self._tell)
        self._start_task: asyncio.Task[ContainerRecord] | None = None
        self._record: ContainerRecord | None = None
        self._stop_signal: int = signal.SIGTERM
        self._spec = self.spec
        self._replaced = asyncio.Event()
        self._started = asyncio.Event()
        self._tried = asyncio.Event()
        self._ever_started = False
        self._limits: set[asyncio.Task[None]] = set()

    @property
    def spec(self) -> Object:
        """The container's entry in the pod's spec."""
        found: Object = next(c for c in self._host.pod["spec"][self._section] if c["name"] == self.state.name)
        return found

    @property
    def running_id(self) -> str:
        """The id of the container while it runs, else nothing."""
        return self._record.container.id if self._record is not None and self.state.running else ""

    def adopt(self, record: ContainerRecord) -> None:
        """Take over a container that runs since before this kubelet did."""
        self._record = record
        self._ever_started = True
        image = find(record.container.image, self._host.surroundings.images)
        if image is not None:
            self._stop_signal = image.stop_signal
        if self.state.started:
            self._started.set()

    def spec_changed(self) -> None:
        """The pod changed: look whether it names another image or gives other resources."""
        before, after = self._spec, self.spec
        if before is after:
            return
        self._spec = after
        if before["image"] != after["image"] or _restarts_for(before, after):
            self._replaced.set()
        elif self.running_id and (memory_limit(before), cpu_limit(before)) != (memory_limit(after), cpu_limit(after)):
            change = self._runtime.limit(self.running_id, memory_bytes=memory_limit(after), cpu_cores=cpu_limit(after))
            task = asyncio.ensure_future(change)
            self._limits.add(task)
            task.add_done_callback(self._limits.discard)

    async def wait_started(self) -> None:
        """Wait until it has started, its startup probe included."""
        await self._started.wait()

    async def wait_tried(self) -> None:
        """Wait until it has been started for the first time, or could not be."""
        await self._tried.wait()

    async def run(self) -> int:
        """Run it until it is not to be restarted; returns its last exit code."""
        self._ever_started = self._ever_started or bool(self.state.container_id)
        # One that a kubelet before this one saw ending may be over for good.
        if not isinstance(self.state.current, Terminated):
            await self._live_once()
        while self._is_restarted(self._last_exit_code()):
            await self._pause_before_restart()
            await self._live_once()
        return self._last_exit_code()

    async def stop(self, grace: GracePeriod, message: str = "", *, turn: Turn = tuple) -> None:
        """End the container if it runs: hook, stop signal, and SIGKILL when the grace period is over.

        Args:
            grace: how long it may take.
            message: the event's.
            turn: what the stop signal has to wait for, the hook doesn't.
        """
        if self._start_task is not None:
            # Cancelled in the middle of a start: what it started must not be lost.
            with contextlib.suppress(RuntimeFailedError):
                self._begin(await self._start_task)
        if not self.state.running or self._record is None:
            return
        self._tell("Normal", "Killing", message or f"Stopping container {self.state.name}")
        record, container_id = self._record, self._record.container.id
        expired = asyncio.create_task(grace.wait_expired())
        end = asyncio.create_task(self._runtime.wait_end(container_id))
        asking = asyncio.create_task(self._ask_to_end(record, grace, turn))
        try:
            await asyncio.wait({end, expired}, return_when=asyncio.FIRST_COMPLETED)
            if not end.done():
                asking.cancel()
                await self._runtime.signal(container_id, signal.SIGKILL)
            self._end(await end)
        finally:
            for task in (end, expired, asking):
                task.cancel()

    async def remove(self) -> None:
        """Have the runtime forget the container."""
        if self._record is not None:
            await self._runtime.remove(self._record.container.id)

    async def _ask_to_end(self, record: ContainerRecord, grace: GracePeriod, turn: Turn) -> None:
        if grace.left_seconds > 0:
            await self._checks.run_hook("preStop", record, timeout_seconds=grace.left_seconds)
            if before := turn():
                await asyncio.wait(before)
            await self._runtime.signal(record.container.id, self._signal_to_stop())

    async def _live_once(self) -> None:
        if not self.state.running:
            await self._start()
        self._tried.set()
        if self.state.running:
            await self._attend()

    # --- start

    async def _start(self) -> None:
        image = await self._pull()
        container = await self._configure(image)
        await self._forget_last(container.attempt)
        self._tell("Normal", "Created", "Container created")
        self._start_task = asyncio.create_task(self._runtime.start(container))
        try:
            record = await asyncio.shield(self._start_task)
        except RuntimeFailedError as error:
            self._start_task = None
            self._fail_to_start(container, str(error))
            return
        self._begin(record)
        self._tell("Normal", "Started", "Container started")
        grace = grace_seconds(self._host.pod)
        if not await self._checks.run_hook("postStart", record, timeout_seconds=grace):
            await self.stop(GracePeriod(grace), "FailedPostStartHook")

    async def _pull(self) -> Image:
        image = await self._puller.pull(lambda: self.spec, self._replaced)
        self._stop_signal = image.stop_signal
        return image

    async def _configure(self, image: Image) -> Container:
        attempt = self.state.restart_count + (1 if self._ever_started else 0)
        pause = min(self._host.surroundings.timing.pull_base_seconds, _LONGEST_CONFIGURE_PAUSE_SECONDS)
        while True:
            try:
                container = await describe_container(self._host, self.spec, image, attempt=attempt)
            except (ConfigurationMissingError, ValueError, OSError) as error:
                self._tell("Warning", "Failed", f"Error: {error}")
                self._show_waiting("CreateContainerConfigError", str(error))
            else:
                return container
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._replaced.wait()
            image = await self._pull()

    async def _forget_last(self, attempt: int) -> None:
        await self.remove()
        self._record = None
        outdated = self._host.directory / self.state.name / f"{attempt - 2}.log"
        for file in (outdated, outdated.with_name(outdated.name + ".1")):
            file.unlink(missing_ok=True)

    def _begin(self, record: ContainerRecord) -> None:
        self._start_task = None
        self._record = record
        self._ever_started = True
        self.state.restart_count = record.container.attempt
        self._show_image(record.container)
        spec = self.spec
        started = "startupProbe" not in spec
        is_main = self._section == "containers" or self.state.restartable
        self.state.begin(
            container_id=_full_id(record.container.id),
            started_at=record.started_at,
            started=started,
            ready=started and "readinessProbe" not in spec and is_main,
        )
        self.state.user = _identity(record.container)
        if started:
            self._started.set()
        self._host.changed()

    def _fail_to_start(self, container: Container, error: str) -> None:
        self._ever_started = True
        self.state.restart_count = container.attempt
        self._show_image(container)
        self.state.container_id = _full_id(container.id)
        failure = Terminated(
            exit_code=START_FAILED_EXIT_CODE,
            reason="StartError",
            message=error,
            started_at=0,
            finished_at=time.time(),
            container_id=self.state.container_id,
        )
        self._tell("Warning", "Failed", f"Error: {error}")
        if self._is_restarted(START_FAILED_EXIT_CODE):
            self.state.wait("RunContainerError", error)
            self.state.last = failure
        else:
            self.state.end(failure)
        self._host.changed()

    def _show_image(self, container: Container) -> None:
        canonical = canonical_name(container.image)
        self.state.image, self.state.image_id = canonical, image_id(canonical)

    # --- life

    async def _attend(self) -> None:
        """Wait for the container's end; end it when a probe or another image demands it."""
        record = self._record
        if record is None:
            raise RuntimeError("a running container has a record")
        end = asyncio.create_task(self._runtime.wait_end(record.container.id))
        probes = asyncio.create_task(self._checks.watch(record, started=self._started.set))
        replaced = asyncio.create_task(self._replaced.wait())
        try:
            await asyncio.wait({end, probes, replaced}, return_when=asyncio.FIRST_COMPLETED)
            if end.done():
                self._end(end.result())
                return
            if probes.done():
                reason, grace = probes.result()
            else:
                self._replaced.clear()
                reason = f"Container {self.state.name} definition changed, will be restarted"
                grace = grace_seconds(self._host.pod)
            probes.cancel()
            await self.stop(GracePeriod(grace), reason)
        finally:
            for task in (end, probes, replaced):
                task.cancel()

    # --- end

    def _end(self, record: ContainerRecord) -> None:
        container = record.container
        is_init = self._section == "initContainers" and not self.state.restartable
        self.state.end(
            Terminated(
                exit_code=record.exit_code,
                reason=termination_reason(record),
                message=read_termination_message(
                    self.spec,
                    file=message_file(self._host, self.state.name),
                    log_file=Path(container.log_file),
                    failed=record.exit_code != 0,
                ),
                started_at=record.started_at,
                finished_at=record.finished_at,
                container_id=_full_id(container.id),
            ),
            ready=is_init and record.exit_code == 0,
        )
        self._started.clear()
        self._host.changed()

    def _last_exit_code(self) -> int:
        ended = self.state.current if isinstance(self.state.current, Terminated) else self.state.last
        return ended.exit_code if ended else 0

    def _is_restarted(self, exit_code: int) -> bool:
        return is_restarted(self.spec, self._host.pod, section=self._section, exit_code=exit_code)

    async def _pause_before_restart(self) -> None:
        ended = self.state.current if isinstance(self.state.current, Terminated) else self.state.last
        finished_at = ended.finished_at if ended else time.time()
        pause = self._backoff.remaining(finished_at=finished_at, now=time.time())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PUBLISH_SECONDS):
                await self._host.published()
        if pause > 0:
            metadata, name = self._host.pod["metadata"], self.state.name
            pod = f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"
            noticed_after = min(pause, self._host.surroundings.timing.restart_base_seconds * _SHARE_UNNOTICED)
            await asyncio.sleep(noticed_after)
            self._tell("Warning", "BackOff", f"Back-off restarting failed container {name} in pod {pod}")
            shows_end = max(self._shows_end_seconds(pause), noticed_after)
            await asyncio.sleep(shows_end - noticed_after)
            shown = go_duration(self._backoff.seconds)
            self._show_waiting("CrashLoopBackOff", f"back-off {shown} restarting failed container={name} pod={pod}")
            await asyncio.sleep(pause - shows_end)
        self._backoff.started(now=time.time())

    def _shows_end_seconds(self, pause: float) -> float:
        next_look = self._host.surroundings.timing.restart_base_seconds
        longest = _INIT_SHOWS_END_SECONDS if self._section == "initContainers" else next_look
        return min(pause * _SHARE_OF_PAUSE, longest)

    # --- words

    def _signal_to_stop(self) -> int:
        wanted = (self.spec.get("lifecycle") or {}).get("stopSignal")
        return signal.Signals.__members__.get(str(wanted), self._stop_signal)

    def _show_waiting(self, reason: str, message: str) -> None:
        self._tried.set()
        self.state.wait(reason, message)
        self._host.changed()

    def _tell(self, kind: EventType, reason: str, message: str) -> None:
        self._host.record_event(EventReason(kind, reason, message, f"spec.{self._section}{{{self.state.name}}}"))


def _restarts_for(before: Object, after: Object) -> bool:
    """Whether a change of resources is one that the container's `resizePolicy` wants a restart for."""
    policies = after.get("resizePolicy") or ()
    strict = {policy["resourceName"] for policy in policies if policy.get("restartPolicy") == "RestartContainer"}
    old, new = before.get("resources") or {}, after.get("resources") or {}
    return any(
        (old.get(kind) or {}).get(name) != (new.get(kind) or {}).get(name)
        for kind in ("requests", "limits")
        for name in strict
    )


def _full_id(container_id: str) -> str:
    return f"{RUNTIME_NAME}://{container_id}"


def _identity(container: Container) -> tuple[int, int]:
    """User and group of a container's process, as it sees them itself."""
    own = (0, 0) if container.root else (os.getuid(), os.getgid())
    if os.geteuid() != 0:
        return own
    user, group = container.user, container.group
    return own[0] if user is None else user, own[1] if group is None else group
