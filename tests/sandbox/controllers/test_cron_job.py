"""CronJobs: a Job whenever the schedule says so."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.apiserver.local import local_api
from seatrial.sandbox.rules.cron_schedule import Schedule, ScheduleError, zone_of
from seatrial.sandbox.timing import SANDBOX
from tests.sandbox.controllers.world import NAMESPACE, World, job, running_world

CRON_JOBS, JOBS = "cronjobs.batch", "jobs.batch"
NOON = datetime(2030, 6, 1, 12, 0, 30, tzinfo=UTC)
looptime = pytest.mark.looptime


def cron_job(schedule: str = "* * * * *", *, image: str = "ok", **spec: Any) -> Object:
    """A CronJob; `World.exit_codes` says how its pods end."""
    template = {"spec": job(image=image)["spec"]}
    return {"metadata": {"name": "tick"}, "spec": {"schedule": schedule, "jobTemplate": template, **spec}}


def status(world: World) -> Object:
    """The CronJob's status."""
    found: Object = world.one(CRON_JOBS, "tick").get("status") or {}
    return found


def started(world: World) -> list[str]:
    """The names of all Jobs that ever were."""
    return [item["metadata"]["name"] for kind, of, item in world.history if (kind, of) == ("ADDED", JOBS)]


def reasons(world: World) -> list[str]:
    """The reasons of the CronJob's events."""
    return [each["reason"] for each in world.seen("events") if each["involvedObject"]["kind"] == "CronJob"]


@looptime
async def test_a_job_is_started_each_time_the_schedule_says() -> None:
    """It is named after its minute, owned, annotated, and listed as active until it has ended."""
    async with running_world() as world:
        world.exit_codes["ok"] = 0
        await world.api.create(CRON_JOBS, cron_job(), NAMESPACE)
        await world.until(lambda: len(started(world)) == 2)
        await world.until(lambda: "active" not in status(world) and "lastSuccessfulTime" in status(world))
        made = world.seen(JOBS)[0]
        scheduled = datetime.fromisoformat(
            made["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"]
        )
        assert made["metadata"]["name"] == f"tick-{int(scheduled.timestamp()) // 60}"
        assert made["metadata"]["ownerReferences"][0]["kind"] == "CronJob"
        first, second = (int(name.removeprefix("tick-")) for name in started(world))
        assert second == first + 1
        told = reasons(world)
        assert "SuccessfulCreate" in told
        assert "SawCompletedJob" in told


@looptime
async def test_only_so_many_finished_jobs_are_kept() -> None:
    """`successfulJobsHistoryLimit` and `failedJobsHistoryLimit` say how many; the oldest go."""
    async with running_world() as world:
        world.exit_codes["ok"] = 0
        await world.api.create(CRON_JOBS, cron_job(successfulJobsHistoryLimit=1), NAMESPACE)
        await world.until(lambda: len(started(world)) == 3 and len(world.seen(JOBS)) == 1)
        assert world.seen(JOBS)[0]["metadata"]["name"] == started(world)[-1]


@looptime
async def test_concurrency_policies() -> None:
    """Allow starts beside what runs, Forbid waits, Replace ends what runs first."""
    for policy, running in (("Allow", 3), ("Forbid", 1), ("Replace", 1)):
        async with running_world() as world:
            await world.api.create(CRON_JOBS, cron_job(image="endless", concurrencyPolicy=policy), NAMESPACE)
            await asyncio.sleep(200)
            await world.settled()
            assert len(world.seen(JOBS)) >= running if policy == "Allow" else len(world.seen(JOBS)) == running
            assert len(status(world)["active"]) == len(world.seen(JOBS))
            assert (len(started(world)) > 1) == (policy != "Forbid")


@looptime
async def test_a_suspended_cron_job_starts_nothing() -> None:
    """When it is resumed, what was missed is made up for by one Job."""
    async with running_world() as world:
        world.exit_codes["ok"] = 0
        await world.api.create(CRON_JOBS, cron_job(suspend=True), NAMESPACE)
        await asyncio.sleep(300)
        assert not started(world)
        await world.api.patch(CRON_JOBS, "tick", NAMESPACE, {"spec": {"suspend": False}})
        await world.settled()
        assert len(started(world)) == 1


