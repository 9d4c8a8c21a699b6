"""The status of a pod as the kubelet writes it: phase, conditions, container statuses.

Pure functions from what the kubelet knows (`PodFacts`) to the object; `pod_worker` decides when to send it. See
Kubernetes, "Pod Lifecycle".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.container_state import ContainerState, Terminated, Waiting
from seatrial.sandbox.kubelet.pod_limits import EVICTED
from seatrial.sandbox.kubelet.pod_resources import pod_resources
from seatrial.sandbox.kubelet.restart_rules import is_restarted
from seatrial.sandbox.timestamps import format_seconds

Phase = Literal["Pending", "Running", "Succeeded", "Failed"]
_DISRUPTED: Final = "DisruptionTarget"
TERMINAL_PHASES: Final = frozenset({"Succeeded", "Failed"})
# What is told of a container that never ran, when its pod is gone: it counts as a failure.
_NOT_LOCATED: Final[Object] = {
    "state": {
        "terminated": {
            "exitCode": 137,
            "reason": "ContainerStatusUnknown",
            "message": "The container could not be located when the pod was terminated",
            "startedAt": None,
            "finishedAt": None,
        }
    }
}
_OWNED_CONDITIONS: Final = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")


@dataclass(kw_only=True)
class PodFacts:
    """What the kubelet knows of one of its pods.

    Args:
        pod: the Pod as last seen.
        host_ip: address of the node.
        pod_ip: the pod's own address, once it has one.
        start_time: when the kubelet took the pod on.
        has_sandbox: whether the pod's surroundings (address, volumes) are there.
        init_containers: by name, in the order of the spec.
        containers: the same.
        ephemeral_containers: the same, those that were added later.
        ending: nothing will be started again: the phase becomes final when nothing runs.
        finished: nothing of it is left on the node: its final phase may be told.
        reason: why the kubelet itself ended it (`DeadlineExceeded`).
        message: the same for humans.
    """

    pod: Object
    host_ip: str
    start_time: float
    pod_ip: str = ""
    has_sandbox: bool = False
    init_containers: dict[str, ContainerState] = field(default_factory=dict)
    containers: dict[str, ContainerState] = field(default_factory=dict)
    ephemeral_containers: dict[str, ContainerState] = field(default_factory=dict)
    ending: bool = False
    finished: bool = False
    reason: str = ""
    message: str = ""

    @property
    def all_containers(self) -> list[ContainerState]:
        """Init containers first."""
        return [*self.init_containers.values(), *self.containers.values()]


def pod_phase(facts: PodFacts) -> Phase:
    """Which phase follows from what the pod's containers do."""
    if facts.reason or any(_failed_for_good(facts, state) for state in facts.init_containers.values()):
        return "Failed"
    never_ran = (isinstance(state.current, Waiting) and state.last is None for state in facts.containers.values())
    if not _is_initialized(facts) or any(never_ran):
        return "Pending"
    if any(state.running for state in facts.all_containers) or not (facts.ending or _is_over(facts)):
        return "Running"
    return "Succeeded" if all(state.completed for state in facts.containers.values()) else "Failed"


def _failed_for_good(facts: PodFacts, state: ContainerState) -> bool:
    """Whether an init container has failed and isn't restarted."""
    failed = isinstance(state.current, Terminated) and state.current.exit_code != 0 and not state.restartable
    return failed and (facts.ending or not _comes_back(facts, state, "initContainers"))


def _is_over(facts: PodFacts) -> bool:
    """Whether all containers have ended and none is restarted."""
    return not any(_comes_back(facts, state, "containers") for state in facts.containers.values())


def _comes_back(facts: PodFacts, state: ContainerState, section: str) -> bool:
    if not isinstance(state.current, Terminated):
        return True
    spec = next(spec for spec in facts.pod["spec"][section] if spec["name"] == state.name)
    return is_restarted(spec, facts.pod, section=section, exit_code=state.current.exit_code)


def _is_initialized(facts: PodFacts) -> bool:
    """Whether the init containers have done what they should: also sidecars that ended with their pod have."""
    if any(not isinstance(state.current, Waiting) or state.last is not None for state in facts.containers.values()):
        return True
    return all(_is_past(state) for state in facts.init_containers.values())


def _is_past(state: ContainerState) -> bool:
    """Whether an init container lets the next one begin."""
    return state.started if state.restartable else state.completed


def pod_status(facts: PodFacts, *, now: float) -> Object:
    """The status to send; what others wrote into the pod's (other conditions, its quality of service) is kept.

    Args:
        facts: what is known.
        now: seconds since the epoch, for transitions.
    """
    pod, old = facts.pod, facts.pod.get("status") or {}
    phase = pod_phase(facts)
    status: Object = {
        "observedGeneration": pod["metadata"].get("generation", 1),
        "phase": _shown_phase(facts, phase, old),
        "conditions": _conditions(facts, phase, old.get("conditions") or [], now=now),
        "hostIP": facts.host_ip,
        "hostIPs": [{"ip": facts.host_ip}],
        "startTime": format_seconds(facts.start_time),
        **pod_resources(pod["spec"]),
    }
    if facts.pod_ip and (facts.pod_ip == facts.host_ip or any(_has_begun(state) for state in facts.all_containers)):
        status |= {"podIP": facts.pod_ip, "podIPs": [{"ip": facts.pod_ip}]}
    if facts.reason and facts.finished:
        status |= {"reason": facts.reason, "message": facts.message}
    sections = ("initContainers", "containers", "ephemeralContainers")
    specs = {spec["name"]: spec for section in sections for spec in pod["spec"].get(section) or ()}
    if facts.init_containers:
        status["initContainerStatuses"] = [container_status(s, specs[s.name]) for s in facts.init_containers.values()]
    lost = _NOT_LOCATED if facts.finished and _is_initialized(facts) else {}
    status["containerStatuses"] = [
        container_status(s, specs[s.name]) | ({} if isinstance(s.current, Terminated) else lost)
        for s in facts.containers.values()
    ]
    if facts.ephemeral_containers:
        statuses = (container_status(s, specs[s.name]) for s in facts.ephemeral_containers.values())
        status["ephemeralContainerStatuses"] = [{k: v for k, v in s.items() if k != "started"} for s in statuses]
    return status


