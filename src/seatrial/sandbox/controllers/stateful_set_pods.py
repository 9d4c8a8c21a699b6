"""The pods of a StatefulSet: their names and numbers, what makes each one itself, the claims that hold its data.

Pure functions over JSON. Behaviour: Kubernetes documentation, "StatefulSets": pod identity, stable network identity and
storage, `persistentVolumeClaimRetentionPolicy`.
"""

import copy
import re
from typing import Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.controllers.objects import (
    is_available,
    is_ready,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
)
from seatrial.sandbox.timestamps import Clock

POD_NAME: Final = "statefulset.kubernetes.io/pod-name"
POD_INDEX: Final = "apps.kubernetes.io/pod-index"
REVISION: Final = "controller-revision-hash"
_NUMBERED: Final = re.compile(r"\A(.*)-([0-9]+)\Z")


def ordinal_of(pod: Object) -> int:
    """The number at the end of the pod's name, -1 where there is none."""
    found = _NUMBERED.match(name_of(pod))
    return int(found[2]) if found else -1


def is_member(pod: Object, stateful_set: Object) -> bool:
    """The pod's name is the set's with a number."""
    found = _NUMBERED.match(name_of(pod))
    return found is not None and found[1] == name_of(stateful_set)


def first_ordinal(stateful_set: Object) -> int:
    """`spec.ordinals.start`."""
    return int((stateful_set["spec"].get("ordinals") or {}).get("start", 0))


def revision_of(pod: Object) -> str:
    """The name of the ControllerRevision that the pod was made from."""
    return labels_of(pod).get(REVISION, "")


def is_running_and_ready(pod: Object) -> bool:
    """The pod runs and answers its probes."""
    return pod.get("status", {}).get("phase") == "Running" and is_ready(pod)


def is_running_and_available(pod: Object, stateful_set: Object, now: Clock) -> bool:
    """The pod has been ready for the set's `minReadySeconds`."""
    seconds = int(stateful_set["spec"].get("minReadySeconds", 0))
    return is_running_and_ready(pod) and is_available(pod, min_ready_seconds=seconds, now=now())


def is_healthy(pod: Object, stateful_set: Object, now: Clock) -> bool:
    """The pod counts as one that the next may rely on: available and not on its way out."""
    return is_running_and_available(pod, stateful_set, now) and not is_terminating(pod)


def new_pod(blank: Object, stateful_set: Object, *, ordinal: int, revision: str) -> Object:
    """The pod of that number.

    Args:
        blank: made of the revision's template, with its owner.
        stateful_set: whose.
        ordinal: its number.
        revision: the name of the ControllerRevision.
    """
    name = f"{name_of(stateful_set)}-{ordinal}"
    pod = copy.deepcopy(blank)
    pod["metadata"]["name"] = name
    pod["metadata"]["labels"] = {
        **(pod["metadata"].get("labels") or {}),
        POD_NAME: name,
        POD_INDEX: str(ordinal),
        REVISION: revision,
    }
    pod["spec"]["hostname"] = name
    if stateful_set["spec"].get("serviceName"):
        pod["spec"]["subdomain"] = stateful_set["spec"]["serviceName"]
    claims = {
        each["metadata"]["name"]: claim_name(stateful_set, each, ordinal) for each in claim_templates(stateful_set)
    }
    if claims:
        others = [volume for volume in pod["spec"].get("volumes") or () if volume["name"] not in claims]
        own = [{"name": key, "persistentVolumeClaim": {"claimName": claim}} for key, claim in claims.items()]
        pod["spec"]["volumes"] = [*own, *others]
    return pod


def lacks_identity(pod: Object) -> dict[str, str]:
    """The labels that make the pod itself and that it doesn't have, as of an adopted one."""
    wanted = {POD_NAME: name_of(pod), POD_INDEX: str(ordinal_of(pod))}
    return {key: value for key, value in wanted.items() if labels_of(pod).get(key) != value}


def claim_templates(stateful_set: Object) -> list[Object]:
    """`spec.volumeClaimTemplates`."""
    return stateful_set["spec"].get("volumeClaimTemplates") or []


def claim_name(stateful_set: Object, template: Object, ordinal: int) -> str:
    """The name of the claim that a pod of that number has by this template."""
    return f"{template['metadata']['name']}-{name_of(stateful_set)}-{ordinal}"


def new_claim(stateful_set: Object, template: Object, ordinal: int) -> Object:
    """The claim of that number; it bears the labels that the set selects by."""
    selected = (stateful_set["spec"].get("selector") or {}).get("matchLabels") or {}
    metadata = copy.deepcopy(template["metadata"])
    metadata["name"] = claim_name(stateful_set, template, ordinal)
    metadata["namespace"] = namespace_of(stateful_set)
    metadata["labels"] = {**(metadata.get("labels") or {}), **selected}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": copy.deepcopy(template["spec"]),
    }
