"""The ReplicaSet controller: as many pods as `spec.replicas` says, no more at any moment, no fewer for long.

Reads from informers and keeps expectations, so that acting on a slightly old picture never creates a pod too many.
Which pods go first when there are too many is `deletion_order.py`; ownership is `claims.py`.
Behaviour: Kubernetes documentation, "ReplicaSet".
"""

from datetime import timedelta
from typing import Final

from seatrial.kube.selectors import LabelSelector
from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.controllers.claims import Claims
from seatrial.sandbox.controllers.context import ControllerContext
from seatrial.sandbox.controllers.deletion_order import pods_to_delete
from seatrial.sandbox.controllers.expectations import Expectations
from seatrial.sandbox.controllers.objects import (
    BY_CONTROLLER,
    BY_NODE,
    ORPHANS,
    by_controller,
    by_node,
    condition,
    controller_of,
    is_active,
    is_available,
    is_finished,
    is_ready,
    is_terminating,
    labels_of,
    namespace_of,
    orphans,
    ready_since,
    uid_of,
    with_value,
)
from seatrial.sandbox.controllers.pod_control import PodControl
from seatrial.sandbox.controllers.timestamps import to_time
from seatrial.sandbox.informer import Key, key_of
from seatrial.sandbox.work_queue import WorkQueue

_WORKERS: Final = 5
_MOST_AT_ONCE: Final = 500
# Counting pods costs the more the more there are: news that only changes the counts waits in proportion for more of its
# kind, so that bringing up a thousand pods costs ten times what a hundred cost, not a hundred times.
_LARGE: Final = 50
_PAUSE_SECONDS_PER_POD: Final = 0.0005
_LONGEST_PAUSE_SECONDS: Final = 0.5


