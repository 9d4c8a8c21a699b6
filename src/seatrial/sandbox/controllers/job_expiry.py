"""Removes finished Jobs `spec.ttlSecondsAfterFinished` after their end, with their pods.

Behaviour: Kubernetes documentation, "Automatic Cleanup for Finished Jobs".
"""

from datetime import timedelta
from http import HTTPStatus

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.controllers.context import ControllerContext
from seatrial.sandbox.controllers.objects import condition, is_terminating, name_of, namespace_of, uid_of
from seatrial.sandbox.informer import Key, key_of
from seatrial.sandbox.timestamps import from_time
from seatrial.sandbox.work_queue import WorkQueue

_RESOURCE = "jobs.batch"


class JobExpiry:
    """Deletes Jobs whose time has come."""

    name = "ttl-after-finished-controller"

    def __init__(self, context: ControllerContext) -> None:
        self._api = context.api
        self._now = context.now
        self._queue: WorkQueue[Key] = WorkQueue(self.name)
        self._jobs = context.informers.of(_RESOURCE)
        self._jobs.add_handler(self._job_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        await self._jobs.wait_synced()
        await self._queue.work(self._sync)

    def _job_changed(self, _old: Object | None, new: Object | None) -> None:
        if new is not None and _has_expiry(new):
            self._queue.add(key_of(new))

    async def _sync(self, key: Key) -> None:
        job = self._jobs.get(*key)
        left = self._seconds_left(job)
        if left is None:
            return
        if left > 0:
            self._queue.add_after(key, left)
            return
        try:
            # The informer may be behind: the time to live could have been changed a moment ago.
            fresh = await self._api.get(_RESOURCE, key[1], key[0])
            left = self._seconds_left(fresh)
            if left is not None and left <= 0:
                await self._api.delete(
                    _RESOURCE, name_of(fresh), namespace_of(fresh), uid=uid_of(fresh), propagation_policy="Foreground"
                )
        except ApiError as error:
            if error.code not in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
                raise

    def _seconds_left(self, job: Object | None) -> float | None:
        """Until the Job is to be removed; None if it isn't."""
        if job is None or not _has_expiry(job) or is_terminating(job):
            return None
        ends = (condition(job, kind) for kind in ("Complete", "Failed"))
        ended = next((each for each in ends if each is not None and each["status"] == "True"), None)
        if ended is None:
            return None
        due = from_time(ended["lastTransitionTime"]) + timedelta(seconds=job["spec"]["ttlSecondsAfterFinished"])
        return (due - self._now()).total_seconds()


def _has_expiry(job: Object) -> bool:
    return job["spec"].get("ttlSecondsAfterFinished") is not None
