"""Jobs: pods that are run to their end, each counted once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from seatrial.sandbox.api import Object
from seatrial.sandbox.timing import REALISTIC, SANDBOX
from tests.sandbox.controllers.world import NAMESPACE, World, is_leaving, job, running_world

pytestmark = pytest.mark.looptime
JOBS = "jobs.batch"
FINALIZER = "batch.kubernetes.io/job-tracking"


@asynccontextmanager
async def world_of_jobs(**settings: Any) -> AsyncIterator[World]:
    """A world whose image `ok` ends well, `bad` with 1, `worse` with 42; any other runs on."""
    async with running_world(**settings) as world:
        world.exit_codes.update(ok=0, bad=1, worse=42)
        yield world


def status(world: World, name: str = "work") -> Object:
    """The Job's status."""
    found: Object = world.one(JOBS, name)["status"]
    return found


def conditions(world: World, name: str = "work") -> dict[str, tuple[str, str]]:
    """Type -> status and reason of the Job's conditions."""
    found = status(world, name).get("conditions") or []
    return {each["type"]: (each["status"], each["reason"]) for each in found}


def created(world: World) -> list[Object]:
    """The pods that ever were, as they were created."""
    return [item for kind, resource, item in world.history if (kind, resource) == ("ADDED", "pods")]


async def ended(world: World, kind: str, name: str = "work") -> None:
    """Wait until the Job is Complete or Failed."""
    await world.until(lambda: conditions(world, name).get(kind, ("",))[0] == "True")


async def test_a_job_runs_its_pod_to_the_end() -> None:
    """One success makes it Complete; its status, its conditions and its events say so."""
    async with world_of_jobs() as world:
        await world.api.create(JOBS, job(), NAMESPACE)
        await ended(world, "Complete")
        await world.settled()
        found = status(world)
        assert found["succeeded"] == 1
        assert found["uncountedTerminatedPods"] == {}
        assert (found["ready"], found["terminating"]) == (0, 0)
        assert "active" not in found
        assert found["completionTime"] >= found["startTime"]
        assert [each["type"] for each in found["conditions"]] == ["SuccessCriteriaMet", "Complete"]
        assert {each["reason"] for each in found["conditions"]} == {"CompletionsReached"}
        told = [(each["reason"], each["message"]) for each in world.seen("events") if "job" in str(each["source"])]
        pod = world.seen("pods")[0]["metadata"]["name"]
        assert told == [("SuccessfulCreate", f"Created pod: {pod}"), ("Completed", "Job completed")]


async def test_pods_are_held_until_they_are_counted() -> None:
    """A finalizer keeps each pod; it goes when the status has noted the pod, before it is added up."""
    async with world_of_jobs() as world:
        await world.api.create(JOBS, job(), NAMESPACE)
        await ended(world, "Complete")
        assert created(world)[0]["metadata"]["finalizers"] == [FINALIZER]
        assert "finalizers" not in world.seen("pods")[0]["metadata"]
        uid = world.seen("pods")[0]["metadata"]["uid"]
        steps = [
            (item["status"].get("uncountedTerminatedPods"), item["status"].get("succeeded", 0))
            for _, resource, item in world.history
            if resource == JOBS
        ]
        assert ({"succeeded": [uid]}, 0) in steps
        assert steps[-1] == ({}, 1)


async def test_completions_run_in_parallel_as_far_as_allowed() -> None:
    """Never more than `parallelism` pods at once, never more successes than asked for."""
    async with world_of_jobs() as world:
        await world.api.create(JOBS, job(completions=7, parallelism=3), NAMESPACE)
        await ended(world, "Complete")
        assert len(created(world)) == 7
        assert max(item["status"].get("active", 0) for _, resource, item in world.history if resource == JOBS) == 3
        assert status(world)["succeeded"] == 7


