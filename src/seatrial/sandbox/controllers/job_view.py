"""A Job and its pods at one moment, counted.

What is in the status has been counted for good; what is new are the pods whose finalizer is still there. `job_steps.py`
decides by these numbers, `job_tracking.py` moves them into the status.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from seatrial.sandbox.api import Object
from seatrial.sandbox.controllers.job_indexes import parse
from seatrial.sandbox.controllers.job_pods import (
    failures_of_index,
    finished_at,
    has_finalizer,
    ignored_failures_of_index,
    index_of,
    is_ending,
    is_failed,
    is_indexed,
    is_succeeded,
    restarts,
)
from seatrial.sandbox.controllers.job_policies import judge
from seatrial.sandbox.controllers.objects import is_active, is_ready, uid_of


@dataclass(frozen=True)
class JobView:
    """What is known.

    Args:
        job: as last heard of.
        pods: its own.
        releasing: UIDs of pods whose finalizer has been taken away, though the pods seen here still have it.
        now: the moment.
    """

    job: Object
    pods: Sequence[Object]
    releasing: Collection[str]
    now: datetime

    @property
    def status(self) -> Object:
        """The Job's status."""
        return self.job.get("status") or {}

    @cached_property
    def active(self) -> list[Object]:
        """The pods that run or will."""
        return [pod for pod in self.pods if is_active(pod)]

    @cached_property
    def ready(self) -> int:
        """How many of them are ready."""
        return sum(is_ready(pod) for pod in self.active)

    @cached_property
    def ending(self) -> int:
        """How many pods are being deleted and haven't ended."""
        return sum(is_ending(pod) for pod in self.pods)

    def is_held(self, pod: Object) -> bool:
        """The pod still has its finalizer, so the status may not have counted it."""
        return has_finalizer(pod) and uid_of(pod) not in self.releasing

    @cached_property
    def uncounted_succeeded(self) -> list[str]:
        """UIDs of successes that the status holds but hasn't added up."""
        return list((self.status.get("uncountedTerminatedPods") or {}).get("succeeded") or ())

    @cached_property
    def uncounted_failed(self) -> list[str]:
        """The same of failures."""
        return list((self.status.get("uncountedTerminatedPods") or {}).get("failed") or ())

    def _fresh(self, known: Collection[str]) -> Iterator[Object]:
        for pod in self.pods:
            if self.is_held(pod) and uid_of(pod) not in known and self.has_valid_index(pod):
                yield pod

    def has_valid_index(self, pod: Object) -> bool:
        """The pod's index is one that the Job has; any, where pods aren't numbered."""
        return not is_indexed(self.job) or 0 <= index_of(pod) < self.job["spec"]["completions"]

    @cached_property
    def new_succeeded(self) -> list[Object]:
        """Pods that succeeded and aren't in the status."""
        return [pod for pod in self._fresh(self.uncounted_succeeded) if is_succeeded(pod)]

    @cached_property
    def new_failed(self) -> list[Object]:
        """Pods that failed and aren't in the status."""
        return [pod for pod in self._fresh(self.uncounted_failed) if is_failed(pod, self.job)]

    @cached_property
    def succeeded(self) -> int:
        """How many pods have succeeded, or indexes been completed."""
        if is_indexed(self.job):
            return len(self.succeeded_indexes)
        return int(self.status.get("succeeded", 0)) + len(self.new_succeeded) + len(self.uncounted_succeeded)

    @cached_property
    def failed(self) -> int:
        """How many failures count."""
        fresh = sum(judge(self.job, pod).counts for pod in self.new_failed)
        return int(self.status.get("failed", 0)) + fresh + len(self.uncounted_failed)

    @cached_property
    def known_indexes(self) -> set[int]:
        """The indexes that the status has as completed."""
        return parse(self.status.get("completedIndexes") or "", below=self.job["spec"]["completions"])

    @cached_property
    def succeeded_indexes(self) -> set[int]:
        """The indexes that are completed."""
        fresh = (pod for pod in self.pods if is_succeeded(pod) and has_finalizer(pod) and self.has_valid_index(pod))
        return self.known_indexes | {index_of(pod) for pod in fresh}

    @cached_property
    def limits_indexes(self) -> bool:
        """Each index may fail so and so often by itself."""
        return is_indexed(self.job) and self.job["spec"].get("backoffLimitPerIndex") is not None

    @cached_property
    def failed_indexes(self) -> set[int]:
        """The indexes that have failed for good."""
        if not self.limits_indexes:
            return set()
        known = parse(self.status.get("failedIndexes") or "", below=self.job["spec"]["completions"])
        fresh = {index_of(pod) for pod in self.pods if has_finalizer(pod) and self._fails_index(pod)}
        return (known | fresh) - {-1}

    def _fails_index(self, pod: Object) -> bool:
        if not is_failed(pod, self.job) or not self.has_valid_index(pod):
            return False
        judged = judge(self.job, pod)
        if judged.action == "FailIndex":
            return True
        return judged.counts and failures_of_index(pod) >= self.job["spec"]["backoffLimitPerIndex"]

    @cached_property
    def last_failed(self) -> dict[int, Object]:
        """The last failed pod of each index that is to be tried again: kept, as it holds the count of failures."""
        if not self.limits_indexes:
            return {}
        settled = self.succeeded_indexes | self.failed_indexes | {index_of(pod) for pod in self.active}
        found: dict[int, Object] = {}
        for pod in self._fresh(()):
            index = index_of(pod)
            if is_failed(pod, self.job) and index not in settled:
                known = found.get(index)
                if known is None or self._order(known) <= self._order(pod):
                    found[index] = pod
        return found

    def _order(self, pod: Object) -> tuple[int, datetime]:
        return failures_of_index(pod) + ignored_failures_of_index(pod), finished_at(pod)

    def restarted_too_often(self) -> bool:
        """With restartPolicy OnFailure the containers' restarts count as failures."""
        spec = self.job["spec"]
        if spec["template"]["spec"].get("restartPolicy") != "OnFailure":
            return False
        living = (pod for pod in self.pods if pod.get("status", {}).get("phase") in {"Running", "Pending"})
        count = sum(map(restarts, living))
        return bool(count > 0 if spec["backoffLimit"] == 0 else count >= spec["backoffLimit"])
