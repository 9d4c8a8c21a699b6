"""The probes and hooks of one container: when they run, what their verdicts mean for it."""

import asyncio
import time
from collections.abc import Callable

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.container_state import ContainerState
from seatrial.sandbox.kubelet.events import EventType
from seatrial.sandbox.kubelet.pod_host import PodHost, grace_seconds
from seatrial.sandbox.kubelet.probing.checks import CheckResult, CheckTarget, named_ports
from seatrial.sandbox.kubelet.probing.probes import Kind, Probe
from seatrial.sandbox.kubelet.protocol import ContainerRecord

Tell = Callable[[EventType, str, str], None]


class ContainerChecks:
    """Probes and hooks.

    Args:
        host: the pod's worker.
        state: what the verdicts change.
        spec: the container's entry in the pod's spec, as it is by then.
        tell: tells events of the container.
    """

    def __init__(self, host: PodHost, state: ContainerState, *, spec: Callable[[], Object], tell: Tell) -> None:
        self._host = host
        self._state = state
        self._spec = spec
        self._tell = tell

    async def watch(self, record: ContainerRecord, *, started: Callable[[], None]) -> tuple[str, float]:
        """Run the probes; returns why the container must be restarted, and with which grace period.

        Args:
            record: the running container.
            started: called when the startup probe has succeeded.
        """
        startup, state = self._make("startup", record), self._state
        age = _age(record)
        if startup and not state.started and not await startup.wait_verdict(True, False, running_for_seconds=age):
            return self._verdict("startup")
        if not state.started:
            state.started = True
            state.ready = "readinessProbe" not in self._spec()
            self._host.changed()
        started()
        age = _age(record)
        readiness, liveness = self._make("readiness", record), self._make("liveness", record)
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

    async def run_hook(self, name: str, record: ContainerRecord, *, timeout_seconds: float) -> bool:
        """Run a lifecycle hook, if there is one; returns whether nothing went wrong."""
        hook = (self._spec().get("lifecycle") or {}).get(name)
        if not hook:
            return True
        result = await self._host.surroundings.checker.check(
            hook, self._target(record), timeout_seconds=timeout_seconds
        )
        if not result.ok:
            # The output isn't told, so that no secret gets into an event.
            word = "PostStart" if name == "postStart" else "PreStop"
            self._tell("Warning", f"Failed{word}Hook", f"{word}Hook failed")
        return result.ok

    def _verdict(self, kind: Kind) -> tuple[str, float]:
        grace = self._spec()[f"{kind}Probe"].get("terminationGracePeriodSeconds")
        message = f"Container {self._state.name} failed {kind} probe, will be restarted"
        return message, grace_seconds(self._host.pod) if grace is None else float(grace)

    def _set_ready(self, ready: bool) -> None:  # noqa: FBT001 -- the verdict itself
        self._state.ready = ready
        self._host.changed()

    def _make(self, kind: Kind, record: ContainerRecord) -> Probe | None:
        probe = self._spec().get(f"{kind}Probe")
        if not probe:
            return None
        target = self._target(record)

        async def check(handler: Object, timeout_seconds: float) -> CheckResult:
            return await self._host.surroundings.checker.check(handler, target, timeout_seconds=timeout_seconds)

        return Probe(kind, probe, check=check, unhealthy=self._tell_unhealthy)

    def _tell_unhealthy(self, kind: Kind, result: CheckResult) -> None:
        what = "errored" if result.errored else "failed"
        self._tell("Warning", "Unhealthy", f"{kind.capitalize()} probe {what}: {result.output}")

    def _target(self, record: ContainerRecord) -> CheckTarget:
        ports = named_ports(self._spec())
        return CheckTarget(
            container_id=record.container.id,
            pod_ip=self._host.place.pod_ip,
            ports=ports,
            behind=self._host.network.behind,
        )


def _age(record: ContainerRecord) -> float:
    return max(time.time() - record.started_at, 0.0)
