"""What stands in the tables of an administrator's kinds: storage, classes, admission, priority and fairness, devices.

They are stored by a sandbox and mostly left alone; a table shows what their author wrote.
"""

from collections.abc import Callable
from typing import Any, Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.durations import age, human_duration

Cells = Callable[[Object], list[Any]]
NONE: Final = "<none>"
UNSET: Final = "<unset>"
ACCESS_MODES: Final = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}
_DEFAULT_CLASS: Final = "storageclass.kubernetes.io/is-default-class"


def age_of(obj: Object) -> str:
    """How long an object exists."""
    return age(obj["metadata"].get("creationTimestamp"))


def access_modes(modes: list[str] | None) -> str:
    """Access modes in their short form: `RWO,ROX`."""
    return ",".join(ACCESS_MODES.get(mode, mode) for mode in modes or ())


def volume_phase(obj: Object) -> str:
    """The phase of a volume or a claim."""
    if "deletionTimestamp" in obj["metadata"]:
        return "Terminating"
    return str((obj.get("status") or {}).get("phase", ""))


def _volume(obj: Object) -> list[Any]:
    spec, claim = obj.get("spec") or {}, (obj.get("spec") or {}).get("claimRef")
    return [
        (spec.get("capacity") or {}).get("storage", ""),
        access_modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""),
        volume_phase(obj),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        spec.get("storageClassName", ""),
        spec.get("volumeAttributesClassName") or UNSET,
        (obj.get("status") or {}).get("reason", ""),
        age_of(obj),
        spec.get("volumeMode", UNSET),
    ]


def _storage_class(obj: Object) -> list[Any]:
    return [
        obj.get("provisioner", ""),
        obj.get("reclaimPolicy", "Delete"),
        obj.get("volumeBindingMode", "Immediate"),
        bool(obj.get("allowVolumeExpansion")),
        age_of(obj),
    ]


def _template(obj: Object) -> list[Any]:
    template = obj.get("template") or {}
    containers = (template.get("spec") or {}).get("containers") or ()
    labels = (template.get("metadata") or {}).get("labels") or {}
    return [
        ",".join(container.get("name", "") for container in containers),
        ",".join(container.get("image", "") for container in containers),
        ",".join(f"{key}={value}" for key, value in sorted(labels.items())) or NONE,
    ]


def _component(obj: Object) -> list[Any]:
    healthy: Object = next((each for each in obj.get("conditions") or () if each.get("type") == "Healthy"), {})
    status = {"True": "Healthy", "False": "Unhealthy"}.get(healthy.get("status", ""), "Unknown")
    return [status, healthy.get("message", ""), healthy.get("error", "")]


def _service_of_api(obj: Object) -> list[Any]:
    service = (obj.get("spec") or {}).get("service")
    available: Object = next(
        (each for each in (obj.get("status") or {}).get("conditions") or () if each.get("type") == "Available"), {}
    )
    state = available.get("status", "Unknown")
    if state != "True" and available.get("reason"):
        state = f"{state} ({available['reason']})"
    return [f"{service.get('namespace')}/{service.get('name')}" if service else "Local", state, age_of(obj)]


def _ingress_class(obj: Object) -> list[Any]:
    spec = obj.get("spec") or {}
    parameters = spec.get("parameters")
    shown = NONE
    if parameters:
        group = f".{parameters['apiGroup']}" if parameters.get("apiGroup") else ""
        shown = f"{parameters.get('kind')}{group}/{parameters.get('name')}"
    return [spec.get("controller", ""), shown, age_of(obj)]


def _signing_request(obj: Object) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    kinds = [each.get("type", "") for each in status.get("conditions") or ()]
    state = next((kind for kind in ("Denied", "Failed", "Approved") if kind in kinds), "Pending")
    issued = ",Issued" if status.get("certificate") else ""
    seconds = spec.get("expirationSeconds")
    duration = NONE if seconds is None else human_duration(seconds)
    return [age_of(obj), spec.get("signerName", NONE), spec.get("username", ""), duration, state + issued]


def _csi_driver(obj: Object) -> list[Any]:
    spec = obj.get("spec") or {}
    audiences = ",".join(each.get("audience", "") for each in spec.get("tokenRequests") or ())
    return [
        spec.get("attachRequired", True),
        bool(spec.get("podInfoOnMount")),
        bool(spec.get("storageCapacity")),
        audiences or UNSET,
        bool(spec.get("requiresRepublish")),
        ",".join(spec.get("volumeLifecycleModes") or ()) or "Persistent",
        age_of(obj),
    ]


def _volume_attachment(obj: Object) -> list[Any]:
    spec = obj.get("spec") or {}
    volume = (spec.get("source") or {}).get("persistentVolumeName", "")
    attached = bool((obj.get("status") or {}).get("attached"))
    return [spec.get("attacher", ""), volume, spec.get("nodeName", ""), attached, age_of(obj)]