def _has_begun(state: ContainerState) -> bool:
    """Whether more is known of a container than that it is to be: the kubelet tells a pod's address with that."""
    waits = isinstance(state.current, Waiting) and state.current.reason in ("ContainerCreating", "PodInitializing")
    return not waits or state.last is not None


def _shown_phase(facts: PodFacts, phase: Phase, old: Object) -> str:
    """A final phase is told when nothing is left of the pod; until then it shows in the conditions alone."""
    if facts.finished:
        return phase if phase in TERMINAL_PHASES else "Failed"
    return phase if phase not in TERMINAL_PHASES else str(old.get("phase") or "Pending")


def container_status(state: ContainerState, spec: Object) -> Object:
    """One entry of `containerStatuses`."""
    status: Object = {
        "name": state.name,
        "state": state.current.to_object(),
        "lastState": state.last.to_object() if state.last else {},
        "ready": state.ready,
        "restartCount": state.restart_count,
        "image": state.image or spec["image"],
        "imageID": state.image_id,
        "started": state.started,
    }
    if spec.get("volumeMounts"):
        status["volumeMounts"] = [_mount_status(mount) for mount in spec["volumeMounts"]]
    if state.container_id:
        resources = spec.get("resources") or {}
        if resources.get("requests"):
            status["allocatedResources"] = resources["requests"]
        status |= {"containerID": state.container_id, "resources": resources}
        if state.user is not None:
            uid, gid = state.user
            status["user"] = {"linux": {"uid": uid, "gid": gid, "supplementalGroups": [gid]}}
    return status


def _mount_status(mount: Object) -> Object:
    status = {"name": mount["name"], "mountPath": mount["mountPath"]}
    return status | ({"readOnly": True, "recursiveReadOnly": "Disabled"} if mount.get("readOnly") else {})


def _conditions(facts: PodFacts, phase: Phase, old: Sequence[Object], *, now: float) -> list[Object]:
    before = {condition["type"]: condition for condition in old}
    ready = _ready_condition(facts, phase)
    wanted: list[tuple[str, Object]] = [
        ("PodReadyToStartContainers", _truth(facts.has_sandbox)),
        ("Initialized", _initialized_condition(facts, phase)),
        ("Ready", _with_gates(ready, facts.pod, before)),
        ("ContainersReady", ready),
        ("PodScheduled", _truth(value=True)),
    ]
    generation = facts.pod["metadata"].get("generation", 1)
    conditions = [
        _with_times({"type": name, "observedGeneration": generation, **content}, before.get(name), now=now)
        for name, content in wanted
    ]
    others = [condition for condition in old if condition["type"] not in _OWNED_CONDITIONS]
    if facts.reason != EVICTED:
        return conditions + others
    disrupted = {"type": _DISRUPTED, "status": "True", "reason": "TerminationByKubelet", "message": facts.message}
    told = _with_times({"observedGeneration": generation, **disrupted}, before.get(_DISRUPTED), now=now)
    return [*conditions, *(condition for condition in others if condition["type"] != _DISRUPTED), told]


def _truth(value: bool) -> Object:  # noqa: FBT001 -- the value itself
    return {"status": "True" if value else "False"}


def _initialized_condition(facts: PodFacts, phase: Phase) -> Object:
    if phase == "Succeeded":
        return {"status": "True", "reason": "PodCompleted"}
    missing = [state.name for state in facts.init_containers.values() if not _was_past(state)]
    # Sidecars that ended with their pod were past once.
    if not missing or any(not isinstance(state.current, Waiting) for state in facts.containers.values()):
        return {"status": "True"}
    return {
        "status": "False",
        "reason": "ContainersNotInitialized",
        "message": f"containers with incomplete status: [{' '.join(missing)}]",
    }


def _was_past(state: ContainerState) -> bool:
    return _is_past(state) or (state.restartable and state.completed)


def _ready_condition(facts: PodFacts, phase: Phase) -> Object:
    if phase == "Succeeded":
        return {"status": "False", "reason": "PodCompleted"}
    if phase == "Failed":
        return {"status": "False", "reason": "PodFailed"}
    needed = [*(s for s in facts.init_containers.values() if s.restartable), *facts.containers.values()]
    unready = [state.name for state in needed if not state.ready]
    if not unready:
        return {"status": "True"}
    return {
        "status": "False",
        "reason": "ContainersNotReady",
        "message": f"containers with unready status: [{' '.join(unready)}]",
    }


def _with_gates(ready: Object, pod: Object, before: Mapping[str, Object]) -> Object:
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or ()]
    closed = [gate for gate in gates if before.get(gate, {}).get("status") != "True"]
    if not closed or ready["status"] != "True":
        return ready
    words = (
        f'corresponding condition of pod readiness gate "{gate}" '
        + ("does not exist." if gate not in before else 'does not have status "True"')
        for gate in closed
    )
    return {"status": "False", "reason": "ReadinessGatesNotReady", "message": ", ".join(words)}


def _with_times(condition: Object, before: Object | None, *, now: float) -> Object:
    same = before is not None and before["status"] == condition["status"]
    moved = before.get("lastTransitionTime") if same and before else None
    return {**condition, "lastProbeTime": None, "lastTransitionTime": moved or format_seconds(now)}
