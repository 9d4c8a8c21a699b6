"""The steps of one Deployment's rollout, each a look at its ReplicaSets and at most a few writes.

A `Rollout` is made for one look and thrown away. It replaces what it has written in its own picture, so that the
status written at the end counts what was just done. Sizes come from `deployment_sizes.py`, names and numbers from
`deployment_revisions.py`, conditions from `deployment_status.py`.
"""

from http import HTTPStatus

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.controllers.context import ControllerContext
from seatrial.sandbox.controllers.deployment_revisions import (
    REVISION,
    copied_annotations,
    new_replica_set,
    newest_of,
    renumbered,
    revision_of,
    same_template,
)
from seatrial.sandbox.controllers.deployment_sizes import (
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    desired_annotation,
    is_rolling,
    max_surge,
    max_unavailable,
    new_replica_set_size,
    proportional_sizes,
    replicas_of,
    status_count,
    total,
)
from seatrial.sandbox.controllers.deployment_status import (
    PAUSED,
    TIMED_OUT,
    Verdict,
    counted,
    has_deadline,
    rolled_out,
    seconds_to_deadline,
    with_condition,
)
from seatrial.sandbox.controllers.objects import (
    annotations_of,
    by_age,
    condition,
    controller_of,
    is_terminating,
    name_of,
    namespace_of,
    uid_of,
    with_value,
)


