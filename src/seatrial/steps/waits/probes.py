"""Waiting for a probe to pass: it looks again and again."""

import asyncio
from typing import Any

from seatrial.errors import ClusterError
from seatrial.kube.errors import Forbidden, NotFound, Unauthorized
from seatrial.runtime.context import Context
from seatrial.runtime.verdict import Outcome, Verdict, failed, not_carried_out
from seatrial.steps.step_type import StepType

_UNSEEN = not_carried_out("there was no time to look")


class ProbeWait:
    """A wait for a probe. See `Wait` for its methods."""

    def __init__(self, step: StepType, spec: Any, context: Context, *, interval_seconds: float) -> None:
        self.what = f"{step.key} to pass"
        self._step = step
        self._spec = spec
        self._context = context
        self._interval_seconds = interval_seconds
        self._last = _UNSEEN
        self._missing_until: float | None = None

    async def until(self, *, holds_for_seconds: float, not_before: float) -> float:
        """Look until the probe passes, and goes on to; the moment is the end of the first look that passed."""
        loop = asyncio.get_running_loop()
        since: float | None = None
        while True:
            began = loop.time()
            self._last = await self._look()
            now = loop.time()
            if self._last.passed:
                since = now if since is None else since
                if now - max(since, not_before) >= holds_for_seconds:
                    return since
            else:
                since = None
                if self._last.verdict is Verdict.FAILED:
                    self._missing_until = began
            await self._context.clock.sleep(self._interval_seconds)

    def known_missing_until(self) -> float | None:
        """The beginning of the last look that failed."""
        return self._missing_until

    async def too_late(self, *, timeout_seconds: float) -> Outcome:
        """What the last look saw; where that was nothing, the wait is inconclusive."""
        waited = f"waited {timeout_seconds:g} s for {self.what}"
        seen = "; ".join(self._last.reasons) or "passed, but not for long enough"
        if self._last.verdict is Verdict.INCONCLUSIVE:
            return not_carried_out(f"{waited}: {seen}")
        return failed(f"{waited}: {seen}")

    async def at_present(self) -> str:
        """Nothing: a plan sends no requests to the system under test."""
        return ""

    async def missing_permissions(self) -> tuple[str, ...]:
        """What the probe needs."""
        return (await self._step.plan(self._spec, self._context)).missing_permissions

    async def _look(self) -> Outcome:
        try:
            return await self._step.run(self._spec, self._context)
        except NotFound as error:  # such as a Service that is yet to be created
            return failed(error.in_full)
        except (Forbidden, Unauthorized):
            raise
        except ClusterError as error:  # may pass
            return not_carried_out(error.in_full)


def wait_for_probe(step: StepType, spec: Any, context: Context, *, interval_seconds: float) -> ProbeWait:
    """The wait for a probe, whose own retries would only blur the time."""
    return ProbeWait(step, spec.model_copy(update={"retries": 1}), context, interval_seconds=interval_seconds)
