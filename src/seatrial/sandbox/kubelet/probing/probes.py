"""Startup, readiness and liveness probes of one running container.

As Kubernetes, "Configure Liveness, Readiness and Startup Probes": the others begin when the startup probe has
succeeded; a threshold of successes or failures in a row changes the verdict.

In one thing the sandbox is quicker than a kubelet: a container is a process that has just been forked and opens its
port within milliseconds, so the first startup or readiness probe waits for the port (up to five seconds, or one period)
instead of failing and leaving the pod unready until the next.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.probing.checks import CheckResult

Kind = Literal["startup", "readiness", "liveness"]
Check = Callable[[Object, float], Awaitable[CheckResult]]
"""Carries out a probe's handler within some seconds."""

_LONGEST_WAIT_FOR_PORT_SECONDS: Final = 5.0
_FIRST_RETRY_SECONDS: Final = 0.01
_LONGEST_RETRY_SECONDS: Final = 0.1


@dataclass(frozen=True, kw_only=True)
class ProbeTiming:
    """A probe's numbers, with Kubernetes' defaults."""

    initial_delay_seconds: float
    period_seconds: float
    timeout_seconds: float
    success_threshold: int
    failure_threshold: int

    @classmethod
    def of(cls, probe: Object) -> "ProbeTiming":
        """Those of a probe in a pod's spec."""
        return cls(
            initial_delay_seconds=probe.get("initialDelaySeconds") or 0,
            period_seconds=probe.get("periodSeconds") or 10,
            timeout_seconds=probe.get("timeoutSeconds") or 1,
            success_threshold=probe.get("successThreshold") or 1,
            failure_threshold=probe.get("failureThreshold") or 3,
        )


class Probe:
    """Repeats one check and turns its results into a verdict.

    Args:
        kind: which of the three.
        spec: the probe of the pod's spec.
        check: carries it out.
        unhealthy: told each failure.
    """

    def __init__(
        self, kind: Kind, spec: Object, *, check: Check, unhealthy: Callable[[Kind, CheckResult], None]
    ) -> None:
        self._kind = kind
        self._spec = spec
        self._check = check
        self._unhealthy = unhealthy
        self._timing = ProbeTiming.of(spec)

    async def run(self, verdict: Callable[[bool], None], *, running_for_seconds: float = 0.0) -> None:
        """Probe until cancelled; `verdict` is called at each change of it, and at the first.

        Args:
            verdict: takes whether the container passes.
            running_for_seconds: how long ago the container started.
        """
        await asyncio.sleep(max(self._timing.initial_delay_seconds - running_for_seconds, 0.0))
        current: bool | None = None
        streak, last = 0, False
        first = running_for_seconds < _LONGEST_WAIT_FOR_PORT_SECONDS
        while True:
            result = await self._probe(wait_for_port=first and self._kind != "liveness")
            first = False
            streak = streak + 1 if result.ok == last else 1
            last = result.ok
            if not result.ok:
                self._unhealthy(self._kind, result)
            threshold = self._timing.success_threshold if result.ok else self._timing.failure_threshold
            if streak >= threshold and current is not result.ok:
                current = result.ok
                verdict(current)
            await asyncio.sleep(self._timing.period_seconds)

    async def wait_verdict(self, *wanted: bool, running_for_seconds: float = 0.0) -> bool:
        """Probe until there is one of these verdicts."""
        decided: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def decide(passed: bool) -> None:  # noqa: FBT001 -- the verdict itself
            if passed in wanted and not decided.done():
                decided.set_result(passed)

        async def probe() -> None:
            await self.run(decide, running_for_seconds=running_for_seconds)

        async with asyncio.TaskGroup() as group:
            task = group.create_task(probe())
            verdict = await decided
            task.cancel()
        return verdict

    async def _probe(self, *, wait_for_port: bool) -> CheckResult:
        clock = asyncio.get_running_loop().time
        until = clock() + min(self._timing.period_seconds, _LONGEST_WAIT_FOR_PORT_SECONDS)
        pause = _FIRST_RETRY_SECONDS
        while True:
            result = await self._check(self._spec, self._timing.timeout_seconds)
            if not (wait_for_port and result.refused and clock() + pause < until):
                return result
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_RETRY_SECONDS)