class Rollout:
    """One look at a Deployment and its ReplicaSets.

    Args:
        context: the controllers' surroundings.
        component: the controller's name in events.
        deployment: as the informer has it.
        replica_sets: those it owns.
    """

    def __init__(
        self, context: ControllerContext, component: str, deployment: Object, replica_sets: list[Object]
    ) -> None:
        self._api = context.api
        self._events = context.events
        self._now = context.now
        self._component = component
        self.deployment = deployment
        self.newest = newest_of(deployment, replica_sets)
        self.old = [item for item in sorted(replica_sets, key=by_age) if item is not self.newest]

    @property
    def is_paused(self) -> bool:
        """`spec.paused`."""
        return bool(self.deployment["spec"].get("paused"))

    @property
    def was_resized(self) -> bool:
        """Someone changed `spec.replicas` since the ReplicaSets were last scaled."""
        desired = [desired_annotation(item) for item in self._all if replicas_of(item)]
        return any(size is not None and size != replicas_of(self.deployment) for size in desired)

    @property
    def _all(self) -> list[Object]:
        return [*self.old, self.newest] if self.newest is not None else list(self.old)

    def seconds_to_deadline(self) -> float | None:
        """Until the progress deadline; None where there is none to wait for."""
        return None if self.is_paused else seconds_to_deadline(self.deployment, self._now())

    def counted_status(self) -> Object:
        """The status that the ReplicaSets' numbers make."""
        return counted(self.deployment, self._all, self.newest, self._now())

    async def write_counted_status(self) -> None:
        """Write the numbers and the Available condition."""
        await self._write(self.counted_status())

    async def write_status(self) -> None:
        """Write the numbers and all conditions."""
        await self._write(rolled_out(self.deployment, self._all, self.newest, self._now()))

    async def note_pause(self) -> None:
        """Say in the Progressing condition that the Deployment was paused, or resumed."""
        progressing = condition(self.deployment, "Progressing")
        reason = progressing["reason"] if progressing is not None else ""
        if not has_deadline(self.deployment) or reason == TIMED_OUT:
            return
        if self.is_paused and reason != PAUSED:
            verdict = Verdict("Progressing", "Unknown", PAUSED, "Deployment is paused")
        elif not self.is_paused and reason == PAUSED:
            verdict = Verdict("Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed")
        else:
            return
        await self._write(with_condition(self.deployment.get("status") or {}, verdict, self._now()))

    async def find_newest(self) -> bool:
        """Give the ReplicaSet of today's template its revision, if there is one."""
        if self.newest is None:
            return False
        revision = max((revision_of(item) for item in self.old), default=0) + 1
        annotations = {**renumbered(self.newest, revision), **copied_annotations(self.deployment)}
        changed = self.newest
        if annotations != annotations_of(changed):
            changed = with_value(changed, ("metadata", "annotations"), annotations)
        min_ready_seconds = self.deployment["spec"].get("minReadySeconds") or None
        if min_ready_seconds != (changed["spec"].get("minReadySeconds") or None):
            changed = with_value(changed, ("spec", "minReadySeconds"), min_ready_seconds)
        if changed is not self.newest:
            self.newest = await self._api.replace("replicasets.apps", changed)
        status = self.deployment.get("status") or {}
        if has_deadline(self.deployment) and condition(self.deployment, "Progressing") is None:
            message = f'Found new replica set "{name_of(self.newest)}"'
            verdict = Verdict("Progressing", "True", "FoundNewReplicaSet", message)
            status = with_condition(status, verdict, self._now())
        await self._write(status, revision=annotations[REVISION])
        return True

    async def find_or_create_newest(self) -> None:
        """Find the ReplicaSet of today's template, or create it, as large as it may be."""
        if await self.find_newest():
            return
        size = new_replica_set_size(self.deployment, self.old, 0)
        revision = str(max((revision_of(item) for item in self.old), default=0) + 1)
        annotations = {
            **copied_annotations(self.deployment),
            **self._size_annotations(),
            REVISION: revision,
        }
        body = new_replica_set(self.deployment, size=size, annotations=annotations, collisions=self._collisions())
        self.newest = await self._create(body)
        if size:
            self._tell("ScalingReplicaSet", f"Scaled up replica set {name_of(self.newest)} from 0 to {size}")
        status = self.deployment.get("status") or {}
        if has_deadline(self.deployment):
            message = f'Created new replica set "{name_of(self.newest)}"'
            verdict = Verdict("Progressing", "True", "NewReplicaSetCreated", message)
            status = with_condition(status, verdict, self._now())
        await self._write(status, revision=revision)

    async def grow_newest(self) -> bool:
        """Scale the newest ReplicaSet as far as the surge allows; return whether that changed anything."""
        if self.newest is None:
            return False
        wanted, current = replicas_of(self.deployment), replicas_of(self.newest)
        allowed = new_replica_set_size(self.deployment, self._all, current)
        size = wanted if current > wanted else allowed
        return await self._scale(self.newest, size)

    async def shrink_old(self) -> bool:
        """Scale old ReplicaSets down, broken pods first, as far as availability allows."""
        if self.newest is None or not total(self.old):
            return False
        least = replicas_of(self.deployment) - max_unavailable(self.deployment)
        newest_unavailable = replicas_of(self.newest) - status_count(self.newest, "availableReplicas")
        allowed = total(self._all) - least - newest_unavailable
        if allowed <= 0:
            return False
        cleaned = await self._shrink_unhealthy(allowed)
        # A ReplicaSet that was just scaled down may still report the pods it is about to delete.
        available = sum(min(status_count(item, "availableReplicas"), replicas_of(item)) for item in self._all)
        spare = available - least
        shrunk = await self._shrink_by_age(spare)
        return cleaned or shrunk

    async def shrink_old_to_nothing(self) -> bool:
        """Scale all old ReplicaSets to zero; return whether any had replicas."""
        changed = False
        for item in list(self.old):
            if replicas_of(item):
                changed = await self._scale(item, 0) or changed
        return changed

    async def scale(self) -> None:
        """Follow a change of `spec.replicas` without moving the rollout on."""
        active = [item for item in self._all if replicas_of(item)]
        wanted = replicas_of(self.deployment)
        if len(active) <= 1:
            only = active[0] if active else self._latest()
            if only is not None:
                await self._scale(only, wanted)
            return
        if self._is_saturated():
            await self.shrink_old_to_nothing()
        elif is_rolling(self.deployment):
            for item, size in proportional_sizes(self.deployment, active):
                await self._scale(item, size)

    async def forget_old_revisions(self) -> None:
        """Delete the oldest empty ReplicaSets beyond `revisionHistoryLimit`."""
        limit = self.deployment["spec"].get("revisionHistoryLimit")
        if limit is None:
            return
        kept = [item for item in self.old if not is_terminating(item)]
        for item in sorted(kept, key=revision_of)[: max(0, len(kept) - limit)]:
            seen = status_count(item, "observedGeneration") >= item["metadata"].get("generation", 0)
            if seen and not replicas_of(item) and not status_count(item, "replicas"):
                await self._delete(item)

    def _latest(self) -> Object | None:
        if self.newest is not None:
            return self.newest
        return max(self.old, key=by_age, default=None)

    def _is_saturated(self) -> bool:
        wanted = replicas_of(self.deployment)
        return self.newest is not None and (
            desired_annotation(self.newest) == wanted
            and replicas_of(self.newest) == wanted
            and status_count(self.newest, "availableReplicas") == wanted
        )

    async def _shrink_unhealthy(self, allowed: int) -> bool:
        before = allowed
        for item in list(self.old):
            unhealthy = replicas_of(item) - status_count(item, "availableReplicas")
            count = min(allowed, unhealthy)
            if count > 0:
                await self._scale(item, replicas_of(item) - count)
                allowed -= count
        return allowed < before

    async def _shrink_by_age(self, spare: int) -> bool:
        changed = False
        for item in list(self.old):
            count = min(spare, replicas_of(item))
            if count > 0:
                await self._scale(item, replicas_of(item) - count)
                spare -= count
                changed = True
        return changed

    async def _scale(self, item: Object, size: int) -> bool:
        before = replicas_of(item)
        annotations = {**annotations_of(item), **self._size_annotations()}
        if size == before and annotations == annotations_of(item):
            return False
        changed = with_value(item, ("metadata", "annotations"), annotations)
        changed = with_value(changed, ("spec", "replicas"), size)
        self._replace(item, await self._api.replace("replicasets.apps", changed))
        if size != before:
            way = "up" if size > before else "down"
            message = f"Scaled {way} replica set {name_of(item)} from {before} to {size}"
            self._tell("ScalingReplicaSet", message)
        return size != before

    def _replace(self, item: Object, written: Object) -> None:
        if item is self.newest:
            self.newest = written
        else:
            self.old = [written if known is item else known for known in self.old]

    def _size_annotations(self) -> dict[str, str]:
        wanted = replicas_of(self.deployment)
        return {DESIRED_REPLICAS: str(wanted), MAX_REPLICAS: str(wanted + max_surge(self.deployment))}

    def _collisions(self) -> int:
        return int((self.deployment.get("status") or {}).get("collisionCount") or 0)

    async def _create(self, body: Object) -> Object:
        try:
            return await self._api.create("replicasets.apps", body, namespace_of(self.deployment))
        except ApiError as error:
            if error.reason != "AlreadyExists":
                if error.code != HTTPStatus.NOT_FOUND:
                    message = f"Failed to create new replica set: {error}"
                    self._tell("ReplicaSetCreateError", message, kind="Warning")
                raise
            existing = await self._api.get("replicasets.apps", name_of(body), namespace_of(body))
            owner = controller_of(existing)
            ours = owner is not None and owner["uid"] == uid_of(self.deployment)
            if ours and same_template(existing["spec"]["template"], self.deployment["spec"]["template"]):
                return existing
            # Two templates of one hash: the count goes into the next hash.
            status = {**(self.deployment.get("status") or {}), "collisionCount": self._collisions() + 1}
            await self._write(status)
            raise

    async def _delete(self, item: Object) -> None:
        try:
            await self._api.delete("replicasets.apps", name_of(item), namespace_of(item), uid=uid_of(item))
        except ApiError as error:
            if error.code != HTTPStatus.NOT_FOUND:
                raise
        self.old = [known for known in self.old if known is not item]

    async def _write(self, status: Object, *, revision: str = "") -> None:
        """Write status, and with it the revision annotation, if either differs from what is known."""
        annotations = dict(annotations_of(self.deployment))
        if revision:
            annotations[REVISION] = revision
        renumber = annotations != annotations_of(self.deployment)
        if status == (self.deployment.get("status") or {}) and not renumber:
            return
        body = with_value(self.deployment, ("status",), status)
        if renumber:
            body = with_value(body, ("metadata", "annotations"), annotations)
        self.deployment = await self._api.replace("deployments.apps", body, subresource="status")

    def _tell(self, reason: str, message: str, *, kind: str = "Normal") -> None:
        about = {**self.deployment, "apiVersion": "apps/v1", "kind": "Deployment"}
        self._events.record(self._component, about, reason, message, kind=kind)
