"""The disruption controller: how many pods of a PodDisruptionBudget may be disrupted at this moment.

The eviction subresource reads what is written here, takes one from `disruptionsAllowed` and notes the pod in
`disruptedPods`; a noted pod counts as lost until its deletion is seen. Behaviour: Kubernetes documentation,
"Specifying a Disruption Budget for your Application".
"""

from datetime import timedelta
from typing import Final

from seatrial.kube.selectors import LabelSelector
from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.controllers.context import ControllerContext
from seatrial.sandbox.controllers.deployment_sizes import scaled
from seatrial.sandbox.controllers.objects import (
    controller_of,
    is_finished,
    is_ready,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
    with_value,
)
from seatrial.sandbox.informer import Key, key_of
from seatrial.sandbox.timestamps import from_time, to_time
from seatrial.sandbox.work_queue import WorkQueue

_RESOURCE: Final = "poddisruptionbudgets.policy"
# How long a pod whose eviction was allowed counts as lost if its deletion is never seen.
_NOTED_SECONDS: Final = 120.0
_SCALED: Final = {
    "ReplicaSet": "replicasets.apps",
    "Deployment": "deployments.apps",
    "StatefulSet": "statefulsets.apps",
    "ReplicationController": "replicationcontrollers",
}


class DisruptionController:
    """Keeps the status of every PodDisruptionBudget."""

    name = "disruption-controller"

    def __init__(self, context: ControllerContext) -> None:
        self._api = context.api
        self._now = context.now
        self._queue: WorkQueue[Key] = WorkQueue(self.name)
        self._budgets = context.informers.of(_RESOURCE)
        self._pods = context.informers.of("pods")
        self._owners = {kind: context.informers.of(resource) for kind, resource in _SCALED.items()}
        self._budgets.add_handler(self._budget_changed)
        self._pods.add_handler(self._pod_changed)
        for informer in self._owners.values():
            informer.add_handler(self._owner_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        for informer in (self._budgets, self._pods, *self._owners.values()):
            await informer.wait_synced()
        await self._queue.work(self._sync)

    def _budget_changed(self, _old: Object | None, new: Object | None) -> None:
        if new is not None:
            self._queue.add(key_of(new))

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if old is not None and new is not None and _matters(old) == _matters(new):
            return
        for pod in (old, new):
            for budget in self._budgets.list(namespace_of(pod)) if pod is not None else ():
                if _selector(budget).matches(labels_of(pod or {})):
                    self._queue.add(key_of(budget))

    def _owner_changed(self, old: Object | None, new: Object | None) -> None:
        if old is None or new is None or old["spec"].get("replicas") == new["spec"].get("replicas"):
            return
        for budget in self._budgets.list(namespace_of(new)):
            self._queue.add(key_of(budget))

    async def _sync(self, key: Key) -> None:
        budget = self._budgets.get(*key)
        if budget is None:
            return
        selector = _selector(budget)
        pods = [pod for pod in self._pods.list(key[0]) if selector.matches(labels_of(pod)) and not is_finished(pod)]
        noted, wait_seconds = self._noted(budget, pods)
        healthy = sum(is_ready(pod) and not is_terminating(pod) and name_of(pod) not in noted for pod in pods)
        expected, desired = self._expected(budget, pods)
        allowed = max(0, healthy - desired) if expected else 0
        await self._write(budget, _Counts(healthy, desired, expected, allowed), noted)
        if wait_seconds is not None:
            self._queue.add_after(key, wait_seconds)

    def _noted(self, budget: Object, pods: list[Object]) -> tuple[dict[str, str], float | None]:
        """The pods whose allowed eviction hasn't been seen yet, and when to look at them again."""
        known = (budget.get("status") or {}).get("disruptedPods") or {}
        noted: dict[str, str] = {}
        waits = []
        for pod in pods:
            since = known.get(name_of(pod))
            if since is None or is_terminating(pod):
                continue
            left = (from_time(since) + timedelta(seconds=_NOTED_SECONDS) - self._now()).total_seconds()
            if left > 0:
                noted[name_of(pod)] = since
                waits.append(left)
        return noted, min(waits, default=None)

    def _expected(self, budget: Object, pods: list[Object]) -> tuple[int, int]:
        """How many pods there should be, and how many of them must be healthy."""
        spec = budget["spec"]
        if "maxUnavailable" in spec and spec["maxUnavailable"] is not None:
            expected = self._wanted(pods)
            return expected, max(0, expected - scaled(spec["maxUnavailable"], expected, round_up=True))
        least = spec.get("minAvailable")
        if least is None:
            return len(pods), 0
        if isinstance(least, int):
            return len(pods), least
        expected = self._wanted(pods)
        return expected, scaled(least, expected, round_up=True)

    def _wanted(self, pods: list[Object]) -> int:
        """The sizes that the pods' controllers were given, each controller counted once."""
        sizes: dict[str, int] = {}
        for pod in pods:
            owner = self._scaled_owner(pod)
            if owner is not None:
                sizes[uid_of(owner)] = int(owner["spec"].get("replicas", 1))
        return sum(sizes.values())

    def _scaled_owner(self, item: Object) -> Object | None:
        reference = controller_of(item)
        if reference is None or reference["kind"] not in self._owners:
            return None
        owner = self._owners[reference["kind"]].get(namespace_of(item), reference["name"])
        if owner is None or uid_of(owner) != reference["uid"]:
            return None
        return self._scaled_owner(owner) or owner

    async def _write(self, budget: Object, counts: "_Counts", noted: dict[str, str]) -> None:
        old = budget.get("status") or {}
        status: Object = {
            "observedGeneration": budget["metadata"].get("generation", 0),
            **({"disruptedPods": noted} if noted else {}),
            "disruptionsAllowed": counts.allowed,
            "currentHealthy": counts.healthy,
            "desiredHealthy": counts.desired,
            "expectedPods": counts.expected,
            "conditions": self._conditions(budget, allowed=counts.allowed),
        }
        if status == old:
            return
        try:
            await self._api.replace(_RESOURCE, with_value(budget, ("status",), status), subresource="status")
        except ApiError as error:
            if error.reason != "NotFound":
                raise

    def _conditions(self, budget: Object, *, allowed: int) -> list[Object]:
        known = (budget.get("status") or {}).get("conditions") or []
        others = [entry for entry in known if entry["type"] != "DisruptionAllowed"]
        old = next((entry for entry in known if entry["type"] == "DisruptionAllowed"), None)
        status = "True" if allowed > 0 else "False"
        same = old is not None and old["status"] == status
        return [
            *others,
            {
                "type": "DisruptionAllowed",
                "status": status,
                "observedGeneration": budget["metadata"].get("generation", 0),
                "lastTransitionTime": old["lastTransitionTime"] if same and old is not None else to_time(self._now()),
                "reason": "SufficientPods" if allowed > 0 else "InsufficientPods",
                "message": "",
            },
        ]


class _Counts:
    """The numbers of a budget's status."""

    def __init__(self, healthy: int, desired: int, expected: int, allowed: int) -> None:
        self.healthy = healthy
        self.desired = desired
        self.expected = expected
        self.allowed = allowed


def _selector(budget: Object) -> LabelSelector:
    return LabelSelector.from_dict(budget["spec"].get("selector"))


def _matters(pod: Object) -> tuple[object, ...]:
    return is_ready(pod), is_terminating(pod), is_finished(pod), labels_of(pod)
