"""Priority: a pod's class becomes the number that the scheduler, preemption and eviction go by."""

from typing import Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.admission.attempt import Attempt
from seatrial.sandbox.apiserver.strategies.base import Surroundings

_CLASSES: Final = "priorityclasses.scheduling.k8s.io"


def admit_pod(attempt: Attempt, around: Surroundings) -> None:
    """Resolve a new pod's class, or the cluster's default; 403 for an unknown one or numbers that contradict it."""
    spec = attempt.new["spec"]
    found = _class_of(attempt, around)
    if found is not None:
        spec["priorityClassName"] = found["metadata"]["name"]
    value = found["value"] if found is not None else 0
    policy = (found or {}).get("preemptionPolicy", "PreemptLowerPriority")
    for field, shown, computed in (
        ("priority", "integer value of priority", value),
        ("preemptionPolicy", "string value of PreemptionPolicy", policy),
    ):
        given = spec.get(field)
        if given is not None and given != computed:
            why = f"the {shown} ({given}) must not be provided in pod spec; priority admission controller computed "
            raise attempt.refusal(f"{why}{computed} from the given PriorityClass name")
        spec[field] = computed


def _class_of(attempt: Attempt, around: Surroundings) -> Object | None:
    name = attempt.new["spec"].get("priorityClassName", "")
    if name:
        found = around.lookup(_CLASSES, "", name)
        if found is None:
            raise attempt.refusal(f"no PriorityClass with name {name} was found")
        return found
    defaults = [item for item in around.objects(_CLASSES) if item.get("globalDefault")]
    return min(defaults, key=lambda item: int(item["value"]), default=None)


def check_class(attempt: Attempt, around: Surroundings) -> None:
    """403 for a second class that wants to be the default."""
    if not attempt.new.get("globalDefault"):
        return
    for other in around.objects(_CLASSES):
        if other.get("globalDefault") and other["metadata"]["name"] != attempt.name:
            name = other["metadata"]["name"]
            raise attempt.refusal(f"PriorityClass {name} is already marked as default. Only one default can exist")