async def test_without_completions_one_success_is_enough() -> None:
    """A work queue: when a pod has succeeded no other is started, and the Job waits for those that run."""
    async with world_of_jobs() as world:
        await world.api.create(JOBS, job(image="endless", parallelism=2), NAMESPACE)
        await world.until(lambda: len(world.ready_pods()) == 2)
        first, second = (each["metadata"]["name"] for each in world.ready_pods())
        await world.api.patch("pods", first, NAMESPACE, {"status": {"phase": "Succeeded"}}, subresource="status")
        await world.until(lambda: status(world).get("succeeded") == 1)
        await world.settled()
        assert len(created(world)) == 2
        assert not conditions(world)
        await world.api.patch("pods", second, NAMESPACE, {"status": {"phase": "Succeeded"}}, subresource="status")
        await ended(world, "Complete")


async def test_failures_are_tried_again_after_growing_pauses() -> None:
    """10 s, 20 s, 40 s between a failure and the next pod; beyond the limit the Job has failed."""
    async with world_of_jobs(timing=replace(REALISTIC, job_batch_seconds=0.1)) as world:
        began = world.now()
        await world.api.create(JOBS, job(image="bad", backoffLimit=3), NAMESPACE)
        await ended(world, "Failed")
        assert 68 <= (world.now() - began).total_seconds() <= 78
        assert len(created(world)) == 4
        assert status(world)["failed"] == 4
        assert conditions(world) == {
            "FailureTarget": ("True", "BackoffLimitExceeded"),
            "Failed": ("True", "BackoffLimitExceeded"),
        }
        await world.settled()
        told = [each for each in world.seen("events") if each["reason"] == "BackoffLimitExceeded"]
        assert [each["message"] for each in told] == ["Job has reached the specified backoff limit"]


async def test_restarts_count_where_containers_are_restarted() -> None:
    """With restartPolicy OnFailure the pod's restarts are its failures, and it is deleted in the end."""
    async with world_of_jobs() as world:
        made = job(image="endless", backoffLimit=2)
        made["spec"]["template"]["spec"]["restartPolicy"] = "OnFailure"
        await world.api.create(JOBS, made, NAMESPACE)
        await world.until(lambda: len(world.ready_pods()) == 1)
        name = world.ready_pods()[0]["metadata"]["name"]
        restarted = {"containerStatuses": [{"name": "c", "restartCount": 2}]}
        await world.api.patch("pods", name, NAMESPACE, {"status": restarted}, subresource="status")
        await ended(world, "Failed")
        await world.until(lambda: not world.seen("pods"))
        assert status(world)["failed"] == 1


async def test_a_deadline_ends_a_job() -> None:
    """After `activeDeadlineSeconds` its pods are deleted, and it has failed when they are gone."""
    async with world_of_jobs() as world:
        world.slow_to_end_seconds = 5
        await world.api.create(JOBS, job(image="endless", activeDeadlineSeconds=30), NAMESPACE)
        began = world.now()
        await world.until(lambda: "FailureTarget" in conditions(world))
        assert 29 <= (world.now() - began).total_seconds() <= 32
        assert status(world)["terminating"] == 1
        assert "Failed" not in conditions(world)
        await ended(world, "Failed")
        assert not world.seen("pods")
        assert conditions(world)["Failed"] == ("True", "DeadlineExceeded")


async def test_a_finished_job_is_removed_after_its_time_to_live() -> None:
    """With its pods, in the foreground."""
    async with world_of_jobs() as world:
        await world.api.create(JOBS, job(ttlSecondsAfterFinished=60), NAMESPACE)
        await ended(world, "Complete")
        began = world.now()
        await world.until(lambda: not world.seen(JOBS))
        assert 58 <= (world.now() - began).total_seconds() <= 63
        assert not world.seen("pods")


