"""What stands in the cells of each resource's table."""

from collections.abc import Callable
from typing import Any

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.durations import age, human_duration, seconds_between
from seatrial.sandbox.apiserver.printers.cluster_cells import (
    CLUSTER_CELLS,
    NONE,
    UNSET,
    access_modes,
    age_of,
    displayed_name,
    volume_phase,
)
from seatrial.sandbox.apiserver.printers.pod_cells import pod_cells
from seatrial.sandbox.apiserver.selectors import selector_text


def _selector(selector: Object | None) -> str:
    """A selector, or plain labels, as text."""
    if not selector:
        return NONE
    if not ({"matchLabels", "matchExpressions"} & set(selector)):
        selector = {"matchLabels": selector}
    return selector_text(selector) or NONE


def _template(obj: Object, spec: Object | None = None) -> tuple[str, str]:
    spec = spec or obj["spec"]
    containers = ((spec.get("template") or {}).get("spec") or {}).get("containers") or ()
    return (
        ",".join(c.get("name", "") for c in containers),
        ",".join(c.get("image", "") for c in containers),
    )


def _deployment(obj: Object) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    return [
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        age_of(obj),
        *_template(obj),
        _selector(spec.get("selector")),
    ]


def _replica_set(obj: Object) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    counts = [spec.get("replicas", 0), status.get("replicas", 0), status.get("readyReplicas", 0)]
    return [*counts, age_of(obj), *_template(obj), _selector(spec.get("selector"))]


def _stateful_set(obj: Object) -> list[Any]:
    ready = (obj.get("status") or {}).get("readyReplicas", 0)
    return [f"{ready}/{obj['spec'].get('replicas', 0)}", age_of(obj), *_template(obj)]


def _daemon_set(obj: Object) -> list[Any]:
    status = obj.get("status") or {}
    names = (
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    )
    pod = (obj["spec"].get("template") or {}).get("spec") or {}
    counts = [status.get(name, 0) for name in names]
    selector = _selector(pod.get("nodeSelector"))
    return [*counts, selector, age_of(obj), *_template(obj), _selector(obj["spec"].get("selector"))]


def _revision(obj: Object) -> list[Any]:
    owner = next((o for o in obj["metadata"].get("ownerReferences") or () if o.get("controller")), None)
    shown = NONE
    if owner is not None:
        group = owner["apiVersion"].partition("/")[0] if "/" in owner["apiVersion"] else ""
        shown = (
            f"{owner['kind'].lower()}.{group}/{owner['name']}" if group else f"{owner['kind'].lower()}/{owner['name']}"
        )
    return [shown, obj.get("revision", 0), age_of(obj)]


def _job(obj: Object) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    conditions = {c["type"] for c in status.get("conditions") or () if c.get("status") == "True"}
    words = ("Complete", "Failed", "Suspended", "FailureTarget", "SuccessCriteriaMet")
    state = next((word for word in words if word in conditions), "Running")
    if "deletionTimestamp" in obj["metadata"]:
        state = "Terminating"
    done = status.get("succeeded", 0)
    if spec.get("completions") is not None:
        completions = f"{done}/{spec['completions']}"
    else:
        parallelism = spec.get("parallelism", 0)
        completions = f"{done}/1 of {parallelism}" if parallelism > 1 else f"{done}/1"
    seconds = seconds_between(status.get("startTime"), status.get("completionTime"))
    duration = "" if seconds is None else human_duration(seconds)
    return [state, completions, duration, age_of(obj), *_template(obj), _selector(spec.get("selector"))]


def _cron_job(obj: Object) -> list[Any]:
    spec, status = obj["spec"], obj.get("status") or {}
    last = status.get("lastScheduleTime")
    return [
        spec.get("schedule", ""),
        spec.get("timeZone") or NONE,
        "True" if spec.get("suspend") else "False",
        len(status.get("active") or ()),
        age(last) if last else NONE,
        age_of(obj),
        *_template(obj, spec["jobTemplate"]["spec"]),
        _selector(spec["jobTemplate"]["spec"].get("selector")),
    ]


def _service(obj: Object) -> list[Any]:
    spec = obj["spec"]
    ports = []
    for port in spec.get("ports") or ():
        number = f"{port['port']}:{port['nodePort']}" if port.get("nodePort") else str(port["port"])
        ports.append(f"{number}/{port.get('protocol', 'TCP')}")
    return [
        spec.get("type", "ClusterIP"),
        spec.get("clusterIP") or NONE,
        _external(spec, obj.get("status") or {}),
        ",".join(ports) or NONE,
        age_of(obj),
        _selector(spec.get("selector")),
    ]