class ReplicaSetController:
    """Keeps every ReplicaSet's pods at the number asked for."""

    name = "replicaset-controller"

    def __init__(self, context: ControllerContext) -> None:
        self._api = context.api
        self._now = context.now
        self._queue: WorkQueue[Key] = WorkQueue(self.name)
        self._expectations = Expectations()
        self._replica_sets = context.informers.of("replicasets.apps")
        self._pods = context.informers.of("pods")
        self._pods.add_index(BY_CONTROLLER, by_controller)
        self._pods.add_index(BY_NODE, by_node)
        self._pods.add_index(ORPHANS, orphans)
        self._claims = Claims(self._api, "pods", "replicasets.apps", "apps/v1", "ReplicaSet")
        self._pod_control = PodControl(
            api=self._api,
            events=context.events,
            component=self.name,
            api_version="apps/v1",
            kind="ReplicaSet",
            expectations=self._expectations,
        )
        self._replica_sets.add_handler(self._replica_set_changed)
        self._pods.add_handler(self._pod_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        await self._replica_sets.wait_synced()
        await self._pods.wait_synced()
        await self._queue.work(self._sync, workers=_WORKERS)

    def _replica_set_changed(self, old: Object | None, new: Object | None) -> None:
        item = new or old
        if item is not None:
            if new is None:
                self._expectations.forget(key_of(item))
            if old is not None and new is not None and _asks_the_same(old, new):
                self._count_again(item)  # mostly the status that was written here
            else:
                self._queue.add(key_of(item))

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            self._pod_gone(old)
        elif is_terminating(new):
            self._pod_gone(new)
        elif old is None:
            self._pod_added(new)
        else:
            self._pod_updated(old, new)

    def _pod_added(self, pod: Object) -> None:
        owner = self._owner_of(pod)
        if owner is not None:
            self._expectations.creation_observed(key_of(owner))
            self._count_again(owner)
        elif controller_of(pod) is None:
            self._offer_to_all(pod)

    def _pod_updated(self, old: Object, new: Object) -> None:
        before, after = self._owner_of(old), self._owner_of(new)
        if before is not None and (after is None or key_of(before) != key_of(after)):
            self._queue.add(key_of(before))
        if after is not None:
            if is_finished(new) and not is_finished(old):
                self._queue.add(key_of(after))
            else:
                self._count_again(after)
        elif controller_of(new) is None:
            self._offer_to_all(new)

    def _count_again(self, owner: Object) -> None:
        pods = owner["spec"].get("replicas", 1)
        pause_seconds = min(pods * _PAUSE_SECONDS_PER_POD, _LONGEST_PAUSE_SECONDS) if pods > _LARGE else 0
        self._queue.add_after(key_of(owner), pause_seconds)

    def _pod_gone(self, pod: Object | None) -> None:
        owner = self._owner_of(pod) if pod is not None else None
        if owner is not None and pod is not None:
            self._expectations.deletion_observed(key_of(owner), uid_of(pod))
            self._queue.add(key_of(owner))

    def _owner_of(self, pod: Object) -> Object | None:
        reference = controller_of(pod)
        if reference is None or reference["kind"] != "ReplicaSet":
            return None
        owner = self._replica_sets.get(namespace_of(pod), reference["name"])
        return owner if owner is not None and uid_of(owner) == reference["uid"] else None

    def _offer_to_all(self, pod: Object) -> None:
        labels = labels_of(pod)
        if not labels:
            return
        for replica_set in self._replica_sets.list(namespace_of(pod)):
            if LabelSelector.from_dict(replica_set["spec"].get("selector")).matches(labels):
                self._queue.add(key_of(replica_set))

    async def _sync(self, key: Key) -> None:
        replica_set = self._replica_sets.get(*key)
        if replica_set is None:
            return
        # Asked before the pods are read: an observation in between may only delay, never multiply.
        may_act = self._expectations.satisfied(key)
        pods = await self._pods_of(replica_set)
        failure: Object | None = condition(replica_set, "ReplicaFailure")
        error: ApiError | None = None
        if may_act and not is_terminating(replica_set):
            try:
                await self._manage(replica_set, [pod for pod in pods if is_active(pod)])
                failure = None
            except ApiError as refused:
                error = refused
                failure = self._failure_condition(replica_set, pods, refused)
        await self._update_status(replica_set, pods, failure)
        if error is not None:
            raise error
        self._look_again_when_available(key, replica_set, pods)

    def _look_again_when_available(self, key: Key, replica_set: Object, pods: list[Object]) -> None:
        min_ready = timedelta(seconds=replica_set["spec"].get("minReadySeconds", 0))
        if not min_ready:
            return
        now = self._now()
        since = (ready_since(pod) for pod in pods if is_active(pod))
        waits = [(moment + min_ready - now).total_seconds() for moment in since if moment is not None]
        left = min((wait for wait in waits if wait > 0), default=None)
        if left is not None:
            self._queue.add_after(key, left)

    async def _pods_of(self, replica_set: Object) -> list[Object]:
        candidates = [
            *self._pods.indexed(BY_CONTROLLER, uid_of(replica_set)),
            *(pod for pod in self._pods.indexed(ORPHANS, namespace_of(replica_set)) if is_active(pod)),
        ]
        selector = LabelSelector.from_dict(replica_set["spec"].get("selector"))
        return await self._claims.claim(replica_set, selector, candidates)

    async def _manage(self, replica_set: Object, active: list[Object]) -> None:
        wanted = replica_set["spec"].get("replicas", 1)
        missing = wanted - len(active)
        if missing > 0:
            await self._pod_control.create(replica_set, min(missing, _MOST_AT_ONCE))
        elif missing < 0:
            doomed = pods_to_delete(
                active, count=min(-missing, _MOST_AT_ONCE), crowd=self._related(replica_set), now=self._now()
            )
            await self._pod_control.delete(replica_set, doomed)

    def _related(self, replica_set: Object) -> list[Object]:
        """The active pods of the same Deployment: pods that share a node with many of them go first."""
        owner = controller_of(replica_set)
        siblings = [replica_set]
        if owner is not None:
            siblings = [
                sibling
                for sibling in self._replica_sets.list(namespace_of(replica_set))
                if (reference := controller_of(sibling)) is not None and reference["uid"] == owner["uid"]
            ]
        return [
            pod for sibling in siblings for pod in self._pods.indexed(BY_CONTROLLER, uid_of(sibling)) if is_active(pod)
        ]

    def _failure_condition(self, replica_set: Object, pods: list[Object], error: ApiError) -> Object:
        wanted = replica_set["spec"].get("replicas", 1)
        creating = wanted > sum(is_active(pod) for pod in pods)
        known = condition(replica_set, "ReplicaFailure")
        return known or {
            "type": "ReplicaFailure",
            "status": "True",
            "lastTransitionTime": to_time(self._now()),
            "reason": "FailedCreate" if creating else "FailedDelete",
            "message": str(error),
        }

    async def _update_status(self, replica_set: Object, pods: list[Object], failure: Object | None) -> None:
        status = self._status(replica_set, pods, failure)
        old = replica_set.get("status") or {}
        if status == old:
            return
        updated = with_value(replica_set, ("status",), status)
        await self._api.replace("replicasets.apps", updated, subresource="status")

    def _status(self, replica_set: Object, pods: list[Object], failure: Object | None) -> Object:
        template_labels = (replica_set["spec"]["template"].get("metadata") or {}).get("labels") or {}
        min_ready_seconds = replica_set["spec"].get("minReadySeconds", 0)
        now = self._now()
        active = [pod for pod in pods if is_active(pod)]
        ready = [pod for pod in active if is_ready(pod)]
        counts = {
            "fullyLabeledReplicas": sum(template_labels.items() <= labels_of(pod).items() for pod in active),
            "readyReplicas": len(ready),
            "availableReplicas": sum(is_available(pod, min_ready_seconds=min_ready_seconds, now=now) for pod in ready)
            if min_ready_seconds
            else len(ready),
        }
        status: Object = {"replicas": len(active)}
        status.update({name: count for name, count in counts.items() if count})
        status["terminatingReplicas"] = sum(is_terminating(pod) and not is_finished(pod) for pod in pods)
        status["observedGeneration"] = replica_set["metadata"].get("generation", 0)
        others = [
            entry
            for entry in (replica_set.get("status") or {}).get("conditions") or ()
            if entry["type"] != "ReplicaFailure"
        ]
        conditions = [*others, failure] if failure is not None else others
        if conditions:
            status["conditions"] = conditions
        return status


def _asks_the_same(old: Object, new: Object) -> bool:
    before, after = old["metadata"], new["metadata"]
    return all(before.get(field) == after.get(field) for field in ("generation", "deletionTimestamp"))