async def test_a_suspended_job_has_no_pods_until_it_is_resumed() -> None:
    """Suspending a running Job deletes its pods without counting them as failures."""
    async with world_of_jobs() as world:
        await world.api.create(JOBS, job(image="endless", parallelism=2, completions=2, suspend=True), NAMESPACE)
        await world.until(lambda: conditions(world).get("Suspended") == ("True", "JobSuspended"))
        assert not created(world)
        assert "startTime" not in status(world)
        await world.api.patch(JOBS, "work", NAMESPACE, {"spec": {"suspend": False}})
        await world.until(lambda: len(world.ready_pods()) == 2)
        assert conditions(world)["Suspended"] == ("False", "JobResumed")
        await world.api.patch(JOBS, "work", NAMESPACE, {"spec": {"suspend": True}})
        await world.until(lambda: not world.seen("pods") and "active" not in status(world))
        assert "failed" not in status(world)
        reasons = [each["reason"] for each in world.seen("events")]
        assert "Suspended" in reasons
        assert "Resumed" in reasons


async def test_an_indexed_job_completes_each_index_once() -> None:
    """Each pod knows its index by name, label, annotation, host name and a variable."""
    async with world_of_jobs() as world:
        made = job(completions=5, parallelism=5, completionMode="Indexed")
        await world.api.create(JOBS, made, NAMESPACE)
        await ended(world, "Complete")
        assert status(world)["completedIndexes"] == "0-4"
        pods = {
            each["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"]: each for each in created(world)
        }
        assert sorted(pods) == ["0", "1", "2", "3", "4"]
        pod = pods["3"]
        assert pod["metadata"]["name"].startswith("work-3-")
        assert pod["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"] == "3"
        assert pod["spec"]["hostname"] == "work-3"
        assert pod["spec"]["containers"][0]["env"][0]["name"] == "JOB_COMPLETION_INDEX"


async def test_each_index_has_a_backoff_limit_of_its_own() -> None:
    """An index that fails too often doesn't stop the others; the Job fails when all are settled."""
    async with world_of_jobs(timing=replace(SANDBOX, job_backoff_base_seconds=1)) as world:
        made = job(image="endless", completions=3, parallelism=3, completionMode="Indexed", backoffLimitPerIndex=1)
        await world.api.create(JOBS, made, NAMESPACE)
        for attempt in ("0", "1"):
            await world.until(lambda: any(map(is_second, running(world))))
            pod = next(filter(is_second, running(world)))
            assert pod["metadata"]["annotations"]["batch.kubernetes.io/job-index-failure-count"] == attempt
            name = pod["metadata"]["name"]
            await world.api.patch("pods", name, NAMESPACE, {"status": {"phase": "Failed"}}, subresource="status")
            await world.until(lambda name=name: name not in {each["metadata"]["name"] for each in running(world)})
        await world.until(lambda: status(world).get("failedIndexes") == "1")
        for each in running(world):
            name = each["metadata"]["name"]
            await world.api.patch("pods", name, NAMESPACE, {"status": {"phase": "Succeeded"}}, subresource="status")
        await ended(world, "Failed")
        assert conditions(world)["Failed"] == ("True", "FailedIndexes")
        assert status(world)["completedIndexes"] == "0,2"


def running(world: World) -> list[Object]:
    """The pods that run."""
    return [each for each in world.seen("pods") if each["status"]["phase"] == "Running"]


def is_second(pod: Object) -> bool:
    """The pod has index 1."""
    return bool(pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"] == "1")


async def test_a_failure_policy_can_end_the_job_at_once() -> None:
    """An exit code that no retry will mend fails the Job, with a message that names pod and rule."""
    async with world_of_jobs() as world:
        rule = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}}
        await world.api.create(JOBS, job(image="worse", podFailurePolicy={"rules": [rule]}), NAMESPACE)
        await ended(world, "Failed")
        assert len(created(world)) == 1
        assert conditions(world)["Failed"] == ("True", "PodFailurePolicy")
        name = created(world)[0]["metadata"]["name"]
        message = f"Container c for pod default/{name} failed with exit code 42 matching FailJob rule at index 0"
        assert status(world)["conditions"][-1]["message"] == message