@looptime
async def test_a_start_that_is_too_late_is_left_out() -> None:
    """Beyond `startingDeadlineSeconds` nothing is made up for."""
    async with running_world() as world:
        made = cron_job("0 0 1 1 *", suspend=True, startingDeadlineSeconds=10)
        await world.api.create(CRON_JOBS, made, NAMESPACE)
        await world.api.patch(CRON_JOBS, "tick", NAMESPACE, {"spec": {"schedule": "*/5 * * * *"}})
        await asyncio.sleep(600 - world.now().timestamp() % 300 + 60)
        await world.api.patch(CRON_JOBS, "tick", NAMESPACE, {"spec": {"suspend": False}})
        await world.settled()
        assert not started(world)
        await asyncio.sleep(300)
        assert len(started(world)) == 1


@looptime
async def test_a_faster_clock_brings_jobs_sooner() -> None:
    """With a timing of 60 minutes an hour becomes a minute: a Job each second."""
    async with running_world(timing=replace(SANDBOX, cron_speed=60)) as world:
        world.exit_codes["ok"] = 0
        await world.api.create(CRON_JOBS, cron_job(), NAMESPACE)
        began = world.now()
        await world.until(lambda: len(started(world)) == 5)
        assert world.now() - began < timedelta(seconds=10)


@looptime
async def test_a_schedule_that_cant_be_read_is_told() -> None:
    """The API server takes none; of one that is there all the same an event says what is wrong with it."""
    api = local_api()
    async with running_world(api=api) as world:
        with pytest.raises(ApiError, match="failed to parse duration @every 1x"):
            await world.api.create(CRON_JOBS, cron_job("@every 1x"), NAMESPACE)
        made = await world.api.create(CRON_JOBS, cron_job("@yearly"), NAMESPACE)
        broken = {**made, "spec": {**made["spec"], "schedule": "@every 1x"}}
        api._operations.store.put(CRON_JOBS, NAMESPACE, "tick", broken)
        await world.until(lambda: "UnparseableSchedule" in reasons(world))
        assert not started(world)


@looptime
async def test_deleting_a_cron_job_deletes_its_jobs() -> None:
    """Jobs and pods go with their owner."""
    async with running_world() as world:
        await world.api.create(CRON_JOBS, cron_job(image="endless"), NAMESPACE)
        await world.until(lambda: world.seen("pods"))
        await world.api.delete(CRON_JOBS, "tick", NAMESPACE, propagation_policy="Background")
        await world.until(lambda: not world.seen(JOBS) and not world.seen("pods"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("* * * * *", "2030-06-01T12:01"),
        ("@hourly", "2030-06-01T13:00"),
        ("@daily", "2030-06-02T00:00"),
        ("@weekly", "2030-06-02T00:00"),
        ("@monthly", "2030-07-01T00:00"),
        ("@yearly", "2031-01-01T00:00"),
        ("*/15 * * * *", "2030-06-01T12:15"),
        ("5/20 * * * *", "2030-06-01T12:05"),
        ("0 9-17 * * mon-fri", "2030-06-03T09:00"),
        ("0 0 13 * FRI", "2030-06-07T00:00"),
        ("? 1 * JUL ?", "2030-07-01T01:00"),
        ("@every 90m", "2030-06-01T13:30"),
    ],
)
def test_schedules_are_read_as_kubernetes_reads_them(text: str, expected: str) -> None:
    """Fields, names, ranges, steps, and the words that begin with an @."""
    found = Schedule(text).next_after(NOON)
    assert found is not None
    assert found.strftime("%Y-%m-%dT%H:%M") == expected


@pytest.mark.parametrize(
    "text", ["", "* * * *", "60 * * * *", "* * * * 7", "* * L * *", "@noon", "@every soon", "a b c d e"]
)
def test_other_schedules_are_refused(text: str) -> None:
    """What Kubernetes' parser doesn't know is refused, though cronsim might know it."""
    with pytest.raises(ScheduleError):
        Schedule(text)


def test_a_time_zone_is_heeded() -> None:
    """Nine o'clock in Tokyo is midnight in Greenwich."""
    found = Schedule("0 9 * * *", zone=zone_of("Asia/Tokyo")).next_after(NOON)
    assert found == datetime(2030, 6, 2, 0, 0, tzinfo=UTC)
    with pytest.raises(ScheduleError):
        zone_of("Moon/Tycho")
