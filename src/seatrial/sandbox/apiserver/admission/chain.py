"""The admission plugins in Kubernetes' order, by what they are about.

`admit` runs before an object is validated and may change it; `check` runs after and only refuses; `settle` writes
down what a write that is stored now takes of the namespace's quotas.
"""

from collections.abc import Callable
from typing import Final

from seatrial.sandbox.apiserver.admission import (
    limit_ranger,
    namespace_lifecycle,
    node_restriction,
    node_taints,
    priority,
    resource_quota,
    runtime_class,
    service_account,
    storage,
)
from seatrial.sandbox.apiserver.admission.attempt import Attempt
from seatrial.sandbox.apiserver.admission.resource_quota import Charge
from seatrial.sandbox.apiserver.store import Store
from seatrial.sandbox.apiserver.strategies.base import Surroundings

Plugin = Callable[[Attempt, Surroundings], None]

_CLAIMS: Final = "persistentvolumeclaims"
_ON_CREATE: Final[dict[str, tuple[Plugin, ...]]] = {
    "pods": (
        limit_ranger.set_defaults,
        service_account.admit,
        priority.admit_pod,
        node_taints.tolerate,
        runtime_class.admit,
    ),
    "nodes": (node_taints.taint_new_node,),
    _CLAIMS: (storage.set_default_class, storage.protect),
    "persistentvolumes": (storage.protect,),
    "ingresses.networking.k8s.io": (storage.set_default_ingress_class,),
}
_ON_UPDATE: Final[dict[str, tuple[Plugin, ...]]] = {"pods": (node_taints.tolerate,)}
_CHECKS_ON_CREATE: Final[dict[str, tuple[Plugin, ...]]] = {
    "pods": (limit_ranger.check_pod,),
    _CLAIMS: (limit_ranger.check_claim,),
    "priorityclasses.scheduling.k8s.io": (priority.check_class,),
}
_CHECKS_ON_UPDATE: Final[dict[str, tuple[Plugin, ...]]] = {
    _CLAIMS: (limit_ranger.check_claim, storage.check_growth),
    "priorityclasses.scheduling.k8s.io": (priority.check_class,),
}


class Admission:
    """Lets writes in.

    Args:
        around: what plugins may look up.
        store: where quotas are charged.
    """

    def __init__(self, around: Surroundings, store: Store) -> None:
        self._around = around
        self._store = store

    def admit(self, attempt: Attempt) -> None:
        """Run the plugins that may change the object; raises the refusal."""
        if attempt.verb == "create" and attempt.resource.namespaced and not attempt.subresource:
            namespace_lifecycle.admit(attempt, self._around)
        plugins = _ON_CREATE if attempt.verb == "create" else _ON_UPDATE
        if not attempt.subresource:
            for plugin in plugins.get(attempt.resource.key, ()):
                plugin(attempt, self._around)

    def check(self, attempt: Attempt) -> list[Charge]:
        """Run the plugins that only refuse; returns what the write takes of quotas (see `settle`)."""
        node_restriction.check(attempt, self._around)
        if attempt.subresource or attempt.verb == "delete":
            return []
        plugins = _CHECKS_ON_CREATE if attempt.verb == "create" else _CHECKS_ON_UPDATE
        for plugin in plugins.get(attempt.resource.key, ()):
            plugin(attempt, self._around)
        return resource_quota.charges_of(attempt, self._around) if attempt.namespace else []

    def settle(self, charges: list[Charge]) -> None:
        """Write down what a write that was stored takes."""
        for quota, used in charges:
            status = quota.get("status") or {}
            meta = quota["metadata"]
            changed = {**quota, "status": {**status, "used": {**(status.get("used") or {}), **used}}}
            self._store.put(resource_quota.TABLE, meta["namespace"], meta["name"], changed)
