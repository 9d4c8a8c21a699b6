"""Pods: their defaults, their quality of service, the service account's volume, what may change later."""

from typing import Any

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.metadata import generated_suffix, now
from seatrial.sandbox.apiserver.statuses import FieldError, forbidden, forbidden_field
from seatrial.sandbox.apiserver.strategies.base import Strategy, Surroundings, fill
from seatrial.sandbox.apiserver.strategies.pod_spec import default_pod_spec
from seatrial.sandbox.apiserver.strategies.pod_validation import pod_spec_errors, pod_warnings, toleration_update_errors

TOKEN_MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 -- a path, not a secret
_NOT_READY = "node.kubernetes.io/not-ready"
_UNREACHABLE = "node.kubernetes.io/unreachable"
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


def _admit(pod: Object, around: Surroundings) -> None:
    spec = pod["spec"]
    _admit_service_account(pod, around)
    _admit_priority(pod, around)
    for key in (_NOT_READY, _UNREACHABLE):
        _tolerate(spec, key)


def _tolerate(spec: Object, key: str) -> None:
    tolerations = spec.setdefault("tolerations", [])
    for toleration in tolerations:
        if toleration.get("key", "") in ("", key) and toleration.get("effect", "NoExecute") == "NoExecute":
            return
    tolerations.append({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300})


def _admit_service_account(pod: Object, around: Surroundings) -> None:
    spec, metadata = pod["spec"], pod["metadata"]
    if "kubernetes.io/config.mirror" in (metadata.get("annotations") or {}):
        return
    name = spec.get("serviceAccountName") or "default"
    spec["serviceAccountName"] = spec["serviceAccount"] = name
    account = around.lookup("serviceaccounts", metadata["namespace"], name)
    if account is None:
        subject = metadata.get("name") or metadata.get("generateName", "")
        why = f'error looking up service account {metadata["namespace"]}/{name}: serviceaccount "{name}" not found'
        raise forbidden("", "pods", subject, why)
    if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
        spec["imagePullSecrets"] = [dict(secret) for secret in account["imagePullSecrets"]]
    wanted = spec.get("automountServiceAccountToken", account.get("automountServiceAccountToken", True))
    if wanted:
        _mount_token(spec)


def _mount_token(spec: Object) -> None:
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    missing = [c for c in containers if all(m.get("mountPath") != TOKEN_MOUNT for m in c.get("volumeMounts") or ())]
    if not missing:
        return
    volume = f"kube-api-access-{generated_suffix()}"
    for container in missing:
        mount = {"name": volume, "readOnly": True, "mountPath": TOKEN_MOUNT}
        container.setdefault("volumeMounts", []).append(mount)
    spec.setdefault("volumes", []).append({"name": volume, "projected": _token_sources()})


def _token_sources() -> Object:
    namespace_item = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    return {
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [namespace_item]}},
        ],
        "defaultMode": 420,
    }


def _admit_priority(pod: Object, around: Surroundings) -> None:
    spec = pod["spec"]
    name = spec.get("priorityClassName", "")
    if name:
        found = around.lookup("priorityclasses.scheduling.k8s.io", "", name)
        if found is None:
            why = f"no PriorityClass with name {name} was found"
            raise forbidden("", "pods", pod["metadata"].get("name", ""), why)
    else:
        classes = around.objects("priorityclasses.scheduling.k8s.io")
        found = next((item for item in classes if item.get("globalDefault")), None)
        if found is not None:
            spec["priorityClassName"] = found["metadata"]["name"]
    spec["priority"] = found["value"] if found else 0
    spec["preemptionPolicy"] = (found or {}).get("preemptionPolicy", "PreemptLowerPriority")


def _admit_update(new: Object, _old: Object, _around: Surroundings) -> None:
    for key in (_NOT_READY, _UNREACHABLE):
        _tolerate(new["spec"], key)


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
    return pod_spec_errors(pod["spec"], "spec", pod=True)


def _validate_update(new: Object, old: Object) -> list[FieldError]:
    before, after = old["spec"], new["spec"]
    if len(after.get("containers") or ()) != len(before.get("containers") or ()):
        return [forbidden_field("spec.containers", "pod updates may not add or remove containers")]
    errors = toleration_update_errors(after.get("tolerations") or [], before.get("tolerations") or [])
    if _frozen(after, before) != _frozen(before, before):
        errors.append(forbidden_field("spec", UPDATE_RULE))
    return errors


def _frozen(spec: Object, reference: Object) -> dict[str, Any]:
    """The part of a spec that an update may not change."""
    kept = {key: value for key, value in spec.items() if key not in ("tolerations", "activeDeadlineSeconds")}
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
    admit=_admit,
    admit_update=_admit_update,
    warnings=pod_warnings,
    validate=_validate,
    validate_update=_validate_update,
)
