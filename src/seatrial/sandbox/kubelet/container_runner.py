"""One container of a pod: image, start, probes, end, restart; over and over as its restart policy says.

A runner goes through the container's life in one coroutine (`run`). It can be cancelled at any point: the
container itself then lives on, until the pod worker calls `stop`.
"""

import asyncio
import contextlib
import secrets
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import structlog

from seatrial.sandbox.api import Object
from seatrial.sandbox.images.registry import Image, find
from seatrial.sandbox.kubelet.backoff import RestartBackoff
from seatrial.sandbox.kubelet.checks import Checker, CheckResult, CheckTarget, named_ports
from seatrial.sandbox.kubelet.command import resolve_command
from seatrial.sandbox.kubelet.container_state import (
    START_FAILED_EXIT_CODE,
    ContainerState,
    Terminated,
    termination_reason,
)
from seatrial.sandbox.kubelet.durations import go_duration
from seatrial.sandbox.kubelet.environment import (
    Configuration,
    ConfigurationMissingError,
    PodPlace,
    build_environ,
)
from seatrial.sandbox.kubelet.events import EventReason, EventType
from seatrial.sandbox.kubelet.grace_period import GracePeriod
from seatrial.sandbox.kubelet.image_names import canonical_name, image_id
from seatrial.sandbox.kubelet.image_puller import ImagePuller
from seatrial.sandbox.kubelet.node import RUNTIME_NAME
from seatrial.sandbox.kubelet.probes import Kind, Probe
from seatrial.sandbox.kubelet.protocol import Container, ContainerRecord
from seatrial.sandbox.kubelet.runtime_client import RuntimeClient, RuntimeFailedError
from seatrial.sandbox.kubelet.termination_message import read_termination_message
from seatrial.sandbox.kubelet.volumes import mount_volumes

# How long a container shows how it ended before it shows that it waits; a kubelet looks about once a second.
_SHOW_END_SECONDS: Final = 1.0
# A restart doesn't wait longer than this for the status before it to be written.
_PUBLISH_SECONDS: Final = 0.25
_OWN_VARIABLES: Final = ("SEATRIAL_POD_IP", "SEATRIAL_ROOTFS", "SEATRIAL_SANDBOX")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What all containers of a node share.

    Args:
        runtime: starts processes.
        checker: for probes and hooks.
        configuration: ConfigMaps and Secrets.
        services: all Services, as known.
        images: the user's images.
        backoff_base_seconds: first pause before restarts and pulls.
        sandbox: the sandbox's marker.
    """

    runtime: RuntimeClient
    checker: Checker
    configuration: Configuration
    services: Callable[[], Sequence[Object]]
    images: Mapping[str, tuple[str, ...]]
    backoff_base_seconds: float
    sandbox: str


class PodHost(Protocol):
    """What a runner needs of its pod's worker."""

    surroundings: Surroundings
    directory: Path

    @property
    def pod(self) -> Object:
        """The Pod as last seen."""
        ...

    @property
    def place(self) -> PodPlace:
        """Where it runs."""
        ...

    def changed(self) -> None:
        """A container's state changed: the status is to be written."""
        ...

    async def published(self) -> None:
        """Wait until the status is written."""
        ...

    def record_event(self, event: EventReason) -> None:
        """Tell an event of the pod."""
        ...


