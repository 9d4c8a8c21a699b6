"""The ReplicaSet controller: as many pods as `spec.replicas` says, no more at any moment, no fewer for long.

A ReplicationController is the same thing under an older name, so one class keeps both.

Reads from informers and keeps expectations, so that acting on a slightly old picture never creates a pod too many.
Which pods go first when there are too many is `deletion_order.py`; whose pods are whose is `owned_pods.py`.
Behaviour: Kubernetes documentation, "ReplicaSet".
"""

from datetime import timedelta
from typing import Final

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.controllers.context import ControllerContext
from seatrial.sandbox.controllers.deletion_order import pods_to_delete
from seatrial.sandbox.controllers.expectations import Expectations
from seatrial.sandbox.controllers.objects import (
    BY_NODE,
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
    ready_since,
    uid_of,
    with_value,
)
from seatrial.sandbox.controllers.owned_pods import OwnedPods, OwnerKind
from seatrial.sandbox.controllers.pod_control import PodControl
from seatrial.sandbox.informer import Key, key_of
from seatrial.sandbox.timestamps import to_time
from seatrial.sandbox.work_queue import WorkQueue

_WORKERS: Final = 5
_MOST_AT_ONCE: Final = 500
# Counting pods costs the more the more there are: news that only changes the counts waits in proportion for more of its
# kind, so that bringing up a thousand pods costs ten times what a hundred cost, not a hundred times.
_LARGE: Final = 50
_PAUSE_SECONDS_PER_POD: Final = 0.0005
_LONGEST_PAUSE_SECONDS: Final = 0.5


REPLICA_SETS: Final = OwnerKind("replicasets.apps", "apps/v1", "ReplicaSet", "replicaset-controller")
REPLICATION_CONTROLLERS: Final = OwnerKind(
    "replicationcontrollers", "v1", "ReplicationController", "replication-controller"
)


class ReplicaSetController:
    """Keeps every ReplicaSet's pods at the number asked for.

    Args:
        context: the controllers' surroundings.
        kind: ReplicaSets or ReplicationControllers.
    """

    def __init__(self, context: ControllerContext, kind: OwnerKind = REPLICA_SETS) -> None:
        self.name = kind.component
        self._api = context.api
        self._now = context.now
        self._kind = kind
        self._queue: WorkQueue[Key] = WorkQueue(self.name)
        self._expectations = Expectations()
        self._replica_sets = context.informers.of(kind.resource)
        self._owned = OwnedPods(context, kind, expectations=self._expectations, tell=self._pod_changed)
        self._pods = self._owned.informer
        self._pods.add_index(BY_NODE, by_node)
        self._pod_control = PodControl(
            api=self._api,
            events=context.events,
            component=self.name,
            api_version=kind.api_version,
            kind=kind.kind,
            expectations=self._expectations,
        )
        self._replica_sets.add_handler(self._replica_set_changed)

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

    def _pod_changed(self, owner: Object, old: Object | None, new: Object | None) -> None:
        left = new is None or is_terminating(new) or not _is_controlled_by(new, owner)
        ended = new is not None and is_finished(new) and old is not None and not is_finished(old)
        if left or ended:
            self._queue.add(key_of(owner))
        else:
            self._count_again(owner)

    def _count_again(self, owner: Object) -> None:
        pods = owner["spec"].get("replicas", 1)
        pause_seconds = min(pods * _PAUSE_SECONDS_PER_POD, _LONGEST_PAUSE_SECONDS) if pods > _LARGE else 0
        self._queue.add_after(key_of(owner), pause_seconds)

    async def _sync(self, key: Key) -> None:
        replica_set = self._replica_sets.get(*key)
        if replica_set is None:
            return
        # Asked before the pods are read: an observation in between may only delay, never multiply.
        may_act = self._expectations.satisfied(key)
        pods = await self._owned.of(replica_set)
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
        return [pod for sibling in siblings for pod in self._owned.controlled_by(sibling) if is_active(pod)]

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
        await self._api.replace(self._kind.resource, updated, subresource="status")

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
        if self._kind is REPLICA_SETS:
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


def _is_controlled_by(pod: Object, owner: Object) -> bool:
    reference = controller_of(pod)
    return reference is not None and bool(reference["uid"] == uid_of(owner))
