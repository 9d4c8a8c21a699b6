"""The CronJob controller: a Job whenever the schedule says so.

A Job is named after the minute it is due, so that none is started twice; what was missed while nobody looked is made up
for by one Job, the latest, within `startingDeadlineSeconds`. When a schedule is due is in `cron_schedule.py`.
Behaviour: Kubernetes documentation, "CronJob".
"""

import copy
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from http import HTTPStatus
from itertools import islice
from typing import Final

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.controllers.context import ControllerContext
from seatrial.sandbox.controllers.job import is_over
from seatrial.sandbox.controllers.objects import (
    BY_CONTROLLER,
    by_controller,
    condition,
    controller_of,
    controller_reference,
    is_terminating,
    name_of,
    namespace_of,
    uid_of,
    with_value,
)
from seatrial.sandbox.informer import Key, key_of
from seatrial.sandbox.rules.cron_schedule import Schedule, ScheduleError, zone_of
from seatrial.sandbox.timestamps import Clock, from_time, to_time
from seatrial.sandbox.work_queue import WorkQueue

_WORKERS: Final = 5
_JOBS: Final = "jobs.batch"
_CRON_JOBS: Final = "cronjobs.batch"
_SCHEDULED: Final = "batch.kubernetes.io/cronjob-scheduled-timestamp"
_TOO_MANY: Final = 100
# A schedule is looked at a moment after it is due, never before.
_SLACK_SECONDS: Final = 0.1


class CronClock:
    """The wall clock, or one that runs faster from now on.

    Args:
        now: the wall clock.
        speed: how many times as fast.
    """

    def __init__(self, now: Clock, *, speed: float) -> None:
        self._now = now
        self._began = now()
        self.speed = speed

    def now(self) -> datetime:
        """The time of CronJobs."""
        return self.at(self._now())

    def at(self, moment: datetime) -> datetime:
        """What this clock showed at that moment of the wall clock."""
        return self._began + (moment - self._began) * self.speed if self.speed != 1 else moment