def _flow_schema(obj: Object) -> list[Any]:
    spec = obj.get("spec") or {}
    level = (spec.get("priorityLevelConfiguration") or {}).get("name", NONE)
    method = (spec.get("distinguisherMethod") or {}).get("type", NONE)
    conditions = (obj.get("status") or {}).get("conditions") or ()
    dangling = next((each.get("status", "?") for each in conditions if each.get("type") == "Dangling"), "?")
    return [level, spec.get("matchingPrecedence", 0), method, age_of(obj), dangling]


def _priority_level(obj: Object) -> list[Any]:
    spec = obj.get("spec") or {}
    limited = spec.get("limited") or spec.get("exempt") or {}
    queuing = (limited.get("limitResponse") or {}).get("queuing") or {}
    numbers = [queuing.get(name, NONE) for name in ("queues", "handSize", "queueLengthLimit")]
    return [spec.get("type", ""), limited.get("nominalConcurrencyShares", NONE), *numbers, age_of(obj)]


def _policy(what: str) -> Cells:
    def cells(obj: Object) -> list[Any]:
        spec = obj.get("spec") or {}
        kind = spec.get("paramKind")
        shown = f"{kind.get('apiVersion')}/{kind.get('kind')}" if kind else UNSET
        return [len(spec.get(what) or ()), shown, age_of(obj)]

    return cells


def _policy_binding(obj: Object) -> list[Any]:
    spec = obj.get("spec") or {}
    reference = spec.get("paramRef")
    shown = UNSET
    if reference:
        name, namespace = reference.get("name", "*"), reference.get("namespace")
        shown = f"{namespace}/{name}" if namespace else str(name)
    return [spec.get("policyName", ""), shown, age_of(obj)]


def _address(obj: Object) -> list[Any]:
    parent = (obj.get("spec") or {}).get("parentRef") or {}
    named = [parent.get(key) for key in ("resource", "namespace", "name")]
    group = f".{parent['group']}" if parent.get("group") else ""
    return [f"{named[0]}{group}/" + "/".join(str(part) for part in named[1:] if part), age_of(obj)]


def _claim_state(obj: Object) -> list[Any]:
    status = obj.get("status") or {}
    states = [word for key, word in (("allocation", "allocated"), ("reservedFor", "reserved")) if status.get(key)]
    if "deletionTimestamp" in obj["metadata"]:
        states.insert(0, "deleted")
    return [",".join(states) or "pending", age_of(obj)]


def _resource_slice(obj: Object) -> list[Any]:
    spec = obj.get("spec") or {}
    pool = (spec.get("pool") or {}).get("name", "")
    return [spec.get("nodeName", ""), spec.get("driver", ""), pool, age_of(obj)]


def _webhooks(obj: Object) -> list[Any]:
    return [len(obj.get("webhooks") or ()), age_of(obj)]


def displayed_name(table: str, obj: Object) -> str:
    """The name; the default storage class says that it is."""
    name = str(obj["metadata"]["name"])
    annotations = obj["metadata"].get("annotations") or {}
    is_default = table == "storageclasses.storage.k8s.io" and annotations.get(_DEFAULT_CLASS) == "true"
    return f"{name} (default)" if is_default else name


CLUSTER_CELLS: Final[dict[str, Cells]] = {
    "persistentvolumes": _volume,
    "storageclasses.storage.k8s.io": _storage_class,
    "podtemplates": _template,
    "componentstatuses": _component,
    "apiservices.apiregistration.k8s.io": _service_of_api,
    "ingressclasses.networking.k8s.io": _ingress_class,
    "runtimeclasses.node.k8s.io": lambda obj: [obj.get("handler", ""), age_of(obj)],
    "certificatesigningrequests.certificates.k8s.io": _signing_request,
    "csinodes.storage.k8s.io": lambda obj: [len((obj.get("spec") or {}).get("drivers") or ()), age_of(obj)],
    "csidrivers.storage.k8s.io": _csi_driver,
    "csistoragecapacities.storage.k8s.io": lambda obj: [obj.get("storageClassName", ""), obj.get("capacity", UNSET)],
    "volumeattachments.storage.k8s.io": _volume_attachment,
    "volumeattributesclasses.storage.k8s.io": lambda obj: [obj.get("driverName", ""), age_of(obj)],
    "flowschemas.flowcontrol.apiserver.k8s.io": _flow_schema,
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": _priority_level,
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": _webhooks,
    "validatingwebhookconfigurations.admissionregistration.k8s.io": _webhooks,
    "validatingadmissionpolicies.admissionregistration.k8s.io": _policy("validations"),
    "mutatingadmissionpolicies.admissionregistration.k8s.io": _policy("mutations"),
    "validatingadmissionpolicybindings.admissionregistration.k8s.io": _policy_binding,
    "mutatingadmissionpolicybindings.admissionregistration.k8s.io": _policy_binding,
    "servicecidrs.networking.k8s.io": lambda obj: [",".join((obj.get("spec") or {}).get("cidrs") or ()), age_of(obj)],
    "ipaddresses.networking.k8s.io": _address,
    "deviceclasses.resource.k8s.io": lambda obj: [age_of(obj)],
    "resourceclaims.resource.k8s.io": _claim_state,
    "resourceclaimtemplates.resource.k8s.io": lambda obj: [age_of(obj)],
    "resourceslices.resource.k8s.io": _resource_slice,
}
