"""Pods: their defaults, their quality of service, what may change later (what is added to them: `admission`)."""

from typing import Any

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.metadata import now
from seatrial.sandbox.apiserver.statuses import FieldError, forbidden_field
from seatrial.sandbox.apiserver.strategies.base import Strategy, fill
from seatrial.sandbox.apiserver.strategies.placement_validation import toleration_update_errors
from seatrial.sandbox.apiserver.strategies.pod_spec import default_pod_spec
from seatrial.sandbox.apiserver.strategies.pod_validation import pod_spec_errors, pod_warnings

UPDATE_RULE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def _defaults(pod: Object) -> None:
    spec = pod.setdefault("spec", {})
    default_pod_spec(spec)
    if spec["terminationGracePeriodSeconds"] < 0:
        spec["terminationGracePeriodSeconds"] = 1
    fill(spec, enableServiceLinks=True)


def _prepare_create(pod: Object) -> None:
    pod["status"] = {"phase": "Pending", "qosClass": quality_of_service(pod["spec"])}
    if pod["spec"].get("schedulingGates"):
        pod["status"]["conditions"] = [
            {
                "type": "PodScheduled",
                "status": "False",
                "lastProbeTime": None,
                "lastTransitionTime": now(),
                "reason": "SchedulingGated",
                "message": "Scheduling is blocked due to non-empty scheduling gates",
            }
        ]


def quality_of_service(spec: Object) -> str:
    """Guaranteed, Burstable or BestEffort, from the requests and limits for cpu and memory of all containers."""
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    guaranteed = bool(containers)
    anything = False
    for container in containers:
        resources = container.get("resources") or {}
        limits = {k: v for k, v in (resources.get("limits") or {}).items() if k in ("cpu", "memory")}
        requests = {k: v for k, v in (resources.get("requests") or {}).items() if k in ("cpu", "memory")}
        anything = anything or bool(limits or requests)
        guaranteed = guaranteed and set(limits) == {"cpu", "memory"} and limits == requests
    if not anything:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def _prepare_update(new: Object, old: Object) -> None:
    new["status"] = old.get("status", {})


def _prepare_status(new: Object, old: Object) -> None:
    new["spec"] = old["spec"]
    new["metadata"] = {**new["metadata"], "ownerReferences": old["metadata"].get("ownerReferences")}
    if new["metadata"]["ownerReferences"] is None:
        del new["metadata"]["ownerReferences"]
    status = new.setdefault("status", {})
    if "qosClass" in old.get("status", {}):
        status.setdefault("qosClass", old["status"]["qosClass"])
    status.setdefault("phase", old.get("status", {}).get("phase", "Pending"))


def _validate(pod: Object) -> list[FieldError]:
    spec = pod["spec"]
    if "resourceVersion" in pod["metadata"]:
        # What was added through a subresource later is no news.
        spec = {key: value for key, value in spec.items() if key != "ephemeralContainers"}
    return pod_spec_errors(spec, "spec", pod=True)


def _validate_update(new: Object, old: Object) -> list[FieldError]:
    before, after = old["spec"], new["spec"]
    if len(after.get("containers") or ()) != len(before.get("containers") or ()):
        return [forbidden_field("spec.containers", "pod updates may not add or remove containers")]
    errors = toleration_update_errors(after.get("tolerations") or [], before.get("tolerations") or [])
    errors += _gate_errors(after, before)
    if _frozen(after, before) != _frozen(before, before):
        errors.append(forbidden_field("spec", UPDATE_RULE))
    return errors


def _gate_errors(after: Object, before: Object) -> list[FieldError]:
    """Scheduling gates are only ever lifted."""
    known = [gate["name"] for gate in before.get("schedulingGates") or ()]
    added = [gate["name"] for gate in after.get("schedulingGates") or () if gate["name"] not in known]
    rule = "only deletion is allowed, but found new scheduling gate"
    return [forbidden_field("spec.schedulingGates", f"{rule} '{name}'") for name in added]


def _frozen(spec: Object, reference: Object) -> dict[str, Any]:
    """The part of a spec that an update may not change."""
    free = ("tolerations", "activeDeadlineSeconds", "schedulingGates")
    kept = {key: value for key, value in spec.items() if key not in free}
    chosen = reference.get("nodeSelector") or {}
    if reference.get("schedulingGates") and chosen.items() <= (spec.get("nodeSelector") or {}).items():
        # A pod that isn't looked at yet may become choosier.
        kept["nodeSelector"] = chosen
    if spec.get("terminationGracePeriodSeconds") == 1 and reference.get("terminationGracePeriodSeconds", 0) < 0:
        kept["terminationGracePeriodSeconds"] = reference["terminationGracePeriodSeconds"]
    for key in ("containers", "initContainers"):
        if key in kept:
            kept[key] = [{k: v for k, v in container.items() if k != "image"} for container in kept[key]]
    return kept


STRATEGY = Strategy(
    defaults=_defaults,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    prepare_status=_prepare_status,
    warnings=pod_warnings,
    validate=_validate,
    validate_update=_validate_update,
)
