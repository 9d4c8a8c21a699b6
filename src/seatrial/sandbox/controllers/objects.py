"""What controllers ask about an object, and how they build a changed copy of one.

Objects are shared with the store and with every other reader: nothing here changes one in place.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from seatrial.sandbox.api import Object
from seatrial.sandbox.timestamps import from_time

# The names of the indices that several controllers share, and what stands in them.
BY_CONTROLLER = "controller"
BY_NODE = "node"
BY_LABEL = "label"
ORPHANS = "orphans"


def name_of(item: Object) -> str:
    """`metadata.name`."""
    return str(item["metadata"]["name"])


def namespace_of(item: Object) -> str:
    """`metadata.namespace`, "" for a cluster-wide object."""
    return str(item["metadata"].get("namespace", ""))


def uid_of(item: Object) -> str:
    """`metadata.uid`."""
    return str(item["metadata"]["uid"])


def labels_of(item: Object) -> dict[str, str]:
    """`metadata.labels`, empty where there are none."""
    return item["metadata"].get("labels") or {}


def annotations_of(item: Object) -> dict[str, str]:
    """`metadata.annotations`, empty where there are none."""
    return item["metadata"].get("annotations") or {}


def owners_of(item: Object) -> list[Object]:
    """`metadata.ownerReferences`, empty where there are none."""
    return item["metadata"].get("ownerReferences") or []


def controller_of(item: Object) -> Object | None:
    """The one owner reference that says `controller: true`."""
    for owner in owners_of(item):
        if owner.get("controller"):
            return owner
    return None


def controller_reference(owner: Object, *, api_version: str, kind: str) -> Object:
    """The reference by which a controller owns what it creates."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": name_of(owner),
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def is_terminating(item: Object) -> bool:
    """Deletion has begun."""
    return "deletionTimestamp" in item["metadata"]


def is_finished(pod: Object) -> bool:
    """The pod's containers have ended for good."""
    return pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}


def is_active(pod: Object) -> bool:
    """The pod counts as a replica: neither finished nor on its way out."""
    return not is_finished(pod) and not is_terminating(pod)


def condition(item: Object, kind: str) -> Object | None:
    """The condition of that type in the object's status."""
    for entry in item.get("status", {}).get("conditions") or ():
        if entry["type"] == kind:
            found: Object = entry
            return found
    return None


def is_ready(item: Object) -> bool:
    """The Ready condition of a pod or a node is True."""
    ready = condition(item, "Ready")
    return ready is not None and ready["status"] == "True"


def ready_since(pod: Object) -> datetime | None:
    """When the pod became Ready; None if it isn't."""
    ready = condition(pod, "Ready")
    if ready is None or ready["status"] != "True":
        return None
    return from_time(ready["lastTransitionTime"])


def is_available(pod: Object, *, min_ready_seconds: int, now: datetime) -> bool:
    """The pod has been Ready for that long."""
    since = ready_since(pod)
    return since is not None and since + timedelta(seconds=min_ready_seconds) <= now


def by_age(item: Object) -> tuple[str, str]:
    """Sort key: the oldest first, by name within a second."""
    metadata = item["metadata"]
    return metadata.get("creationTimestamp", ""), metadata["name"]


def with_value(item: Object, path: Sequence[str], value: Any) -> Object:
    """A copy with `value` at `path`; None takes the field away. Everything off the path is shared."""
    head, *rest = path
    changed = dict(item)
    if rest:
        changed[head] = with_value(item.get(head) or {}, rest, value)
    elif value is None:
        changed.pop(head, None)
    else:
        changed[head] = value
    return changed


def by_controller(item: Object) -> Iterable[str]:
    """Index: the UID of the controller that owns the object."""
    owner = controller_of(item)
    return (owner["uid"],) if owner is not None else ()


def by_node(pod: Object) -> Iterable[str]:
    """Index: the node the pod is bound to."""
    node = pod["spec"].get("nodeName")
    return (node,) if node else ()


def by_label(item: Object) -> Iterable[str]:
    """Index: each label, within the object's namespace."""
    namespace = namespace_of(item)
    return [label_key(namespace, key, value) for key, value in labels_of(item).items()]


def label_key(namespace: str, key: str, value: str) -> str:
    """Where objects with that label stand in the index of labels."""
    return f"{namespace}/{key}={value}"


def orphans(item: Object) -> Iterable[str]:
    """Index: the namespace of an object that no controller owns."""
    return (namespace_of(item),) if controller_of(item) is None else ()