async def test_a_failure_policy_can_ignore_disruptions() -> None:
    """A pod that was disrupted is replaced without counting towards the limit."""
    async with world_of_jobs(timing=replace(SANDBOX, job_backoff_base_seconds=1)) as world:
        pattern = {"type": "DisruptionTarget", "status": "True"}
        policy = {"rules": [{"action": "Ignore", "onPodConditions": [pattern]}]}
        await world.api.create(JOBS, job(image="endless", backoffLimit=0, podFailurePolicy=policy), NAMESPACE)
        await world.until(lambda: len(world.ready_pods()) == 1)
        name = world.ready_pods()[0]["metadata"]["name"]
        body = {"status": {"phase": "Failed", "conditions": [pattern]}}
        await world.api.patch("pods", name, NAMESPACE, body, subresource="status")
        await world.until(lambda: len(created(world)) == 2)
        assert "failed" not in status(world)
        assert "Failed" not in conditions(world)


async def test_a_success_policy_ends_the_job_before_all_indexes_are_done() -> None:
    """When the leader has succeeded the rest is deleted and the Job is Complete."""
    async with world_of_jobs() as world:
        policy = {"rules": [{"succeededIndexes": "0", "succeededCount": 1}]}
        made = job(image="endless", completions=3, parallelism=3, completionMode="Indexed", successPolicy=policy)
        await world.api.create(JOBS, made, NAMESPACE)
        await world.until(lambda: len(world.ready_pods()) == 3)
        leader = next(each for each in world.ready_pods() if each["metadata"]["name"].startswith("work-0-"))
        body = {"status": {"phase": "Succeeded"}}
        await world.api.patch("pods", leader["metadata"]["name"], NAMESPACE, body, subresource="status")
        await ended(world, "Complete")
        assert conditions(world)["Complete"] == ("True", "SuccessPolicy")
        assert "failed" not in status(world)
        await world.until(lambda: len(world.seen("pods")) == 1)


async def test_a_deleted_pod_counts_as_failed_and_is_replaced_at_once() -> None:
    """By default the replacement doesn't wait for the old pod's end; with `Failed` it does."""
    for policy, most in (("TerminatingOrFailed", 2), ("Failed", 1)):
        async with world_of_jobs(timing=replace(SANDBOX, job_backoff_base_seconds=0.01)) as world:
            world.slow_to_end_seconds = 10
            await world.api.create(JOBS, job(image="endless", podReplacementPolicy=policy), NAMESPACE)
            await world.until(lambda: len(world.ready_pods()) == 1)
            await world.api.delete("pods", world.ready_pods()[0]["metadata"]["name"], NAMESPACE)
            await world.until(lambda: any(is_leaving(each) for each in world.seen("pods")))
            await asyncio.sleep(5)
            assert len(world.seen("pods")) == most


async def test_deleting_a_job_lets_its_pods_go() -> None:
    """However it is deleted, no finalizer keeps a pod for ever."""
    for policy in ("Background", "Foreground", "Orphan"):
        async with world_of_jobs() as world:
            await world.api.create(JOBS, job(image="endless", parallelism=2), NAMESPACE)
            await world.until(lambda: len(world.ready_pods()) == 2)
            await world.api.delete(JOBS, "work", NAMESPACE, propagation_policy=policy)
            if policy == "Orphan":
                await world.until(lambda: all("finalizers" not in each["metadata"] for each in world.seen("pods")))
                assert len(world.ready_pods()) == 2
            else:
                await world.until(lambda: not world.seen("pods") and not world.seen(JOBS))


async def test_a_job_of_somebody_else_is_left_alone() -> None:
    """With `managedBy` another controller does the work."""
    async with world_of_jobs() as world:
        await world.api.create(JOBS, job(managedBy="example.com/queue"), NAMESPACE)
        await world.settled()
        assert not created(world)
        assert not status(world)


async def test_two_hundred_pods_are_counted_exactly() -> None:
    """A large Job is looked at in batches, and counts no pod twice and none too few."""
    async with world_of_jobs(nodes=5) as world:
        await world.api.create(JOBS, job(completions=200, parallelism=50), NAMESPACE)
        await ended(world, "Complete")
        assert len(created(world)) == 200
        assert status(world)["succeeded"] == 200
        assert sum(resource == JOBS for _, resource, _ in world.history) < 200
