"""The conditions of `abortWhen`: what ends an experiment at once, so that clean-up begins.

Each condition samples its probe from before the first step on. Where a probe can't see anything, that counts like a
failure, since an experiment must not go on blindly; but the scenario is inconclusive then, not failed.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

from seatrial.engine.sampling import Sample, samples
from seatrial.policy.models import AbortCondition
from seatrial.runtime.context import Context
from seatrial.runtime.events import ExperimentAborted
from seatrial.runtime.scope import Observation
from seatrial.runtime.uncancellable import uncancellable
from seatrial.runtime.verdict import PASSED, Outcome, Verdict, failed, not_carried_out


class AbortWatch:
    """The abort conditions of one scenario; `verdict` is there once one of them is met."""

    def __init__(self, conditions: Sequence[AbortCondition], context: Context) -> None:
        self.verdict: Outcome | None = None
        self._conditions = conditions
        self._context = context
        self._met = asyncio.Event()
        self._experiment_runs = False

    def begin(self) -> None:
        """Start watching, as observers of the scenario."""
        for number, condition in enumerate(self._conditions):
            watch = partial(self._watch, condition, f"abortWhen[{number}] ({condition.probe.key})")
            self._context.scope.observe(watch, name=f"abort condition {number}")

    async def guard(self, experiment: Coroutine[Any, Any, Outcome]) -> Outcome:
        """Let the experiment run until it ends or a condition is met, whichever comes first."""
        if not self._conditions:
            return await experiment
        self._experiment_runs = not self._met.is_set()
        work = asyncio.create_task(experiment, name="steps")
        alarm = asyncio.create_task(self._met.wait(), name="abort")
        try:
            if self._experiment_runs:
                await asyncio.wait({work, alarm}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            alarm.cancel()
            work.cancel()
            await uncancellable(_ended(work))
        return self.verdict or work.result()

    async def _watch(self, condition: AbortCondition, name: str, observation: Observation) -> Outcome:
        in_a_row, since = 0, 0.0
        taken = samples(
            condition.probe,
            self._context,
            name=name,
            interval_seconds=condition.interval_seconds,
            ending=observation.ending,
        )
        async with aclosing(taken):  # type: ignore[type-var] # an asynchronous generator, which has aclose
            async for sample in taken:
                since = sample.due if not in_a_row else since
                in_a_row = 0 if sample.outcome.passed else in_a_row + 1
                if in_a_row and _is_met(condition, in_a_row=in_a_row, seconds=sample.due - since):
                    self._abort(name, sample, in_a_row=in_a_row, seconds=sample.due - since)
                    observation.begun.set()
                    break
                observation.begun.set()
        return PASSED  # what it came to is the verdict of the watch as a whole

    def _abort(self, name: str, sample: Sample, *, in_a_row: int, seconds: float) -> None:
        if self.verdict is not None:
            return
        times = f"{in_a_row} times in a row" if in_a_row > 1 else "once"
        long = f", for {seconds:.1f} s" if seconds else ""
        reason = f"{'; '.join(sample.outcome.reasons)} ({times}{long})"
        self._context.emit(ExperimentAborted(condition=name, reason=reason))
        if not self._experiment_runs:
            self.verdict = not_carried_out(f"{name} is met before the experiment, so nothing was touched: {reason}")
        elif sample.outcome.verdict is Verdict.FAILED:
            self.verdict = failed(f"aborted by {name}: {reason}")
        else:
            self.verdict = not_carried_out(f"aborted since {name} could see nothing: {reason}")
        self._met.set()


def _is_met(condition: AbortCondition, *, in_a_row: int, seconds: float) -> bool:
    if condition.seconds is not None:
        return seconds >= condition.seconds
    return in_a_row >= (condition.failures or 1)


async def _ended(task: "asyncio.Task[Outcome]") -> None:
    await asyncio.wait({task})
