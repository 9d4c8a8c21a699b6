"""The DaemonSet controller: one pod on each node that should have one.

This file watches and acts; what should be where is decided in `daemon_set_plan.py`, what a pod of it looks like in
`daemon_set_pods.py`, the history of templates is kept by `controller_revisions.py`. A pod that fails again and again on
its node is replaced with growing pauses. Behaviour: Kubernetes documentation, "DaemonSet".
"""

import asyncio
from typing import Final

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.controllers.context import ControllerContext
from seatrial.sandbox.controllers.controller_revisions import ControllerRevisions, Newest
from seatrial.sandbox.controllers.daemon_set_plan import Plan, View, counted_status, coverage, update
from seatrial.sandbox.controllers.daemon_set_pods import HASH, belongs_on, by_node, new_pod
from seatrial.sandbox.controllers.expectations import Expectations
from seatrial.sandbox.controllers.objects import (
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
    with_value,
)
from seatrial.sandbox.controllers.owned_pods import OwnedPods, OwnerKind
from seatrial.sandbox.controllers.pod_control import PodControl
from seatrial.sandbox.informer import Key, key_of
from seatrial.sandbox.work_queue import WorkQueue

_WORKERS: Final = 2
_MOST_AT_ONCE: Final = 250
DAEMON_SETS: Final = OwnerKind("daemonsets.apps", "apps/v1", "DaemonSet", "daemonset-controller")