def _external(spec: Object, status: Object) -> str:
    addresses = list(spec.get("externalIPs") or ())
    if spec.get("type") == "ExternalName":
        return spec.get("externalName") or NONE
    if spec.get("type") == "LoadBalancer":
        ingress = (status.get("loadBalancer") or {}).get("ingress") or ()
        addresses = [entry.get("ip") or entry.get("hostname", "") for entry in ingress] + addresses
        return ",".join(addresses) or "<pending>"
    return ",".join(addresses) or NONE


def _shortened(items: list[str], limit: int, missing: str) -> str:
    shown = ",".join(items[:limit])
    return f"{shown} + {len(items) - limit} more..." if len(items) > limit else shown or missing


def _endpoints(obj: Object) -> list[Any]:
    pairs = []
    for subset in obj.get("subsets") or ():
        ports = subset.get("ports") or [None]
        for port in ports:
            addresses = [address["ip"] for address in subset.get("addresses") or ()]
            pairs += [f"{address}:{port['port']}" if port else address for address in addresses]
    return [_shortened(pairs, 3, NONE), age_of(obj)]


def _endpoint_slice(obj: Object) -> list[Any]:
    ports = [str(port.get("port", "*")) for port in obj.get("ports") or ()]
    addresses = [address for endpoint in obj.get("endpoints") or () for address in endpoint.get("addresses") or ()]
    return [
        obj.get("addressType", ""),
        _shortened(ports, 3, "<unset>"),
        _shortened(addresses, 3, "<unset>"),
        age_of(obj),
    ]


def _node(obj: Object) -> list[Any]:
    status = obj.get("status") or {}
    conditions = {c["type"]: c.get("status") for c in status.get("conditions") or ()}
    state = {"True": "Ready", None: "Unknown"}.get(conditions.get("Ready"), "NotReady")
    if obj.get("spec", {}).get("unschedulable"):
        state += ",SchedulingDisabled"
    prefix = "node-role.kubernetes.io/"
    labels = obj["metadata"].get("labels") or {}
    roles = sorted(
        key[len(prefix) :] if key.startswith(prefix) else value
        for key, value in labels.items()
        if key.startswith(prefix) or key == "kubernetes.io/role"
    )
    addresses = {entry["type"]: entry["address"] for entry in reversed(status.get("addresses") or [])}
    info = status.get("nodeInfo") or {}
    kernel = info.get("kernelVersion") or "<unknown>"
    if info.get("architecture"):
        kernel = f"{kernel} ({info['architecture']})"
    return [
        state,
        ",".join(roles) or NONE,
        age_of(obj),
        info.get("kubeletVersion", ""),
        addresses.get("InternalIP", NONE),
        addresses.get("ExternalIP", NONE),
        info.get("osImage") or "<unknown>",
        kernel,
        info.get("containerRuntimeVersion") or "<unknown>",
    ]


def _event(obj: Object) -> list[Any]:
    involved = obj.get("involvedObject") or {}
    series, source = obj.get("series") or {}, obj.get("source") or {}
    first = obj.get("firstTimestamp") or obj.get("eventTime")
    last = series.get("lastObservedTime") or obj.get("lastTimestamp") or first
    count = series.get("count") or obj.get("count") or 1
    who = source.get("component") or obj.get("reportingComponent") or ""
    where = source.get("host") or (obj.get("reportingInstance") if not source.get("component") else "")
    return [
        age(last),
        obj.get("type", ""),
        obj.get("reason", ""),
        f"{involved.get('kind', '').lower()}/{involved.get('name', '')}",
        involved.get("fieldPath", ""),
        f"{who}, {where}" if where else who,
        (obj.get("message") or "").strip(),
        age(first),
        count,
        obj["metadata"]["name"],
    ]


def _budget(obj: Object) -> list[Any]:
    spec = obj.get("spec") or {}
    allowed = (obj.get("status") or {}).get("disruptionsAllowed", 0)
    return [str(spec.get("minAvailable", "N/A")), str(spec.get("maxUnavailable", "N/A")), allowed, age_of(obj)]


def _autoscaler(obj: Object) -> list[Any]:
    spec = obj["spec"]
    reference = spec.get("scaleTargetRef") or {}
    targets = []
    for metric in spec.get("metrics") or ():
        details = metric.get("resource") or {}
        share = (details.get("target") or {}).get("averageUtilization")
        targets.append(f"{details.get('name', 'metric')}: <unknown>/{share}%" if share else "<unknown>/<auto>")
    least = spec.get("minReplicas")
    replicas = (obj.get("status") or {}).get("currentReplicas", 0)
    name = f"{reference.get('kind')}/{reference.get('name')}"
    shown = "<unset>" if least is None else str(least)
    return [name, ", ".join(targets) or NONE, shown, spec.get("maxReplicas", 0), replicas, age_of(obj)]


