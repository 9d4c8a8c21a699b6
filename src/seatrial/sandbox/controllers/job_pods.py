"""The pods of a Job: what marks them, which have failed, and what a new one looks like.

Pure functions over JSON. Each pod is held by a finalizer until the Job's status has counted it, so that no success and
no failure is lost or counted twice. Behaviour: Kubernetes documentation, "Jobs" (tracking with finalizers, Indexed
Jobs, backoff limit per index).
"""

import copy
from datetime import datetime, timedelta
from typing import Any, Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.controllers.objects import annotations_of, condition, is_finished, is_terminating, name_of
from seatrial.sandbox.timestamps import from_time

FINALIZER: Final = "batch.kubernetes.io/job-tracking"
INDEX: Final = "batch.kubernetes.io/job-completion-index"
INDEX_FAILURES: Final = "batch.kubernetes.io/job-index-failure-count"
INDEX_IGNORED: Final = "batch.kubernetes.io/job-index-ignored-failure-count"
_INDEX_VARIABLE: Final = "JOB_COMPLETION_INDEX"
_LONGEST_PREFIX: Final = 58


def is_indexed(job: Object) -> bool:
    """The Job's pods are numbered."""
    return bool(job["spec"].get("completionMode", "NonIndexed") == "Indexed")


def is_suspended(job: Object) -> bool:
    """The Job is to have no pods for the time being."""
    return bool(job["spec"].get("suspend"))


def waits_for_end(job: Object) -> bool:
    """A pod is replaced only when it has ended, not when it begins to."""
    return bool(job["spec"].get("podReplacementPolicy", "TerminatingOrFailed") == "Failed")


def has_finalizer(pod: Object) -> bool:
    """The pod hasn't been counted for good."""
    finalizers: list[str] = pod["metadata"].get("finalizers") or []
    return FINALIZER in finalizers


def without_finalizer(pod: Object) -> list[str]:
    """The pod's other finalizers."""
    return [each for each in pod["metadata"].get("finalizers") or () if each != FINALIZER]


def index_of(pod: Object) -> int:
    """The pod's completion index, -1 if it has none."""
    text = annotations_of(pod).get(INDEX, "")
    return int(text) if text.isdecimal() else -1


def is_succeeded(pod: Object) -> bool:
    """All of the pod's containers ended well."""
    return bool(pod.get("status", {}).get("phase") == "Succeeded")


def is_failed(pod: Object, job: Object) -> bool:
    """The pod has failed, or counts as failed since it is being deleted."""
    if pod.get("status", {}).get("phase") == "Failed":
        return True
    return not waits_for_end(job) and is_terminating(pod) and not is_succeeded(pod)


def is_ending(pod: Object) -> bool:
    """The pod is being deleted and hasn't ended."""
    return is_terminating(pod) and not is_finished(pod)


def failures_of_index(pod: Object) -> int:
    """How often the pod's index had failed before, of what counts."""
    return _number(annotations_of(pod).get(INDEX_FAILURES))


def ignored_failures_of_index(pod: Object) -> int:
    """How often the pod's index had failed before, of what a policy ignores."""
    return _number(annotations_of(pod).get(INDEX_IGNORED))


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() else 0


def restarts(pod: Object) -> int:
    """How often containers of the pod were started again."""
    status = pod.get("status", {})
    both = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return sum(each.get("restartCount", 0) for each in both)


def finished_at(pod: Object) -> datetime:
    """When the pod's last container ended, or else the nearest thing that is known."""
    moments = [
        from_time(ended["finishedAt"])
        for each in pod.get("status", {}).get("containerStatuses") or ()
        if (ended := (each.get("state") or {}).get("terminated")) is not None and ended.get("finishedAt")
    ]
    if moments:
        return max(moments)
    ready = condition(pod, "Ready")
    if ready is not None and ready["status"] == "False" and ready.get("lastTransitionTime"):
        return from_time(ready["lastTransitionTime"])
    if is_terminating(pod):
        grace = timedelta(seconds=pod["metadata"].get("deletionGracePeriodSeconds") or 0)
        return from_time(pod["metadata"]["deletionTimestamp"]) - grace
    return from_time(pod["metadata"]["creationTimestamp"])


def new_pod(blank: Object, job: Object, *, index: int | None, failures: tuple[int, int] | None = None) -> Object:
    """A pod of the Job.

    Args:
        blank: made of the template, with its owner.
        job: whose.
        index: its completion index; None where pods aren't numbered.
        failures: how often its index has failed, counted and ignored; None where nobody asks.
    """
    pod = copy.deepcopy(blank)
    metadata = pod["metadata"]
    metadata["finalizers"] = [*without_finalizer(pod), FINALIZER]
    if index is None:
        return pod
    prefix, suffix = name_of(job), f"-{index}-"
    metadata["generateName"] = prefix[: _LONGEST_PREFIX - len(suffix)] + suffix
    metadata["labels"] = {**(metadata.get("labels") or {}), INDEX: str(index)}
    annotations = {**(metadata.get("annotations") or {}), INDEX: str(index)}
    if failures is not None:
        annotations[INDEX_FAILURES] = str(failures[0])
        if failures[1]:
            annotations[INDEX_IGNORED] = str(failures[1])
    metadata["annotations"] = annotations
    pod["spec"]["hostname"] = f"{name_of(job)}-{index}"
    for container in [*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]]:
        _tell_index(container)
    return pod


def _tell_index(container: dict[str, Any]) -> None:
    variables = container.setdefault("env", [])
    if all(each["name"] != _INDEX_VARIABLE for each in variables):
        field = {"fieldRef": {"fieldPath": f"metadata.labels['{INDEX}']"}}
        variables.append({"name": _INDEX_VARIABLE, "valueFrom": field})
