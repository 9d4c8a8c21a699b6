"""The APIServices: one for each group version served, as `kubectl get apiservices` lists them.

The sandbox's API server serves everything itself (`Local`); an APIService that names a Service of somebody's own is
stored and not asked.
"""

import asyncio

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.calls import Call
from seatrial.sandbox.apiserver.custom.definition import KEY as DEFINITIONS
from seatrial.sandbox.apiserver.metadata import now
from seatrial.sandbox.apiserver.operations import Operations
from seatrial.sandbox.apiserver.publishing.group_priority import is_known, priority_of
from seatrial.sandbox.apiserver.store import Change

KEY = "apiservices.apiregistration.k8s.io"
_OWN_GROUP = "apiregistration.k8s.io"
_LABEL = "kube-aggregator.kubernetes.io/automanaged"
_CUSTOM_VERSION_PRIORITY = 100


def register_all(operations: Operations) -> None:
    """Make the APIService of every group version, and of those that definitions add later."""
    for group, versions in operations.registry.groups().items():
        if group == _OWN_GROUP:
            continue  # served by the aggregator itself
        for index, version in enumerate(reversed(versions)):
            register(operations, group, version, priority=15 if index else 1)

    def changed(_: Change) -> None:
        # In a turn of its own: the resources of a definition are served by another listener.
        asyncio.get_running_loop().call_soon(_follow, operations)

    operations.store.listen(DEFINITIONS, changed)


def _follow(operations: Operations) -> None:
    """Make and take away the APIServices of custom resources."""
    groups = operations.registry.groups()
    served = {f"{version}.{group}" for group, versions in groups.items() for version in versions}
    for group, versions in groups.items():
        if not is_known(group):
            for version in versions:
                register(operations, group, version)
    for service in operations.objects(KEY):
        name, labels = service["metadata"]["name"], service["metadata"].get("labels") or {}
        if labels.get(_LABEL) == "true" and name not in served:
            operations.store.remove(KEY, "", name)


def register(operations: Operations, group: str, version: str, *, priority: int = _CUSTOM_VERSION_PRIORITY) -> None:
    """Make the APIService of one group version, unless it is there."""
    name = f"{version}.{group}"
    if operations.lookup(KEY, "", name) is not None:
        return
    when = "onstart" if is_known(group) else "true"
    spec: Object = {"groupPriorityMinimum": priority_of(group), "versionPriority": priority, "version": version}
    if group:
        spec["group"] = group
    condition = {
        "type": "Available",
        "status": "True",
        "lastTransitionTime": now(),
        "reason": "Local",
        "message": "Local APIServices are always available",
    }
    body: Object = {"metadata": {"name": name, "labels": {_LABEL: when}}, "spec": spec}
    resource, call = operations.registry.of(KEY), Call(manager="kube-apiserver")
    operations.create(resource, None, body, call)
    status = {"conditions": [condition]}
    operations.update(resource, None, name, lambda old: {**old, "status": status}, call, subresource="status")
