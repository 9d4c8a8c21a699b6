"""The StatefulSet controller: pods that are somebody, each with its own name, number and data.

This file watches and keeps the status; what one look leads to is in `stateful_set_steps.py`, what makes a pod itself in
`stateful_set_pods.py`, the claims for its data in `stateful_set_claims.py`, the history of templates in
`controller_revisions.py`. Behaviour: Kubernetes documentation, "StatefulSets".
"""

from typing import Final

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.controllers.context import ControllerContext
from seatrial.sandbox.controllers.controller_revisions import ControllerRevisions, Newest
from seatrial.sandbox.controllers.expectations import Expectations
from seatrial.sandbox.controllers.objects import is_terminating, name_of, namespace_of, with_value
from seatrial.sandbox.controllers.owned_pods import OwnedPods, OwnerKind
from seatrial.sandbox.controllers.stateful_set_claims import RESOURCE as CLAIMS
from seatrial.sandbox.controllers.stateful_set_claims import StatefulSetClaims
from seatrial.sandbox.controllers.stateful_set_pods import claim_templates, is_member, revision_of
from seatrial.sandbox.controllers.stateful_set_status import as_written, counted_status, with_finished_update
from seatrial.sandbox.controllers.stateful_set_steps import StatefulSetSteps, Tools
from seatrial.sandbox.informer import Key, key_of
from seatrial.sandbox.work_queue import WorkQueue

_WORKERS: Final = 5
STATEFUL_SETS: Final = OwnerKind("statefulsets.apps", "apps/v1", "StatefulSet", "statefulset-controller")


class StatefulSetController:
    """Keeps every StatefulSet's pods."""

    name = STATEFUL_SETS.component

    def __init__(self, context: ControllerContext) -> None:
        self._api = context.api
        self._now = context.now
        self._queue: WorkQueue[Key] = WorkQueue(self.name)
        self._expectations = Expectations()
        self._sets = context.informers.of(STATEFUL_SETS.resource)
        self._claims = context.informers.of(CLAIMS)
        self._owned = OwnedPods(
            context,
            STATEFUL_SETS,
            expectations=self._expectations,
            tell=lambda owner, _old, _new: self._queue.add(key_of(owner)),
        )
        self._revisions = ControllerRevisions(
            context,
            STATEFUL_SETS,
            hash_label="controller.kubernetes.io/hash",
            tell=lambda namespace, name: self._queue.add((namespace, name)),
        )
        self._tools = Tools(
            api=context.api,
            events=context.events,
            expectations=self._expectations,
            claims=StatefulSetClaims(context.api, self._claims, context.events, component=self.name),
            component=self.name,
            now=context.now,
        )
        self._sets.add_handler(self._set_changed)
        self._claims.add_handler(self._claim_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        for informer in (self._sets, self._owned.informer, self._revisions.informer, self._claims):
            await informer.wait_synced()
        await self._queue.work(self._sync, workers=_WORKERS)

    def _set_changed(self, old: Object | None, new: Object | None) -> None:
        item = new or old
        if item is not None:
            if new is None:
                self._expectations.forget(key_of(item))
            self._queue.add(key_of(item))

    def _claim_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None or old is None:
            return  # only an end lets a set go on that waits for the name
        for each in self._sets.list(namespace_of(old)):
            if claim_templates(each):
                self._queue.add(key_of(each))

    async def _sync(self, key: Key) -> None:
        stateful_set = self._sets.get(*key)
        # What was ordered and not yet seen will bring this set back here.
        if stateful_set is None or not self._expectations.satisfied(key):
            return
        revisions = await self._revisions.of(stateful_set)
        current, newest = await self._current_and_newest(stateful_set, revisions)
        pods = await self._owned.of(
            stateful_set,
            is_member=lambda pod: is_member(pod, stateful_set),
            adopts=lambda pod: not is_terminating(pod),
        )
        failure: ApiError | None = None
        renewed = 0
        if not is_terminating(stateful_set):
            steps = StatefulSetSteps(self._tools, stateful_set, pods, current=current, update=newest.revision)
            try:
                renewed = await steps.take()
            except ApiError as error:
                failure = error
        await self._write_status(stateful_set, pods, current=current, newest=newest, renewed=renewed)
        if failure is not None:
            raise failure
        if is_terminating(stateful_set):
            return
        in_use = {name_of(current), name_of(newest.revision), *map(revision_of, pods)}
        await self._revisions.forget_old(stateful_set, revisions, in_use=in_use)

    async def _current_and_newest(self, stateful_set: Object, revisions: list[Object]) -> tuple[Object, Newest]:
        """The revision that an update leads away from, and the one it leads to."""
        status = stateful_set.get("status") or {}
        if is_terminating(stateful_set):
            # Revisions are collected before their owner; made anew they would hold it up.
            named = ({"metadata": {"name": status.get(key, "")}} for key in ("currentRevision", "updateRevision"))
            current, update = named
            return current, Newest(update, int(status.get("collisionCount") or 0))
        newest = await self._revisions.newest(stateful_set, revisions)
        name = status.get("currentRevision")
        return next((each for each in revisions if name_of(each) == name), newest.revision), newest

    async def _write_status(
        self, stateful_set: Object, pods: list[Object], *, current: Object, newest: Newest, renewed: int
    ) -> None:
        counted = counted_status(
            stateful_set,
            pods,
            current=current,
            update=newest.revision,
            collisions=newest.collisions,
            now=self._now,
        )
        counted["currentReplicas"] = max(0, counted["currentReplicas"] - renewed)
        old = stateful_set.get("status") or {}
        status = as_written(with_finished_update(stateful_set, counted), old)
        seconds = stateful_set["spec"].get("minReadySeconds", 0)
        if seconds and counted["readyReplicas"] != counted["availableReplicas"]:
            self._queue.add_after(key_of(stateful_set), seconds)
        if status != old:
            written = with_value(stateful_set, ("status",), status)
            await self._api.replace(STATEFUL_SETS.resource, written, subresource="status")
