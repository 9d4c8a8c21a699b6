"""RuntimeClass: its overhead and its nodes become the pod's."""

from seatrial.sandbox.apiserver.admission.attempt import Attempt
from seatrial.sandbox.apiserver.strategies.base import Surroundings


def admit(attempt: Attempt, around: Surroundings) -> None:
    """Take over the overhead and scheduling of a new pod's class; 403 when there is no such class."""
    spec = attempt.new["spec"]
    name = spec.get("runtimeClassName")
    if not name:
        return
    found = around.lookup("runtimeclasses.node.k8s.io", "", name)
    if found is None:
        raise attempt.refusal(f'pod rejected: RuntimeClass "{name}" not found')
    overhead = (found.get("overhead") or {}).get("podFixed")
    if overhead:
        if spec.get("overhead") not in (None, overhead):
            why = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
            raise attempt.refusal(why)
        spec["overhead"] = dict(overhead)
    scheduling = found.get("scheduling") or {}
    selector = spec.get("nodeSelector") or {}
    for key, value in (scheduling.get("nodeSelector") or {}).items():
        if selector.get(key, value) != value:
            why = f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; "
            raise attempt.refusal(f"{why}pod.spec.nodeSelector[{key}] = {selector[key]}")
        spec.setdefault("nodeSelector", {})[key] = value
    for toleration in scheduling.get("tolerations") or ():
        if toleration not in spec.get("tolerations", []):
            spec.setdefault("tolerations", []).append(dict(toleration))