class CronJobController:
    """Starts the Jobs of every CronJob, and removes old ones."""

    name = "cronjob-controller"

    def __init__(self, context: ControllerContext) -> None:
        self._api = context.api
        self._events = context.events
        self._clock = CronClock(context.now, speed=context.timing.cron_speed)
        self._queue: WorkQueue[Key] = WorkQueue(self.name)
        self._cron_jobs = context.informers.of(_CRON_JOBS)
        self._jobs = context.informers.of(_JOBS)
        self._jobs.add_index(BY_CONTROLLER, by_controller)
        self._cron_jobs.add_handler(self._cron_job_changed)
        self._jobs.add_handler(self._job_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        await self._cron_jobs.wait_synced()
        await self._jobs.wait_synced()
        await self._queue.work(self._sync, workers=_WORKERS)

    def _cron_job_changed(self, _old: Object | None, new: Object | None) -> None:
        if new is not None:
            self._queue.add(key_of(new))

    def _job_changed(self, old: Object | None, new: Object | None) -> None:
        job = new or old
        reference = controller_of(job) if job is not None else None
        if job is not None and reference is not None and reference["kind"] == "CronJob":
            self._queue.add((namespace_of(job), reference["name"]))

    async def _sync(self, key: Key) -> None:
        cron_job = self._cron_jobs.get(*key)
        if cron_job is None:
            return
        jobs = self._jobs.indexed(BY_CONTROLLER, uid_of(cron_job))
        status = copy.deepcopy(cron_job.get("status") or {})
        await self._note_ends(cron_job, jobs, status)
        # Written at each step, since a Job that isn't on the list of active ones would be taken for somebody else's.
        cron_job = await self._write(cron_job, status)
        await self._forget_finished(cron_job, jobs)
        if is_terminating(cron_job) or cron_job["spec"].get("suspend"):
            return
        try:
            schedule = self._schedule_of(cron_job)
        except ScheduleError as error:
            self._tell(cron_job, _reason_of(error), str(error))
            return
        status = copy.deepcopy(cron_job.get("status") or {})
        await self._start_due(cron_job, schedule, status)
        await self._write(cron_job, status)
        self._wait_for_next(cron_job, schedule)

    def _schedule_of(self, cron_job: Object) -> Schedule:
        spec = cron_job["spec"]
        zone: tzinfo = UTC
        if spec.get("timeZone"):
            try:
                zone = zone_of(spec["timeZone"])
            except ScheduleError as error:
                raise UnknownZoneError(f'invalid timeZone: "{spec["timeZone"]}": {error}') from error
        try:
            return Schedule(spec["schedule"], zone=zone)
        except ScheduleError as error:
            raise ScheduleError(f'unparseable schedule: "{spec["schedule"]}" : {error}') from error

    async def _note_ends(self, cron_job: Object, jobs: Sequence[Object], status: Object) -> None:
        active = {each["uid"] for each in status.get("active") or ()}
        for job in jobs:
            if is_over(job) and uid_of(job) in active:
                active.discard(uid_of(job))
                outcome = "Complete" if _succeeded(job) else "Failed"
                message = f"Saw completed job: {name_of(job)}, condition: {outcome}"
                self._tell(cron_job, "SawCompletedJob", message, kind="Normal")
            elif not is_over(job) and uid_of(job) not in active and not await self._knows(cron_job, job):
                message = f"Saw a job that the controller did not create or forgot: {name_of(job)}"
                self._tell(cron_job, "UnexpectedJob", message)
            ended = job.get("status", {}).get("completionTime")
            if _succeeded(job) and ended and ended > status.get("lastSuccessfulTime", ""):
                status["lastSuccessfulTime"] = ended
        present = {uid_of(job) for job in jobs}
        for each in status.get("active") or ():
            if each["uid"] in active and each["uid"] not in present and not await self._exists(each):
                active.discard(each["uid"])
                self._tell(cron_job, "MissingJob", f"Active job went missing: {each['name']}", kind="Normal")
        _set_active(status, [each for each in status.get("active") or () if each["uid"] in active])

    async def _knows(self, cron_job: Object, job: Object) -> bool:
        """The CronJob, as it really is, has the Job among its active ones."""
        fresh = await self._api.get(_CRON_JOBS, name_of(cron_job), namespace_of(cron_job))
        return any(each["uid"] == uid_of(job) for each in (fresh.get("status") or {}).get("active") or ())

    async def _exists(self, reference: Object) -> bool:
        try:
            found = await self._api.get(_JOBS, reference["name"], reference["namespace"])
        except ApiError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return False
            raise
        return uid_of(found) == str(reference["uid"])

    async def _start_due(self, cron_job: Object, schedule: Schedule, status: Object) -> None:
        due = self._due(cron_job, schedule)
        if due is None or status.get("lastScheduleTime") == to_time(due):
            return
        spec = cron_job["spec"]
        deadline = spec.get("startingDeadlineSeconds")
        if deadline is not None and due + timedelta(seconds=deadline) < self._clock.now():
            message = f"Missed scheduled time to start a job: {due:%a, %d %b %Y %H:%M:%S} UTC"
            self._tell(cron_job, "MissSchedule", message)
            return
        active = list(status.get("active") or ())
        if active and spec.get("concurrencyPolicy") == "Forbid":
            message = "Not starting job because prior execution is running and concurrency policy is Forbid"
            self._tell(cron_job, "JobAlreadyActive", message, kind="Normal")
            return
        if spec.get("concurrencyPolicy") == "Replace":
            for each in active:
                await self._delete(cron_job, each["name"], each["uid"])
            _set_active(status, [])
        job = await self._create(cron_job, due)
        reference = {
            "kind": "Job",
            "namespace": namespace_of(job),
            "name": name_of(job),
            "uid": uid_of(job),
            "apiVersion": "batch/v1",
            "resourceVersion": job["metadata"]["resourceVersion"],
        }
        _set_active(status, [*(status.get("active") or ()), reference])
        status["lastScheduleTime"] = to_time(due)

    def _due(self, cron_job: Object, schedule: Schedule) -> datetime | None:
        """The latest moment of the schedule that has passed without a Job; None if there is none."""
        now = self._clock.now()
        missed = list(islice(schedule.between(self._since(cron_job), now), _TOO_MANY + 1))
        if len(missed) <= _TOO_MANY:
            return missed[-1] if missed else None
        hint = "Set or decrease .spec.startingDeadlineSeconds or check clock skew"
        self._tell(cron_job, "TooManyMissedTimes", f"too many missed start times. {hint}")
        step = timedelta(hours=1)
        while not (missed := list(schedule.between(now - step, now))):
            step *= 2
        return missed[-1]

    def _since(self, cron_job: Object) -> datetime:
        last = (cron_job.get("status") or {}).get("lastScheduleTime")
        since = from_time(last) if last else self._clock.at(from_time(cron_job["metadata"]["creationTimestamp"]))
        deadline = cron_job["spec"].get("startingDeadlineSeconds")
        return since if deadline is None else max(since, self._clock.now() - timedelta(seconds=deadline))

    async def _create(self, cron_job: Object, due: datetime) -> Object:
        body = _job_of(cron_job, due)
        try:
            job = await self._api.create(_JOBS, body, namespace_of(cron_job))
        except ApiError as error:
            if error.reason == "AlreadyExists":
                job = await self._api.get(_JOBS, body["metadata"]["name"], namespace_of(cron_job))
                reference = controller_of(job)
                if reference is not None and reference["uid"] == uid_of(cron_job):
                    return job
            if "NamespaceTerminating" not in str(error.status):
                self._tell(cron_job, "FailedCreate", f"Error creating job: {error}")
            raise
        self._tell(cron_job, "SuccessfulCreate", f"Created job {name_of(job)}", kind="Normal")
        return job

    async def _forget_finished(self, cron_job: Object, jobs: Sequence[Object]) -> None:
        for field, wanted in (("successfulJobsHistoryLimit", True), ("failedJobsHistoryLimit", False)):
            limit = cron_job["spec"].get(field)
            finished = [job for job in jobs if is_over(job) and _succeeded(job) == wanted and not is_terminating(job)]
            finished.sort(key=lambda job: (job.get("status", {}).get("startTime", ""), name_of(job)))
            for job in finished[: max(0, len(finished) - limit)] if limit is not None else ():
                await self._delete(cron_job, name_of(job), uid_of(job))

    async def _delete(self, cron_job: Object, name: str, uid: str) -> None:
        try:
            await self._api.delete(_JOBS, name, namespace_of(cron_job), uid=uid, propagation_policy="Background")
        except ApiError as error:
            if error.code in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
                return
            self._tell(cron_job, "FailedDelete", f"Deleted job: {error}")
            raise
        self._tell(cron_job, "SuccessfulDelete", f"Deleted job {name}", kind="Normal")

    def _wait_for_next(self, cron_job: Object, schedule: Schedule) -> None:
        now = self._clock.now()
        following = schedule.next_after(max(now, self._since(cron_job)))
        if following is not None:
            seconds = (following - now).total_seconds() / self._clock.speed
            self._queue.add_after(key_of(cron_job), max(0.0, seconds) + _SLACK_SECONDS)

    async def _write(self, cron_job: Object, status: Object) -> Object:
        if status == (cron_job.get("status") or {}):
            return cron_job
        changed = with_value(cron_job, ("status",), status)
        return await self._api.replace(_CRON_JOBS, changed, subresource="status")

    def _tell(self, cron_job: Object, reason: str, message: str, *, kind: str = "Warning") -> None:
        about = {**cron_job, "apiVersion": "batch/v1", "kind": "CronJob"}
        self._events.record(self.name, about, reason, message, kind=kind)


class UnknownZoneError(ScheduleError):
    """`spec.timeZone` names no time zone."""


def _reason_of(error: ScheduleError) -> str:
    return "UnknownTimeZone" if isinstance(error, UnknownZoneError) else "UnparseableSchedule"


def _succeeded(job: Object) -> bool:
    complete = condition(job, "Complete")
    return complete is not None and bool(complete["status"] == "True")


def _set_active(status: Object, active: list[Object]) -> None:
    if active:
        status["active"] = active
    else:
        status.pop("active", None)


def _job_of(cron_job: Object, due: datetime) -> Object:
    template = copy.deepcopy(cron_job["spec"]["jobTemplate"])
    given = template.get("metadata") or {}
    zone = cron_job["spec"].get("timeZone")
    shown = due.astimezone(zone_of(zone)).isoformat() if zone else to_time(due)
    metadata: Object = {
        "name": f"{name_of(cron_job)}-{int(due.timestamp()) // 60}",
        "namespace": namespace_of(cron_job),
        "annotations": {**(given.get("annotations") or {}), _SCHEDULED: shown},
        "ownerReferences": [controller_reference(cron_job, api_version="batch/v1", kind="CronJob")],
    }
    if given.get("labels"):
        metadata["labels"] = given["labels"]
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template["spec"]}