class DaemonSetController:
    """Keeps every DaemonSet's pods."""

    name = DAEMON_SETS.component

    def __init__(self, context: ControllerContext) -> None:
        self._api = context.api
        self._now = context.now
        self._events = context.events
        self._queue: WorkQueue[Key] = WorkQueue(self.name)
        self._expectations = Expectations()
        self._failures = FailureBackoff(
            base_seconds=context.timing.daemon_backoff_base_seconds,
            longest_seconds=context.timing.daemon_backoff_longest_seconds,
        )
        self._sets = context.informers.of(DAEMON_SETS.resource)
        self._nodes = context.informers.of("nodes")
        self._owned = OwnedPods(
            context,
            DAEMON_SETS,
            expectations=self._expectations,
            tell=lambda owner, _old, _new: self._queue.add(key_of(owner)),
        )
        self._revisions = ControllerRevisions(
            context, DAEMON_SETS, hash_label=HASH, tell=lambda namespace, name: self._queue.add((namespace, name))
        )
        self._pod_control = PodControl(
            api=context.api,
            events=context.events,
            component=self.name,
            api_version=DAEMON_SETS.api_version,
            kind=DAEMON_SETS.kind,
            expectations=self._expectations,
        )
        self._sets.add_handler(self._set_changed)
        self._nodes.add_handler(self._node_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        for informer in (self._sets, self._nodes, self._owned.informer, self._revisions.informer):
            await informer.wait_synced()
        await self._queue.work(self._sync, workers=_WORKERS)

    def _set_changed(self, old: Object | None, new: Object | None) -> None:
        item = new or old
        if item is not None:
            if new is None:
                self._expectations.forget(key_of(item))
                self._failures.forget(uid_of(item))
            self._queue.add(key_of(item))

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        if old is not None and new is not None and _place_of(old) == _place_of(new):
            return  # a heartbeat
        for daemon_set in self._sets.list():
            before = belongs_on(daemon_set, old) if old is not None else (False, False)
            after = belongs_on(daemon_set, new) if new is not None else (False, False)
            if before != after or new is None:
                self._queue.add(key_of(daemon_set))

    async def _sync(self, key: Key) -> None:
        daemon_set = self._sets.get(*key)
        if daemon_set is None or is_terminating(daemon_set):
            return
        if daemon_set["spec"].get("selector") in (None, {}):
            self._tell(
                daemon_set, "SelectingAll", "This daemon set is selecting all pods. A non-empty selector is required."
            )
            return
        revisions = await self._revisions.of(daemon_set)
        newest = await self._revisions.newest(daemon_set, revisions)
        view = await self._view(daemon_set, newest)
        # Asked before anything is done: what was ordered and not yet seen brings this set back here.
        may_act = self._expectations.satisfied(key)
        failure: ApiError | None = None
        if may_act:
            try:
                await self._act(view)
            except ApiError as error:
                failure = error
            view = await self._view(daemon_set, newest)
        await self._write_status(view, newest, observed=may_act)
        if failure is not None:
            raise failure
        hashes = {labels_of(pod).get(HASH) for pods in view.pods.values() for pod in pods}
        in_use = {name_of(each) for each in revisions if self._revisions.hash_of(each) in hashes}
        await self._revisions.forget_old(daemon_set, revisions, in_use={*in_use, name_of(newest.revision)})

    async def _view(self, daemon_set: Object, newest: Newest) -> View:
        pods = await self._owned.of(daemon_set)
        return View(
            daemon_set, self._nodes.list(), by_node(pods), self._revisions.hash_of(newest.revision), self._now()
        )

    async def _act(self, view: View) -> None:
        plan = coverage(view)
        for node, pod in plan.failed:
            self._give_up(view.daemon_set, node, pod, plan)
        if plan.create_on or plan.delete:
            await self._carry_out(view, plan)
            return  # what comes of it brings this set back here
        strategy = (view.daemon_set["spec"].get("updateStrategy") or {}).get("type", "RollingUpdate")
        if strategy == "RollingUpdate":
            await self._carry_out(view, update(view))

    def _give_up(self, daemon_set: Object, node: str, pod: Object, plan: Plan) -> None:
        """Delete a pod that has ended, now or after a pause, and say so."""
        subject = f"daemon pod {namespace_of(pod)}/{name_of(pod)} on node {node}"
        if pod["status"]["phase"] == "Succeeded":
            self._tell(
                daemon_set, "SucceededDaemonPod", f"Found succeeded {subject}, will try to delete it", kind="Normal"
            )
            plan.delete.append(pod)
            return
        left = self._failures.seconds_left(uid_of(daemon_set), node, pod)
        if left > 0:
            self._queue.add_after(key_of(daemon_set), left)
            return
        self._tell(daemon_set, "FailedDaemonPod", f"Found failed {subject}, will try to kill it")
        plan.delete.append(pod)

    async def _carry_out(self, view: View, plan: Plan) -> None:
        nodes = plan.create_on[:_MOST_AT_ONCE]
        if nodes:
            await self._pod_control.create(view.daemon_set, len(nodes), pod=lambda index: self._pod(view, nodes[index]))
        if plan.delete:
            await self._pod_control.delete(view.daemon_set, plan.delete[:_MOST_AT_ONCE])

    def _pod(self, view: View, node: str) -> Object:
        blank = self._pod_control.from_template(view.daemon_set)
        return new_pod(blank, view.daemon_set, node=node, revision_hash=view.revision_hash)

    async def _write_status(self, view: View, newest: Newest, *, observed: bool) -> None:
        daemon_set = view.daemon_set
        old: Object = daemon_set.get("status") or {}
        status = counted_status(view)
        generation = daemon_set["metadata"].get("generation", 0) if observed else old.get("observedGeneration")
        if generation:
            status["observedGeneration"] = generation
        if newest.collisions:
            status["collisionCount"] = newest.collisions
        if old.get("conditions"):
            status["conditions"] = old["conditions"]
        seconds = daemon_set["spec"].get("minReadySeconds", 0)
        if seconds and status["numberReady"] != status.get("numberAvailable", 0):
            self._queue.add_after(key_of(daemon_set), seconds)
        if status != old:
            written = with_value(daemon_set, ("status",), status)
            await self._api.replace(DAEMON_SETS.resource, written, subresource="status")

    def _tell(self, daemon_set: Object, reason: str, message: str, *, kind: str = "Warning") -> None:
        about = {**daemon_set, "apiVersion": DAEMON_SETS.api_version, "kind": DAEMON_SETS.kind}
        self._events.record(self.name, about, reason, message, kind=kind)


class FailureBackoff:
    """Pauses before pods that failed are replaced, growing for each DaemonSet and node.

    Args:
        base_seconds: the first pause.
        longest_seconds: the last; twice as long without a failure and it starts over.
    """

    def __init__(self, *, base_seconds: float, longest_seconds: float) -> None:
        self._base = base_seconds
        self._longest = longest_seconds
        # The pause that is being taken, until when, and the pod it was begun for.
        self._pauses: dict[tuple[str, str], tuple[float, float, str]] = {}

    def seconds_left(self, owner_uid: str, node: str, pod: Object) -> float:
        """How long to leave a failed pod where it is; 0 lets it be replaced."""
        moment = asyncio.get_running_loop().time()
        known = self._pauses.get((owner_uid, node))
        if known is None or moment > known[1] + 2 * self._longest:
            pause = self._base
        else:
            pause, until, begun_for = known
            if begun_for == uid_of(pod):
                return 0.0
            if until > moment:
                return until - moment
            pause = min(pause * 2, self._longest)
        self._pauses[owner_uid, node] = (pause, moment + pause, uid_of(pod))
        return 0.0

    def forget(self, owner_uid: str) -> None:
        """The DaemonSet is gone."""
        self._pauses = {key: pause for key, pause in self._pauses.items() if key[0] != owner_uid}


def _place_of(node: Object) -> tuple[Object, list[Object]]:
    """What of a node decides whether a pod belongs on it."""
    return labels_of(node), node["spec"].get("taints") or []
