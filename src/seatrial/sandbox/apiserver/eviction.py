"""Eviction: deleting a pod only if its disruption budget allows it.

The budget's status is written by the disruption controller; an eviction takes one from `disruptionsAllowed` before
it deletes, so that two evictions can't both use the last one. See "API-initiated Eviction" in the Kubernetes
documentation.
"""

from dataclasses import replace

from seatrial.kube.selectors import LabelSelector
from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.apiserver import deletion, statuses
from seatrial.sandbox.apiserver.calls import Call, DeleteOptions
from seatrial.sandbox.apiserver.metadata import now
from seatrial.sandbox.apiserver.operations import Operations
from seatrial.sandbox.apiserver.store import Record

BUDGETS = "poddisruptionbudgets.policy"
_MESSAGE = "Cannot evict pod as it would violate the pod's disruption budget."


def evict(operations: Operations, namespace: str, name: str, body: Object, call: Call) -> Object:
    """Evict a pod; a Status, or 429 when a budget forbids it."""
    pods = operations.registry.of("pods")
    given = (body.get("metadata") or {}).get("name")
    if given != name:
        raise statuses.bad_request("name in URL does not match name in Eviction object")
    record = operations.record(pods, namespace, name)
    pod = record.object
    options = _options(body)
    deletion.check_preconditions(pods, record, options)
    if not _is_harmless(pod):
        _charge_budget(operations, pod, call)
    if not call.dry_run and "deletionTimestamp" not in pod["metadata"]:
        _mark_disrupted(operations, record)
    # The mark has made another version of the one that was meant.
    deletion.delete(operations, pods, namespace, name, replace(options, resource_version=None), call)
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def _options(body: Object) -> DeleteOptions:
    given = body.get("deleteOptions") or {}
    preconditions = given.get("preconditions") or {}
    return DeleteOptions(
        grace_period_seconds=given.get("gracePeriodSeconds"),
        propagation_policy=given.get("propagationPolicy"),
        uid=preconditions.get("uid"),
        resource_version=preconditions.get("resourceVersion"),
    )


def _is_harmless(pod: Object) -> bool:
    """Pods that no longer count, or never did, need no budget."""
    phase = pod.get("status", {}).get("phase")
    return phase in ("Succeeded", "Failed", "Pending") or "deletionTimestamp" in pod["metadata"]


def _charge_budget(operations: Operations, pod: Object, call: Call) -> None:
    labels = pod["metadata"].get("labels")
    budgets = [
        budget
        for budget in operations.objects(BUDGETS, pod["metadata"]["namespace"])
        if LabelSelector.from_dict((budget.get("spec") or {}).get("selector")).matches(labels)
    ]
    if not budgets:
        return
    if len(budgets) > 1:
        text = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        raise statuses.failure(500, "", text)
    budget = budgets[0]
    if _is_not_ready(pod) and _spares_unready(budget):
        return
    _check(budget)
    if not call.dry_run:
        meta = budget["metadata"]
        resource = operations.registry.of(BUDGETS)
        writer = Call(manager="kube-apiserver")

        def charged(old: Object) -> Object:
            return {**old, "status": _charged_status(old, pod["metadata"]["name"])}

        operations.update(resource, meta["namespace"], meta["name"], charged, writer, subresource="status")


def _charged_status(budget: Object, name: str) -> Object:
    """The budget's status with one disruption less to give; the last one says so in the condition."""
    status = budget["status"]
    allowed = status["disruptionsAllowed"] - 1
    disrupted = {**(status.get("disruptedPods") or {}), name: now()}
    changed = {**status, "disruptionsAllowed": allowed, "disruptedPods": disrupted}
    if allowed:
        return changed
    generation = status.get("observedGeneration", 0)
    verdict = {"status": "False", "reason": "InsufficientPods", "observedGeneration": generation}
    conditions = [
        {**c, **verdict, "lastTransitionTime": now()} if c["type"] == "DisruptionAllowed" else c
        for c in status.get("conditions") or ()
    ]
    return {**changed, "conditions": conditions}


def _is_not_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    return not any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _spares_unready(budget: Object) -> bool:
    """Whether pods that aren't ready may go although the budget has nothing left."""
    status, spec = budget.get("status") or {}, budget.get("spec") or {}
    if spec.get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    return bool(
        status.get("currentHealthy", 0) >= status.get("desiredHealthy", 0) and status.get("desiredHealthy", 0) > 0
    )


def _check(budget: Object) -> None:
    status, meta = budget.get("status") or {}, budget["metadata"]
    if status.get("observedGeneration", 0) < meta.get("generation", 0):
        message = f"The disruption budget {meta['name']} is still being processed by the server."
        raise _refusal(message, retry_after=10)
    if status.get("disruptionsAllowed", 0) <= 0:
        needed, healthy = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
        message = f"The disruption budget {meta['name']} needs {needed} healthy pods and has {healthy} currently"
        raise _refusal(message, retry_after=0)


def _refusal(message: str, *, retry_after: int) -> ApiError:
    details: Object = {"causes": [{"reason": "DisruptionBudget", "message": message}]}
    if retry_after:
        details["retryAfterSeconds"] = retry_after
    headers = {"Retry-After": str(retry_after)} if retry_after else None
    return statuses.failure(429, "TooManyRequests", _MESSAGE, details=details, headers=headers)


def _mark_disrupted(operations: Operations, record: Record) -> None:
    pod = record.object
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": now(),
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    }
    status = pod.get("status") or {}
    conditions = [c for c in status.get("conditions") or () if c["type"] != "DisruptionTarget"]
    changed = {**pod, "status": {**status, "conditions": [*conditions, condition]}}
    operations.store.put("pods", record.namespace, record.name, changed)
