"""What a pod's row says: READY, STATUS and RESTARTS are worked out from its containers.

The rules in their order are those of `kubectl get pods` against a real API server.
"""

from typing import Any

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.durations import age


def pod_cells(pod: Object) -> list[Any]:
    """The cells of a pod, in the order of `columns`."""
    spec, status = pod.get("spec", {}), pod.get("status", {})
    addresses = status.get("podIPs") or []
    gates = spec.get("readinessGates") or []
    conditions = {c["type"]: c.get("status") for c in status.get("conditions") or ()}
    met = sum(conditions.get(gate.get("conditionType")) == "True" for gate in gates)
    return [
        pod["metadata"]["name"],
        _ready(spec, status),
        reason_of(pod),
        _restarts(spec, status),
        age(pod["metadata"].get("creationTimestamp")),
        addresses[0].get("ip") if addresses else status.get("podIP") or "<none>",
        spec.get("nodeName") or "<none>",
        status.get("nominatedNodeName") or "<none>",
        f"{met}/{len(gates)}" if gates else "<none>",
    ]


def _sidecars(spec: Object) -> set[str]:
    return {c["name"] for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"}


def _ready(spec: Object, status: Object) -> str:
    sidecars = _sidecars(spec)
    total = len(spec.get("containers") or ()) + len(sidecars)
    ready = sum(_is_ready(state) for state in status.get("containerStatuses") or ())
    ready += sum(
        _is_ready(state) and bool(state.get("started"))
        for state in status.get("initContainerStatuses") or ()
        if state.get("name") in sidecars
    )
    return f"{ready}/{total}"


def _is_ready(state: Object) -> bool:
    return bool(state.get("ready")) and state.get("state", {}).get("running") is not None


def reason_of(pod: Object) -> str:
    """STATUS: the phase, or what keeps the pod from it."""
    spec, status = pod.get("spec", {}), pod.get("status", {})
    phase = status.get("phase", "")
    reason = status.get("reason") or phase
    conditions = {c["type"]: c for c in status.get("conditions") or ()}
    if conditions.get("PodScheduled", {}).get("reason") == "SchedulingGated":
        reason = "SchedulingGated"
    initializing = _initializing(spec, status)
    if initializing:
        reason = initializing
    if not initializing or conditions.get("Initialized", {}).get("status") == "True":
        reason = _containers_reason(status, reason, conditions)
    if "deletionTimestamp" in pod["metadata"]:
        if status.get("reason") == "NodeLost":
            return "Unknown"
        if phase not in ("Succeeded", "Failed"):
            return "Terminating"
    return str(reason)


def _initializing(spec: Object, status: Object) -> str:
    """The first init container that isn't done, in words; empty when all are."""
    sidecars = _sidecars(spec)
    total = len(spec.get("initContainers") or ())
    for index, container in enumerate(status.get("initContainerStatuses") or ()):
        state = container.get("state") or {}
        ended, waiting = state.get("terminated"), state.get("waiting")
        if ended is not None and ended.get("exitCode", 0) == 0:
            continue
        if container.get("name") in sidecars and container.get("started"):
            continue
        if ended is not None:
            return f"Init:{_ended(ended)}"
        if waiting is not None and waiting.get("reason") not in (None, "", "PodInitializing"):
            return f"Init:{waiting['reason']}"
        return f"Init:{index}/{total}"
    return ""


def _ended(ended: Object) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    if ended.get("signal"):
        return f"Signal:{ended['signal']}"
    return f"ExitCode:{ended.get('exitCode', 0)}"


def _containers_reason(status: Object, reason: str, conditions: dict[str, Object]) -> str:
    running = False
    for container in reversed(status.get("containerStatuses") or []):
        state = container.get("state") or {}
        if (state.get("waiting") or {}).get("reason"):
            reason = state["waiting"]["reason"]
        elif state.get("terminated") is not None:
            reason = _ended(state["terminated"])
        elif container.get("ready") and state.get("running") is not None:
            running = True
    if reason == "Completed" and running:
        return "Running" if conditions.get("Ready", {}).get("status") == "True" else "NotReady"
    return reason


def _restarts(spec: Object, status: Object) -> str:
    sidecars = _sidecars(spec)
    init = status.get("initContainerStatuses") or []
    containers = status.get("containerStatuses") or []
    counted = init if _initializing(spec, status) else [*containers, *(c for c in init if c.get("name") in sidecars)]
    total = sum(container.get("restartCount", 0) for container in counted)
    ends = [((c.get("lastState") or {}).get("terminated") or {}).get("finishedAt") for c in counted]
    latest = max((end for end in ends if end), default=None)
    return f"{total} ({age(latest)} ago)" if total and latest else str(total)
