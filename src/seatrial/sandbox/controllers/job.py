"""The Job controller: pods that are run to their end, so and so often.

This file watches; what one look leads to is in `job_steps.py`, how the status comes to count pods in `job_tracking.py`,
what is counted in `job_view.py`; `job_expiry.py` removes what is finished. News of pods are collected for a moment, as
Kubernetes does, so that a Job of many pods is looked at once for many of them.
Behaviour: Kubernetes documentation, "Jobs".
"""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Final

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.controllers.context import ControllerContext
from seatrial.sandbox.controllers.expectations import Expectations
from seatrial.sandbox.controllers.job_backoff import Failures
from seatrial.sandbox.controllers.job_finalizer import release
from seatrial.sandbox.controllers.job_pods import has_finalizer
from seatrial.sandbox.controllers.job_steps import JobSteps
from seatrial.sandbox.controllers.job_tracking import JobTracking, Told
from seatrial.sandbox.controllers.job_view import JobView
from seatrial.sandbox.controllers.objects import condition, controller_of, is_terminating, namespace_of, uid_of
from seatrial.sandbox.controllers.owned_pods import OwnedPods, OwnerKind
from seatrial.sandbox.controllers.pod_control import PodControl
from seatrial.sandbox.informer import Key, key_of
from seatrial.sandbox.work_queue import WorkQueue

_WORKERS: Final = 5
_OURSELVES: Final = "kubernetes.io/job-controller"
JOBS: Final = OwnerKind("jobs.batch", "batch/v1", "Job", "job-controller")


def is_over(job: Object) -> bool:
    """The Job is Complete or Failed."""
    found = (condition(job, kind) for kind in ("Complete", "Failed"))
    return any(each is not None and each["status"] == "True" for each in found)


class JobController:
    """Runs every Job."""

    name = JOBS.component

    def __init__(self, context: ControllerContext) -> None:
        self._api = context.api
        self._now = context.now
        self._events = context.events
        self._timing = context.timing
        self._queue: WorkQueue[Key] = WorkQueue(self.name)
        self._orphans: WorkQueue[Key] = WorkQueue(f"{self.name} orphans")
        self._expectations = Expectations()
        self._failures: dict[str, Failures] = {}
        # Pods whose finalizer was taken away, and Jobs whose status was written, until the informers know of it.
        self._releasing: set[str] = set()
        self._writing: dict[Key, int] = {}
        self._jobs = context.informers.of(JOBS.resource)
        self._jobs.add_handler(self._job_changed)
        self._owned = OwnedPods(context, JOBS, expectations=self._expectations, tell=self._pod_changed)
        self._owned.informer.add_handler(self._held_pod_changed)
        self._control = PodControl(
            api=context.api,
            events=context.events,
            component=self.name,
            api_version=JOBS.api_version,
            kind=JOBS.kind,
            expectations=self._expectations,
        )

    async def run(self) -> None:
        """Work until cancelled."""
        await self._jobs.wait_synced()
        await self._owned.informer.wait_synced()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._queue.work(self._sync, workers=_WORKERS))
            group.create_task(self._orphans.work(self._sync_orphan))

    def _job_changed(self, old: Object | None, new: Object | None) -> None:
        job = new or old
        if job is None:
            return
        if new is None or self._writing.get(key_of(job), 0) <= int(job["metadata"]["resourceVersion"]):
            self._writing.pop(key_of(job), None)
        if new is None:
            self._expectations.forget(key_of(job))
            self._failures.pop(uid_of(job), None)
            for pod in self._owned.controlled_by(job):
                self._orphans.add(key_of(pod))
        self._queue.add(key_of(job))

    def _pod_changed(self, job: Object, _old: Object | None, _new: Object | None) -> None:
        self._queue.add_after(key_of(job), self._timing.job_batch_seconds)

    def _held_pod_changed(self, old: Object | None, new: Object | None) -> None:
        pod = new or old
        if pod is None:
            return
        if new is None or not has_finalizer(new):
            self._releasing.discard(uid_of(pod))
        elif self._owned.owner_of(new) is None and (controller_of(new) or {"kind": "Job"})["kind"] == "Job":
            self._orphans.add(key_of(new))

    async def _sync_orphan(self, key: Key) -> None:
        """Let a pod go whose Job is gone, or has released it."""
        pod = self._owned.informer.get(*key)
        if pod is None or not has_finalizer(pod):
            return
        reference = controller_of(pod)
        if reference is not None and await self._lives(namespace_of(pod), reference):
            return
        await release(self._api, pod)

    async def _lives(self, namespace: str, reference: Object) -> bool:
        try:
            job = await self._api.get(JOBS.resource, reference["name"], namespace)
        except ApiError as error:
            if error.reason == "NotFound":
                return False
            raise
        return uid_of(job) == reference["uid"] and not is_over(job)

    async def _sync(self, key: Key) -> None:
        job = self._jobs.get(*key)
        # A status that was written and isn't known here yet would be counted twice; it brings this Job back.
        if job is None or key in self._writing or job["spec"].get("managedBy", _OURSELVES) != _OURSELVES:
            return
        may_act = self._expectations.satisfied(key)
        pods = await self._owned.of(job, adopts=lambda pod: not is_terminating(pod))
        if is_over(job):
            for pod in pods:
                await release(self._api, pod)
            return
        view = JobView(job, pods, self._releasing, self._now())
        failures = self._failures.get(uid_of(job), Failures())
        failures = failures.after(view.new_succeeded, view.new_failed)
        outcome = await JobSteps(self._control, self._timing, view, failures=failures, may_act=may_act).take()
        tracking = JobTracking(self._api, view, outcome)
        try:
            self._wrote(job, await tracking.note())
            self._failures[uid_of(job)] = failures
            self._wrote(job, await tracking.settle())
        finally:
            self._releasing.update(self._still_held(tracking.released))
            self._tell(job, tracking.told)
        if outcome.wake_after is not None:
            self._queue.add_after(key, outcome.wake_after)
        if outcome.failure is not None:
            raise outcome.failure

    def _still_held(self, released: Iterable[Object]) -> Iterator[str]:
        """Those whose release the informer hasn't told of while it was being written."""
        for pod in released:
            known = self._owned.informer.get(*key_of(pod))
            if known is not None and uid_of(known) == uid_of(pod) and has_finalizer(known):
                yield uid_of(pod)

    def _wrote(self, before: Object, after: Object) -> None:
        version = int(after["metadata"]["resourceVersion"])
        known = self._jobs.get(*key_of(before))
        if after is not before and known is not None and int(known["metadata"]["resourceVersion"]) < version:
            self._writing[key_of(before)] = version

    def _tell(self, job: Object, told: list[Told]) -> None:
        about = {**job, "apiVersion": JOBS.api_version, "kind": JOBS.kind}
        for each in told:
            self._events.record(self.name, about, each.reason, each.message, kind=each.kind)
