"""The Deployment controller: one ReplicaSet a template, and the way from one to the next.

This file watches and decides which way a Deployment goes; `rollout.py` takes the steps. Behaviour: Kubernetes
documentation, "Deployments": RollingUpdate and Recreate, pausing, scaling in proportion, progress deadline, revision
history. Rolling back is a change of template like any other: the old ReplicaSet is found again.
"""

from collections.abc import Iterator
from typing import Final

from seatrial.kube.selectors import LabelSelector
from seatrial.sandbox.api import Object
from seatrial.sandbox.controllers.claims import Claims
from seatrial.sandbox.controllers.context import ControllerContext
from seatrial.sandbox.controllers.deployment_sizes import is_rolling
from seatrial.sandbox.controllers.deployment_status import is_complete
from seatrial.sandbox.controllers.objects import (
    BY_CONTROLLER,
    ORPHANS,
    by_controller,
    controller_of,
    is_finished,
    is_terminating,
    labels_of,
    namespace_of,
    orphans,
    uid_of,
)
from seatrial.sandbox.controllers.rollout import Rollout
from seatrial.sandbox.informer import Key, key_of
from seatrial.sandbox.work_queue import WorkQueue

_WORKERS: Final = 5
# A deadline is checked a moment after it has passed, since times are whole seconds.
_DEADLINE_SLACK_SECONDS: Final = 1.0


class DeploymentController:
    """Rolls every Deployment out."""

    name = "deployment-controller"

    def __init__(self, context: ControllerContext) -> None:
        self._context = context
        self._queue: WorkQueue[Key] = WorkQueue(self.name)
        self._deployments = context.informers.of("deployments.apps")
        self._replica_sets = context.informers.of("replicasets.apps")
        self._pods = context.informers.of("pods")
        self._pods.add_index(BY_CONTROLLER, by_controller)
        self._replica_sets.add_index(BY_CONTROLLER, by_controller)
        self._replica_sets.add_index(ORPHANS, orphans)
        self._claims = Claims(context.api, "replicasets.apps", "deployments.apps", "apps/v1", "Deployment")
        self._deployments.add_handler(self._deployment_changed)
        self._replica_sets.add_handler(self._replica_set_changed)
        self._pods.add_handler(self._pod_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        for informer in (self._deployments, self._replica_sets, self._pods):
            await informer.wait_synced()
        await self._queue.work(self._sync, workers=_WORKERS)

    def _deployment_changed(self, old: Object | None, new: Object | None) -> None:
        item = new or old
        if item is not None:
            self._queue.add(key_of(item))

    def _replica_set_changed(self, old: Object | None, new: Object | None) -> None:
        for item in (old, new):
            if item is None:
                continue
            owner = self._owner_of(item)
            if owner is not None:
                self._queue.add(key_of(owner))
        if new is not None and controller_of(new) is None:
            for deployment in self._selecting(new):
                self._queue.add(key_of(deployment))

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        # Recreate waits for the last of the old pods; nothing else here depends on single pods.
        pod = new or old
        if pod is None or not (new is None or is_finished(pod)):
            return
        reference = controller_of(pod)
        if reference is None or reference["kind"] != "ReplicaSet":
            return
        replica_set = self._replica_sets.get(namespace_of(pod), reference["name"])
        owner = self._owner_of(replica_set) if replica_set is not None else None
        if owner is not None and not is_rolling(owner):
            self._queue.add(key_of(owner))

    def _owner_of(self, replica_set: Object) -> Object | None:
        reference = controller_of(replica_set)
        if reference is None or reference["kind"] != "Deployment":
            return None
        owner = self._deployments.get(namespace_of(replica_set), reference["name"])
        return owner if owner is not None and uid_of(owner) == reference["uid"] else None

    def _selecting(self, replica_set: Object) -> Iterator[Object]:
        for deployment in self._deployments.list(namespace_of(replica_set)):
            selector = deployment["spec"].get("selector")
            if selector and LabelSelector.from_dict(selector).matches(labels_of(replica_set)):
                yield deployment

    async def _sync(self, key: Key) -> None:
        deployment = self._deployments.get(*key)
        if deployment is None:
            return
        if not deployment["spec"].get("selector"):
            return  # it would select every ReplicaSet of the namespace
        rollout = Rollout(self._context, self.name, deployment, await self._replica_sets_of(deployment))
        await self._roll(rollout)
        left = rollout.seconds_to_deadline()
        if left is not None:
            self._queue.add_after(key, max(0.0, left) + _DEADLINE_SLACK_SECONDS)

    async def _replica_sets_of(self, deployment: Object) -> list[Object]:
        candidates = [
            *self._replica_sets.indexed(BY_CONTROLLER, uid_of(deployment)),
            *self._replica_sets.indexed(ORPHANS, namespace_of(deployment)),
        ]
        selector = LabelSelector.from_dict(deployment["spec"]["selector"])
        return await self._claims.claim(deployment, selector, candidates)

    async def _roll(self, rollout: Rollout) -> None:
        if is_terminating(rollout.deployment):
            await rollout.write_counted_status()
            return
        await rollout.note_pause()
        if rollout.is_paused or rollout.was_resized:
            await rollout.scale()
            if rollout.is_paused:
                await rollout.forget_old_revisions()
            await rollout.write_counted_status()
        elif is_rolling(rollout.deployment):
            await self._roll_gradually(rollout)
        else:
            await self._recreate(rollout)

    async def _roll_gradually(self, rollout: Rollout) -> None:
        await rollout.find_or_create_newest()
        if not await rollout.grow_newest() and not await rollout.shrink_old():
            await self._tidy(rollout)
        await rollout.write_status()

    async def _recreate(self, rollout: Rollout) -> None:
        await rollout.find_newest()
        if await rollout.shrink_old_to_nothing() or self._old_pods_live(rollout):
            await rollout.write_status()
            return
        await rollout.find_or_create_newest()
        await rollout.grow_newest()
        await self._tidy(rollout)
        await rollout.write_status()

    def _old_pods_live(self, rollout: Rollout) -> bool:
        return any(
            not is_finished(pod)
            for replica_set in rollout.old
            for pod in self._pods.indexed(BY_CONTROLLER, uid_of(replica_set))
        )

    async def _tidy(self, rollout: Rollout) -> None:
        if is_complete(rollout.deployment, rollout.counted_status()):
            await rollout.forget_old_revisions()
