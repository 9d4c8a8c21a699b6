"""How a Job's status comes to count its pods: each exactly once, whatever crashes in between.

A pod that has ended is first noted by its UID in `status.uncountedTerminatedPods`; then its finalizer is taken away;
then it is added to the counts and the note removed. Only when nothing is noted any more does the Job become Complete or
Failed. Behaviour: Kubernetes documentation, "Jobs", Job tracking with finalizers.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from seatrial.sandbox.api import Api, ApiError, Object
from seatrial.sandbox.controllers.job_finalizer import release
from seatrial.sandbox.controllers.job_indexes import written
from seatrial.sandbox.controllers.job_pods import (
    index_of,
    is_failed,
    is_indexed,
    is_succeeded,
    is_suspended,
)
from seatrial.sandbox.controllers.job_policies import judge
from seatrial.sandbox.controllers.job_steps import FAILURE, SUCCESS, End, Outcome
from seatrial.sandbox.controllers.job_view import JobView
from seatrial.sandbox.controllers.objects import (
    condition,
    is_terminating,
    uid_of,
    with_value,
)
from seatrial.sandbox.timestamps import to_time

RESOURCE: Final = "jobs.batch"
_MOST_UNCOUNTED: Final = 500
_FINAL: Final = {SUCCESS: "Complete", FAILURE: "Failed"}


@dataclass(frozen=True)
class Told:
    """Something to be told as an event."""

    reason: str
    message: str
    kind: str = "Normal"


class JobTracking:
    """Brings what a look at a Job found into its status.

    Args:
        api: where it is written.
        view: the Job and its pods.
        outcome: what came of the look.
    """

    def __init__(self, api: Api, view: JobView, outcome: Outcome) -> None:
        self._api = api
        self._view = view
        self._outcome = outcome
        self._moment = to_time(view.now)
        self._job = view.job
        self._status: Object = dict(view.status)
        self._succeeded = list(view.uncounted_succeeded)
        self._failed = list(view.uncounted_failed)
        dismissed = {uid_of(pod) for pod in outcome.released}
        self._held = {uid_of(pod) for pod in view.pods if view.is_held(pod)} - dismissed
        self.released: list[Object] = list(outcome.released)
        self.told: list[Told] = []

    async def note(self) -> Object:
        """Write down what is active and which pods have ended; answers the Job as it is then.

        Raises:
            ApiError: the status could not be written.
        """
        self._count_released()
        self._set_counts()
        if self._outcome.managed and self._outcome.end is None:
            self._say_whether_suspended()
        done = self._finished_pods()
        for pod in done:
            self._note_pod(pod)
        if is_indexed(self._job):
            self._set_indexes()
        if self._outcome.end is not None:
            self._set_condition(self._outcome.end.type, self._outcome.end)
        await self._write()
        return self._job

    async def settle(self) -> Object:
        """Let pods go that are noted, count them, and close the Job if that was the last; answers it as it is then.

        Raises:
            ApiError: a pod could not be let go, or the status not be written.
        """
        refused = await self._release(self._finished_pods())
        self._count_released()
        if refused is None and self._outcome.end is not None:
            self._close(self._outcome.end)
        await self._write()
        if refused is not None:
            raise refused
        return self._job

    def _set_counts(self) -> None:
        if "startTime" not in self._status and not is_suspended(self._job):
            self._status["startTime"] = self._moment
        self._status["active"] = self._outcome.active
        self._status["ready"] = self._outcome.ready
        self._status["terminating"] = self._outcome.ending

    def _say_whether_suspended(self) -> None:
        known = condition({"status": self._status}, "Suspended")
        if is_suspended(self._job):
            if known is None or known["status"] != "True":
                self._set_condition("Suspended", End("Suspended", "JobSuspended", "Job suspended"))
                self.told.append(Told("Suspended", "Job suspended"))
        elif known is not None and known["status"] != "False":
            self._set_condition("Suspended", End("Suspended", "JobResumed", "Job resumed"), status="False")
            self.told.append(Told("Resumed", "Job resumed"))
            # The deadline counts from here: time spent suspended isn't time spent working.
            self._status["startTime"] = self._moment

    def _finished_pods(self) -> list[Object]:
        """The pods that may be let go: those that have ended, all if the Job is over or on its way out."""
        everything = self._outcome.end is not None or is_terminating(self._job)
        found = []
        for pod in self._view.pods:
            if uid_of(pod) not in self._held:
                continue
            failed = is_failed(pod, self._view.job)
            kept = self._view.last_failed.get(index_of(pod))
            if failed and not everything and kept is not None and uid_of(kept) == uid_of(pod):
                continue  # the next pod of its index has still to learn the count of failures from it
            if failed or is_succeeded(pod) or everything:
                found.append(pod)
        return found[:_MOST_UNCOUNTED]

    def _note_pod(self, pod: Object) -> None:
        uid, job = uid_of(pod), self._view.job
        if is_succeeded(pod) and uid not in self._failed:
            if not is_indexed(job) and uid not in self._succeeded:
                self._succeeded.append(uid)
            return
        lost = self._outcome.end is not None and self._outcome.end.type == FAILURE
        failed = is_failed(pod, job)
        if not (failed or lost) or uid in self._failed or not self._view.has_valid_index(pod):
            return
        if judge(job, pod).counts:
            self._failed.append(uid)

    def _set_indexes(self) -> None:
        self._status["completedIndexes"] = written(self._view.succeeded_indexes)
        self._status["succeeded"] = len(self._view.succeeded_indexes)
        if self._view.limits_indexes:
            self._status["failedIndexes"] = written(self._view.failed_indexes)

    async def _release(self, pods: Sequence[Object]) -> ApiError | None:
        results = await asyncio.gather(*(release(self._api, pod) for pod in pods), return_exceptions=True)
        refused: ApiError | None = None
        for pod, result in zip(pods, results, strict=True):
            if isinstance(result, ApiError):
                refused = result
            elif isinstance(result, BaseException):
                raise result
            else:
                self._held.discard(uid_of(pod))
                self.released.append(pod)
        return refused

    def _count_released(self) -> None:
        """Add up what is noted and no longer held."""
        for field, uids in (("succeeded", self._succeeded), ("failed", self._failed)):
            counted = [uid for uid in uids if uid not in self._held]
            if counted:
                self._status[field] = int(self._status.get(field, 0)) + len(counted)
                uids[:] = [uid for uid in uids if uid in self._held]

    def _close(self, end: End) -> None:
        if self._succeeded or self._failed or self._outcome.ending or self._held:
            return
        final = _FINAL[end.type]
        self._set_condition(final, end)
        if final == "Complete":
            self._status["completionTime"] = self._moment
            self.told.append(Told("Completed", "Job completed"))
        else:
            self.told.append(Told(end.reason, end.message, "Warning"))

    def _set_condition(self, kind: str, end: End, *, status: str = "True") -> None:
        known = list(self._status.get("conditions") or ())
        if any((each["type"], each["status"]) == (kind, status) for each in known):
            return
        entry = {
            "type": kind,
            "status": status,
            "lastProbeTime": self._moment,
            "lastTransitionTime": self._moment,
            "reason": end.reason,
            "message": end.message,
        }
        self._status["conditions"] = [*(each for each in known if each["type"] != kind), entry]

    async def _write(self) -> None:
        noted = {"succeeded": self._succeeded, "failed": self._failed}
        status = {
            key: value
            for key, value in self._status.items()
            if value or key not in {"active", "succeeded", "failed", "completedIndexes"}
        }
        status["uncountedTerminatedPods"] = {key: list(uids) for key, uids in noted.items() if uids}
        if status != (self._job.get("status") or {}):
            changed = with_value(self._job, ("status",), status)
            self._job = await self._api.replace(RESOURCE, changed, subresource="status")
