"""The condition `DisruptionTarget`: why a pod was ended by the cluster and not by whoever owns it.

Jobs read it in their failure policies, people in `kubectl describe`. Behaviour: Kubernetes documentation,
"Disruptions", Pod disruption conditions.
"""

from datetime import datetime

from seatrial.sandbox.api import Object
from seatrial.sandbox.timestamps import to_time

TYPE = "DisruptionTarget"


def disrupted_conditions(pod: Object, *, reason: str, message: str, now: datetime) -> list[Object]:
    """The pod's conditions with this one among them.

    Args:
        pod: the one to end.
        reason: one word, such as `DeletionByTaintManager`.
        message: for people.
        now: the moment.
    """
    entry: Object = {
        "type": TYPE,
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": to_time(now),
        "reason": reason,
        "message": message,
    }
    if pod["metadata"].get("generation"):
        entry["observedGeneration"] = pod["metadata"]["generation"]
    known = (pod.get("status") or {}).get("conditions") or ()
    return [*(each for each in known if each["type"] != TYPE), entry]
