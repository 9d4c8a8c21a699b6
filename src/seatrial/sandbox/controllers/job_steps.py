"""One look at a Job: is it over, and if not, which pods are missing and which are too many?

The verdict comes first (a policy, the backoff limit, the deadline, the completions); a Job that is over loses its
active pods, any other one is brought to the number of pods that it may have. `job_tracking.py` then writes down what
came of it. Behaviour: Kubernetes documentation, "Jobs".
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.controllers.deletion_order import pods_to_delete
from seatrial.sandbox.controllers.job_backoff import Failures, failures_of_last
from seatrial.sandbox.controllers.job_finalizer import release
from seatrial.sandbox.controllers.job_pods import (
    failures_of_index,
    ignored_failures_of_index,
    index_of,
    is_ending,
    is_failed,
    is_indexed,
    is_suspended,
    new_pod,
    waits_for_end,
)
from seatrial.sandbox.controllers.job_policies import judge, success_message
from seatrial.sandbox.controllers.job_view import JobView
from seatrial.sandbox.controllers.objects import condition, is_ready, is_terminating
from seatrial.sandbox.controllers.pod_control import PodControl
from seatrial.sandbox.timestamps import from_time
from seatrial.sandbox.timing import Timing

_MOST_AT_ONCE: Final = 500
SUCCESS: Final = "SuccessCriteriaMet"
FAILURE: Final = "FailureTarget"


@dataclass(frozen=True)
class End:
    """Why a Job is over: the condition that is written before its pods are let go.

    Args:
        type: SuccessCriteriaMet or FailureTarget.
        reason: one word.
        message: for people.
    """

    type: str
    reason: str
    message: str


@dataclass
class Outcome:
    """What came of a look.

    Attributes:
        active: how many pods are active.
        ready: how many of them are ready.
        ending: how many pods are being deleted.
        end: why the Job is over; None if it isn't, or can't be said to be yet.
        managed: the number of pods was seen to, so that the Job may be said to be suspended or resumed.
        released: pods whose finalizer was taken away without counting them.
        wake_after: seconds until the next look, whatever happens before.
        failure: a step was refused.
    """

    active: int
    ready: int
    ending: int
    end: End | None = None
    managed: bool = False
    released: list[Object] = field(default_factory=list)
    wake_after: float | None = None
    failure: ApiError | None = None


class JobSteps:
    """The steps that one look leads to.

    Args:
        control: creates and deletes pods.
        timing: of pauses after failures.
        view: the Job and its pods.
        failures: those in a row, the new ones included.
        may_act: all that was ordered before has been seen.
    """

    def __init__(
        self, control: PodControl, timing: Timing, view: JobView, *, failures: Failures, may_act: bool
    ) -> None:
        self._control = control
        self._timing = timing
        self._view = view
        self._job = view.job
        self._spec: Object = view.job["spec"]
        self._failures = failures
        self._may_act = may_act
        self._outcome = Outcome(active=len(view.active), ready=view.ready, ending=view.ending)

    async def take(self) -> Outcome:
        """Decide, and do what can be done at once."""
        end = self._verdict()
        try:
            if end is not None:
                await self._end(end)
            else:
                await self._go_on()
        except ApiError as error:
            self._outcome.failure = error
        return self._outcome

    def _verdict(self) -> End | None:
        for kind in (SUCCESS, FAILURE):
            written = condition(self._job, kind)
            if written is not None and written["status"] == "True":
                return End(kind, written.get("reason", ""), written.get("message", ""))
        return self._failure() or self._end_by_indexes()

    def _failure(self) -> End | None:
        for pod in self._view.pods:
            if is_failed(pod, self._job) and (judged := judge(self._job, pod)).action == "FailJob":
                return End(FAILURE, "PodFailurePolicy", judged.message)
        if self._view.failed > self._spec["backoffLimit"] or self._view.restarted_too_often():
            return End(FAILURE, "BackoffLimitExceeded", "Job has reached the specified backoff limit")
        left = self._seconds_to_deadline()
        if left is not None and left <= 0:
            return End(FAILURE, "DeadlineExceeded", "Job was active longer than specified deadline")
        self._wake_after(left)
        return None

    def _seconds_to_deadline(self) -> float | None:
        seconds, started = self._spec.get("activeDeadlineSeconds"), self._view.status.get("startTime")
        if seconds is None or is_suspended(self._job):
            return None
        began = from_time(started) if started else self._view.now
        return (began + timedelta(seconds=seconds) - self._view.now).total_seconds()

    def _end_by_indexes(self) -> End | None:
        if not is_indexed(self._job):
            return None
        failed, succeeded = self._view.failed_indexes, self._view.succeeded_indexes
        most = self._spec.get("maxFailedIndexes")
        if most is not None and len(failed) > most:
            message = "Job has exceeded the specified maximal number of failed indexes"
            return End(FAILURE, "MaxFailedIndexesExceeded", message)
        if failed and len(failed) + len(succeeded) >= self._spec["completions"]:
            return End(FAILURE, "FailedIndexes", "Job has failed indexes")
        matched = success_message(self._job, succeeded)
        return End(SUCCESS, "SuccessPolicy", matched) if matched is not None else None

    async def _end(self, end: End) -> None:
        await self._delete(self._view.active)
        # With pods that haven't been seen yet, the Job isn't over: they would be left behind.
        self._outcome.end = end if self._may_act else None

    async def _go_on(self) -> None:
        if self._may_act and not is_terminating(self._job):
            await self._manage()
            self._outcome.managed = True
        succeeded, wanted = self._view.succeeded, self._spec.get("completions")
        enough = succeeded > 0 if wanted is None else succeeded >= wanted
        if enough and not self._outcome.active:
            self._outcome.end = End(SUCCESS, "CompletionsReached", "Reached expected number of succeeded pods")

    async def _manage(self) -> None:
        active = self._view.active
        if is_suspended(self._job):
            await self._dismiss(active)
            return
        wanted = self._wanted()
        surplus = self._surplus(len(active) - wanted)
        if surplus:
            await self._dismiss(surplus)
            return
        ending = self._view.ending if waits_for_end(self._job) else 0
        missing = min(wanted - ending - len(active), _MOST_AT_ONCE)
        if missing > 0:
            await self._create(missing)

    def _wanted(self) -> int:
        parallelism = int(self._spec["parallelism"])
        completions = self._spec.get("completions")
        if completions is None:
            return len(self._view.active) if self._view.succeeded else parallelism
        open_ones = int(completions) - self._view.succeeded - len(self._view.failed_indexes)
        return max(0, min(open_ones, parallelism))

    def _surplus(self, count: int) -> list[Object]:
        active = self._view.active
        useless: list[Object] = []
        if is_indexed(self._job):
            useless, active = self._useless(active)
        more = max(0, count - len(useless))
        doomed = pods_to_delete(active, count=more, crowd=active, now=self._view.now) if more else []
        return [*useless, *doomed][:_MOST_AT_ONCE]

    def _useless(self, active: Sequence[Object]) -> tuple[list[Object], list[Object]]:
        """Pods whose index the Job doesn't have, or another pod has as well; and the others."""
        kept: dict[int, Object] = {}
        useless = []
        for pod in active:
            index = index_of(pod)
            if not self._view.has_valid_index(pod):
                useless.append(pod)
            elif index not in kept:
                kept[index] = pod
            else:
                worse = pods_to_delete([kept[index], pod], count=1, crowd=active, now=self._view.now)[0]
                kept[index] = pod if worse is kept[index] else kept[index]
                useless.append(worse)
        return useless, list(kept.values())

    async def _create(self, count: int) -> None:
        if not self._view.limits_indexes:
            left = self._failures.seconds_left(self._timing, self._view.now)
            if left > 0:
                self._wake_after(left)
                return
        indexes: list[int | None] = [*self._next_indexes(count)] if is_indexed(self._job) else [None] * count
        if not indexes:
            return
        self._outcome.active += len(indexes)
        try:
            await self._control.create(self._job, len(indexes), pod=lambda number: self._pod(indexes[number]))
        except ApiError:
            self._outcome.active = len(self._view.active)
            raise

    def _next_indexes(self, count: int) -> list[int]:
        taken = self._view.succeeded_indexes | self._view.failed_indexes | {index_of(pod) for pod in self._view.active}
        if waits_for_end(self._job):
            taken |= {index_of(pod) for pod in self._view.pods if is_ending(pod)}
        free = [index for index in range(self._spec["completions"]) if index not in taken][:count]
        waits = {index: self._seconds_left(index) for index in free}
        ready = [index for index in free if waits[index] <= 0]
        if not ready and free:
            self._wake_after(min(waits.values()))
        return ready

    def _seconds_left(self, index: int) -> float:
        last = self._view.last_failed.get(index)
        if last is None:
            return 0.0
        return failures_of_last(last).seconds_left(self._timing, self._view.now)

    def _pod(self, index: int | None) -> Object:
        failures = self._failures_of(index) if index is not None and self._view.limits_indexes else None
        return new_pod(self._control.from_template(self._job), self._job, index=index, failures=failures)

    def _failures_of(self, index: int) -> tuple[int, int]:
        last = self._view.last_failed.get(index)
        if last is None:
            return 0, 0
        counted, ignored = failures_of_index(last), ignored_failures_of_index(last)
        return (counted + 1, ignored) if judge(self._job, last).counts else (counted, ignored + 1)

    async def _dismiss(self, pods: Sequence[Object]) -> None:
        """Delete pods that the Job needs no more; their end counts neither as success nor as failure."""
        for pod in pods:
            await release(self._control.api, pod)
            self._outcome.released.append(pod)
        await self._delete(pods)

    async def _delete(self, pods: Sequence[Object]) -> None:
        await self._control.delete(self._job, pods)
        self._outcome.active -= len(pods)
        self._outcome.ready -= sum(map(is_ready, pods))
        self._outcome.ending += len(pods)

    def _wake_after(self, seconds: float | None) -> None:
        if seconds is not None:
            before = self._outcome.wake_after
            self._outcome.wake_after = seconds if before is None else min(before, seconds)