def _role(obj: Object) -> list[Any]:
    return [obj["metadata"].get("creationTimestamp", "")]


def _role_binding(obj: Object) -> list[Any]:
    reference, subjects = obj.get("roleRef") or {}, obj.get("subjects") or ()

    def named(kind: str) -> str:
        return ", ".join(
            f"{s.get('namespace', '')}/{s['name']}" if kind == "ServiceAccount" else s["name"]
            for s in subjects
            if s.get("kind") == kind
        )

    role = f"{reference.get('kind')}/{reference.get('name')}"
    return [role, age_of(obj), named("User"), named("Group"), named("ServiceAccount")]


def _ingress(obj: Object) -> list[Any]:
    spec = obj.get("spec") or {}
    hosts = [rule.get("host") or "*" for rule in spec.get("rules") or ()]
    entries = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    address = ",".join(entry.get("ip") or entry.get("hostname", "") for entry in entries)
    ports = "80, 443" if spec.get("tls") else "80"
    return [spec.get("ingressClassName") or NONE, _shortened(hosts, 3, "*"), address, ports, age_of(obj)]


def _claim(obj: Object) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    volume = spec.get("volumeName", "")
    return [
        volume_phase(obj),
        volume,
        (status.get("capacity") or {}).get("storage", "") if volume else "",
        access_modes(status.get("accessModes")) if volume else "",
        spec.get("storageClassName", ""),
        spec.get("volumeAttributesClassName") or UNSET,
        age_of(obj),
        spec.get("volumeMode", UNSET),
    ]


def _quota(obj: Object) -> list[Any]:
    status = obj.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    shown = {name: f"{name}: {used.get(name, '0')}/{hard[name]}" for name in sorted(hard)}
    limits = [text for name, text in shown.items() if name.startswith("limits.")]
    requests = [text for name, text in shown.items() if not name.startswith("limits.")]
    return [", ".join(requests), ", ".join(limits), age_of(obj)]


_CELLS: dict[str, Callable[[Object], list[Any]]] = {
    **CLUSTER_CELLS,
    "deployments.apps": _deployment,
    "replicasets.apps": _replica_set,
    "replicationcontrollers": _replica_set,
    "statefulsets.apps": _stateful_set,
    "daemonsets.apps": _daemon_set,
    "controllerrevisions.apps": _revision,
    "jobs.batch": _job,
    "cronjobs.batch": _cron_job,
    "services": _service,
    "endpoints": _endpoints,
    "endpointslices.discovery.k8s.io": _endpoint_slice,
    "scales": lambda obj: [obj["spec"].get("replicas", 0), obj["status"].get("replicas", 0), age_of(obj)],
    "nodes": _node,
    "namespaces": lambda obj: [(obj.get("status") or {}).get("phase", ""), age_of(obj)],
    "configmaps": lambda obj: [len(obj.get("data") or ()) + len(obj.get("binaryData") or ()), age_of(obj)],
    "secrets": lambda obj: [obj.get("type", ""), len(obj.get("data") or ()), age_of(obj)],
    "serviceaccounts": lambda obj: [age_of(obj)],
    "leases.coordination.k8s.io": lambda obj: [(obj.get("spec") or {}).get("holderIdentity", ""), age_of(obj)],
    "poddisruptionbudgets.policy": _budget,
    "horizontalpodautoscalers.autoscaling": _autoscaler,
    "roles.rbac.authorization.k8s.io": _role,
    "clusterroles.rbac.authorization.k8s.io": _role,
    "rolebindings.rbac.authorization.k8s.io": _role_binding,
    "clusterrolebindings.rbac.authorization.k8s.io": _role_binding,
    "networkpolicies.networking.k8s.io": lambda obj: [_selector(obj["spec"].get("podSelector")), age_of(obj)],
    "ingresses.networking.k8s.io": _ingress,
    "priorityclasses.scheduling.k8s.io": lambda obj: [
        obj.get("value", 0),
        bool(obj.get("globalDefault")),
        age_of(obj),
        obj.get("preemptionPolicy", ""),
    ],
    "resourcequotas": _quota,
    "persistentvolumeclaims": _claim,
}


def cells_of(table: str, obj: Object) -> list[Any]:
    """The cells of an object's row."""
    if table == "pods":
        return pod_cells(obj)
    if table == "events":
        return _event(obj)
    return [displayed_name(table, obj), *_CELLS.get(table, _role)(obj)]