class ContainerRunner:
    """Runs one container.

    Args:
        host: its pod's worker.
        state: what the status shows; changed here.
        is_init: whether it stands under `initContainers`.
    """

    def __init__(self, host: PodHost, state: ContainerState, *, is_init: bool = False) -> None:
        self.state = state
        self._host = host
        self._is_init = is_init
        self._runtime = host.surroundings.runtime
        self._backoff = RestartBackoff(base_seconds=host.surroundings.backoff_base_seconds)
        self._puller = ImagePuller(
            images=host.surroundings.images,
            base_seconds=host.surroundings.backoff_base_seconds,
            tell=self._tell,
            wait=self._show_waiting,
        )
        self._start_task: asyncio.Task[ContainerRecord] | None = None
        self._record: ContainerRecord | None = None
        self._stop_signal: int = signal.SIGTERM
        self._image: str = self.spec["image"]
        self._image_changed = asyncio.Event()
        self._started = asyncio.Event()
        self._ever_started = False

    @property
    def spec(self) -> Object:
        """The container's entry in the pod's spec."""
        key = "initContainers" if self._is_init else "containers"
        found: Object = next(c for c in self._host.pod["spec"][key] if c["name"] == self.state.name)
        return found

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
        """The pod changed: look whether it names another image."""
        image = self.spec["image"]
        if image != self._image:
            self._image = image
            self._image_changed.set()

    async def wait_started(self) -> None:
        """Wait until it has started, its startup probe included."""
        await self._started.wait()

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

    async def stop(self, grace: GracePeriod, message: str = "") -> None:
        """End the container if it runs: hook, stop signal, and SIGKILL when the grace period is over."""
        if self._start_task is not None:
            # Cancelled in the middle of a start: what it started must not be lost.
            with contextlib.suppress(RuntimeFailedError):
                self._begin(await self._start_task)
        if not self.state.running or self._record is None:
            return
        self._tell("Normal", "Killing", message or f"Stopping container {self.state.name}")
        container_id = self._record.container.id
        if grace.left_seconds > 0:
            await self._run_hook("preStop", grace.left_seconds)
            await self._runtime.signal(container_id, self._signal_to_stop())
        end = asyncio.create_task(self._runtime.wait_end(container_id))
        expired = asyncio.create_task(grace.wait_expired())
        try:
            await asyncio.wait({end, expired}, return_when=asyncio.FIRST_COMPLETED)
            if not end.done():
                await self._runtime.signal(container_id, signal.SIGKILL)
            self._end(await end)
        finally:
            end.cancel()
            expired.cancel()

    async def remove(self) -> None:
        """Have the runtime forget the container."""
        if self._record is not None:
            await self._runtime.remove(self._record.container.id)

    async def _live_once(self) -> None:
        if not self.state.running:
            await self._start()
        if self.state.running:
            await self._attend()

    # --- start

    async def _start(self) -> None:
        image = await self._puller.pull(lambda: self.spec, self._image_changed)
        self._stop_signal = image.stop_signal
        container = await self._configure(image)
        await self._forget_last()
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
        await self._run_post_start()

    async def _configure(self, image: Image) -> Container:
        while True:
            try:
                return await self._describe(image)
            except (ConfigurationMissingError, ValueError) as error:
                self._tell("Warning", "Failed", f"Error: {error}")
                self._show_waiting("CreateContainerConfigError", str(error))
            await asyncio.sleep(self._host.surroundings.backoff_base_seconds)

    async def _describe(self, image: Image) -> Container:
        host, spec, metadata = self._host, self.spec, self._host.pod["metadata"]
        if self._ever_started:
            self.state.restart_count += 1
        self._ever_started = False
        directory = host.directory / self.state.name
        root = directory / "rootfs"
        mount_volumes(spec, root, host.directory)
        message_file = root / (spec.get("terminationMessagePath") or "/dev/termination-log").lstrip("/")
        message_file.parent.mkdir(parents=True, exist_ok=True)
        message_file.write_bytes(b"")
        environ = await build_environ(
            spec,
            host.pod,
            place=host.place,
            image_env=image.env,
            services=host.surroundings.services(),
            configuration=host.surroundings.configuration,
            own=self._own_variables(root),
        )
        argv = resolve_command(spec, entrypoint=image.entrypoint, cmd=image.cmd, environ=environ)
        if not argv:
            raise ValueError("no command specified")
        working_directory = root.joinpath((spec.get("workingDir") or "/").lstrip("/"))
        working_directory.mkdir(parents=True, exist_ok=True)
        return Container(
            id=secrets.token_hex(32),
            pod_uid=metadata["uid"],
            pod_name=metadata["name"],
            namespace=metadata["namespace"],
            name=self.state.name,
            attempt=self.state.restart_count,
            image=spec["image"],
            argv=argv,
            environ=environ,
            working_directory=str(working_directory),
            log_file=str(directory / f"{self.state.restart_count}.log"),
            pod_ip=host.place.pod_ip,
        )

    def _own_variables(self, root: Path) -> dict[str, str]:
        values = (self._host.place.pod_ip, str(root), self._host.surroundings.sandbox)
        return {name: value for name, value in zip(_OWN_VARIABLES, values, strict=True) if value}

    async def _forget_last(self) -> None:
        await self.remove()
        self._record = None
        outdated = self._host.directory / self.state.name / f"{self.state.restart_count - 2}.log"
        for file in (outdated, outdated.with_name(outdated.name + ".1")):
            file.unlink(missing_ok=True)

    def _begin(self, record: ContainerRecord) -> None:
        self._start_task = None
        self._record = record
        self._ever_started = True
        self._show_image(record.container)
        spec = self.spec
        started = "startupProbe" not in spec
        ready = started and "readinessProbe" not in spec and (not self._is_init or self.state.restartable)
        self.state.begin(
            container_id=_full_id(record.container.id), started_at=record.started_at, started=started, ready=ready
        )
        if started:
            self._started.set()
        self._host.changed()

    def _fail_to_start(self, container: Container, error: str) -> None:
        self._ever_started = True
        self._show_image(container)
        self.state.container_id = _full_id(container.id)
        self.state.wait("RunContainerError", error)
        self.state.last = Terminated(
            exit_code=START_FAILED_EXIT_CODE,
            reason="StartError",
            message=error,
            started_at=0,
            finished_at=time.time(),
            container_id=self.state.container_id,
        )
        self._tell("Warning", "Failed", f"Error: {error}")
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
        probes = asyncio.create_task(self._probe(record))
        image = asyncio.create_task(self._wait_other_image(record.container.image))
        try:
            await asyncio.wait({end, probes, image}, return_when=asyncio.FIRST_COMPLETED)
            if end.done():
                self._end(end.result())
                return
            reason, grace = (image if image.done() else probes).result()
            probes.cancel()
            await self.stop(GracePeriod(grace), reason)
        finally:
            for task in (end, probes, image):
                task.cancel()

    async def _wait_other_image(self, image: str) -> tuple[str, float]:
        while self.spec["image"] == image:
            self._image_changed.clear()
            await self._image_changed.wait()
        return f"Container {self.state.name} definition changed, will be restarted", self._pod_grace_seconds()

    def _pod_grace_seconds(self) -> float:
        return float(self._host.pod["spec"].get("terminationGracePeriodSeconds", 30))

    async def _probe(self, record: ContainerRecord) -> tuple[str, float]:
        """Run the probes; returns why the container must be restarted, and with which grace period."""
        age = max(time.time() - record.started_at, 0.0)
        startup = self._make_probe("startup", record)
        if startup and not self.state.started and not await startup.wait_verdict(True, False, running_for_seconds=age):
            return self._verdict("startup")
        self._started.set()
        if not self.state.started:
            self.state.started = True
            self.state.ready = "readinessProbe" not in self.spec
            self._host.changed()
        age = max(time.time() - record.started_at, 0.0)
        readiness, liveness = self._make_probe("readiness", record), self._make_probe("liveness", record)
        task = asyncio.create_task(readiness.run(self._set_ready, running_for_seconds=age)) if readiness else None
        try:
            if liveness:
                await liveness.wait_verdict(False, running_for_seconds=age)
                return self._verdict("liveness")
            await asyncio.Event().wait()
            raise AssertionError("nobody sets it")
        finally:
            if task:
                task.cancel()

    def _verdict(self, kind: Kind) -> tuple[str, float]:
        probe = self.spec[f"{kind}Probe"]
        grace = probe.get("terminationGracePeriodSeconds")
        message = f"Container {self.state.name} failed {kind} probe, will be restarted"
        return message, self._pod_grace_seconds() if grace is None else float(grace)

    def _set_ready(self, ready: bool) -> None:  # noqa: FBT001 -- the verdict itself
        self.state.ready = ready
        self._host.changed()

    def _make_probe(self, kind: Kind, record: ContainerRecord) -> Probe | None:
        probe = self.spec.get(f"{kind}Probe")
        if not probe:
            return None
        target = self._target(record)

        async def check(handler: Object, timeout_seconds: float) -> CheckResult:
            return await self._host.surroundings.checker.check(handler, target, timeout_seconds=timeout_seconds)

        return Probe(kind, probe, check=check, unhealthy=self._tell_unhealthy)

    def _tell_unhealthy(self, kind: Kind, output: str) -> None:
        self._tell("Warning", "Unhealthy", f"{kind.capitalize()} probe failed: {output}")

    def _target(self, record: ContainerRecord) -> CheckTarget:
        return CheckTarget(
            container_id=record.container.id, pod_ip=self._host.place.pod_ip, ports=named_ports(self.spec)
        )

    # --- end

    def _end(self, record: ContainerRecord) -> None:
        container = record.container
        spec = self.spec
        self.state.end(
            Terminated(
                exit_code=record.exit_code,
                reason=termination_reason(record.exit_code),
                message=read_termination_message(
                    spec,
                    root=self._host.directory / self.state.name / "rootfs",
                    log_file=Path(container.log_file),
                    failed=record.exit_code != 0,
                ),
                started_at=record.started_at,
                finished_at=record.finished_at,
                container_id=_full_id(container.id),
            ),
            ready=self._is_init and not self.state.restartable and record.exit_code == 0,
        )
        self._started.clear()
        self._host.changed()

    def _last_exit_code(self) -> int:
        ended = self.state.current if isinstance(self.state.current, Terminated) else self.state.last
        return ended.exit_code if ended else 0

    def _is_restarted(self, exit_code: int) -> bool:
        policy = self._host.pod["spec"].get("restartPolicy", "Always")
        if self.state.restartable:
            return True
        if policy == "Never":
            return False
        return exit_code != 0 or (policy == "Always" and not self._is_init)

    async def _pause_before_restart(self) -> None:
        ended = self.state.current if isinstance(self.state.current, Terminated) else self.state.last
        finished_at = ended.finished_at if ended else time.time()
        pause = self._backoff.remaining(finished_at=finished_at, now=time.time())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._host.published(), _PUBLISH_SECONDS)
        if pause > 0:
            metadata, name = self._host.pod["metadata"], self.state.name
            pod = f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"
            self._tell("Warning", "BackOff", f"Back-off restarting failed container {name} in pod {pod}")
            await asyncio.sleep(min(pause, _SHOW_END_SECONDS))
            shown = go_duration(self._backoff.seconds)
            self._show_waiting("CrashLoopBackOff", f"back-off {shown} restarting failed container={name} pod={pod}")
            await asyncio.sleep(max(pause - _SHOW_END_SECONDS, 0))
        self._backoff.started(now=time.time())

    # --- hooks and words

    async def _run_post_start(self) -> None:
        failure = await self._run_hook("postStart", self._pod_grace_seconds())
        if failure:
            await self.stop(GracePeriod(self._pod_grace_seconds()), "FailedPostStartHook")

    async def _run_hook(self, name: str, timeout_seconds: float) -> str:
        """Run a lifecycle hook, if there is one; returns what went wrong."""
        hook = (self.spec.get("lifecycle") or {}).get(name)
        if not hook or self._record is None:
            return ""
        result = await self._host.surroundings.checker.check(
            hook, self._target(self._record), timeout_seconds=timeout_seconds
        )
        if result.ok:
            return ""
        reason = "FailedPostStartHook" if name == "postStart" else "FailedPreStopHook"
        self._tell("Warning", reason, f"{name[0].upper()}{name[1:]}Hook failed: {result.output}")
        return result.output or "failed"

    def _signal_to_stop(self) -> int:
        wanted = (self.spec.get("lifecycle") or {}).get("stopSignal")
        return signal.Signals.__members__.get(str(wanted), self._stop_signal)

    def _show_waiting(self, reason: str, message: str) -> None:
        self.state.wait(reason, message)
        self._host.changed()

    def _tell(self, kind: EventType, reason: str, message: str) -> None:
        section = "initContainers" if self._is_init else "containers"
        self._host.record_event(EventReason(kind, reason, message, f"spec.{section}{{{self.state.name}}}"))


def _full_id(container_id: str) -> str:
    return f"{RUNTIME_NAME}://{container_id}"
