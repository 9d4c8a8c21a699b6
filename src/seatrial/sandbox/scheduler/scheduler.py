"""The scheduling loop: one pod at a time, as each placement bears on the next.

Nothing is polled: a pod that fits nowhere says why and is looked at again when a change could help it. Choosing a node
takes no await between looking and counting the pod there, so that no other decision comes in between.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

import structlog

from seatrial.sandbox.api import Api, ApiError, Object
from seatrial.sandbox.controllers.disruption_target import TYPE as DISRUPTION_TARGET
from seatrial.sandbox.controllers.objects import (
    condition,
    is_active,
    is_finished,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)
from seatrial.sandbox.controllers.volume_protection import claims_of
from seatrial.sandbox.informer import Informer, Key, key_of
from seatrial.sandbox.scheduler import messages
from seatrial.sandbox.scheduler.cluster_state import ClusterState, Nodes
from seatrial.sandbox.scheduler.filters import Evaluator, Objection, could_take
from seatrial.sandbox.scheduler.node_info import NodeInfo
from seatrial.sandbox.scheduler.pod_info import PodInfo
from seatrial.sandbox.scheduler.preemption import Plan, plan_preemption
from seatrial.sandbox.scheduler.queue import SchedulingQueue
from seatrial.sandbox.scheduler.reports import SCHEDULER, Reporter
from seatrial.sandbox.scheduler.scores import best_node
from seatrial.sandbox.scheduler.volumes import VolumeBinder, VolumeNeeds, VolumesMissingError
from seatrial.sandbox.timestamps import Clock, utc_now

# A pod may wait for something that no change was taken to help with; Kubernetes looks again as seldom.
_SECOND_LOOK_SECONDS: Final = 300.0
_RETRY_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


class Scheduler:
    """Binds pods to nodes.

    Args:
        api: the API server.
        now: the wall clock.
    """

    def __init__(self, api: Api, *, now: Clock = utc_now) -> None:
        self._api = api
        self._state = ClusterState()
        self._queue = SchedulingQueue()
        self._reports = Reporter(api, now)
        self._pods = Informer(api, "pods")
        self._nodes = Informer(api, "nodes")
        self._namespaces = Informer(api, "namespaces")
        self._budgets = Informer(api, "poddisruptionbudgets.policy")
        storage = [Informer(api, name) for name in _STORAGE]
        self._volumes = VolumeBinder(api, *storage)
        self._informers = [self._nodes, self._namespaces, self._budgets, *storage, self._pods]
        self._binding: set[asyncio.Task[None]] = set()
        self._nodes.add_handler(self._node_changed)
        self._namespaces.add_handler(self._namespace_changed)
        self._pods.add_handler(self._pod_changed)
        for informer in storage:
            informer.add_handler(self._storage_changed)

    async def run(self) -> None:
        """Schedule until cancelled."""
        async with asyncio.TaskGroup() as group:
            for informer in self._informers:
                group.create_task(informer.run())
            for informer in self._informers:
                await informer.wait_synced()
            group.create_task(self._reports.run())
            group.create_task(self._look_again())
            try:
                await self._work(group)
            finally:
                for task in self._binding:
                    task.cancel()

    async def _work(self, group: asyncio.TaskGroup) -> None:
        while True:
            key = await self._queue.pop()
            try:
                await self._schedule(key, group)
            except ApiError as error:
                _log.warning("scheduling failed", pod="/".join(key), error=str(error))
                self._later(key)
            except Exception:  # noqa: BLE001 -- one pod's trouble must not keep all others from their nodes
                _log.exception("scheduling failed", pod="/".join(key))
                self._later(key)

    def _later(self, key: Key) -> None:
        asyncio.get_running_loop().call_later(_RETRY_SECONDS, self._add, key)

    def _add(self, key: Key) -> None:
        pod = self._pods.get(*key)
        if pod is not None:
            self._queue.add(key, int(pod["spec"].get("priority") or 0))

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(_SECOND_LOOK_SECONDS)
            self._queue.wake(lambda _info: True)

    # What changes, and whom it could help.

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        pod = new or old
        if pod is None:
            return
        node = pod["spec"].get("nodeName")
        if not node:
            self._unbound_changed(old, new)
        elif new is None or is_finished(new):
            self._queue.discard(key_of(pod))
            self._pod_left(pod)
        else:
            self._queue.discard(key_of(pod))
            known = self._state.put(new, node)
            is_bound_now = old is None or not old["spec"].get("nodeName")
            if (
                is_bound_now
                or known is None
                or known.kind.labels != labels_of(new)
                or known.is_terminating != is_terminating(new)
            ):
                self._queue.wake(lambda info: info.minds_others)

    def _unbound_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None or not is_active(new):
            gone = new or old
            if gone is not None:
                self._queue.discard(key_of(gone))
                self._state.withdraw(uid_of(gone))
                self._pod_left(gone)
            return
        if new["spec"].get("schedulerName", SCHEDULER) != SCHEDULER:
            return
        nominated = new["status"].get("nominatedNodeName")
        if nominated and not self._state.counts(new):
            self._state.nominate(PodInfo.of(new), nominated)
        if old is None or old["spec"] != new["spec"] or labels_of(old) != labels_of(new):
            self._queue.add(key_of(new), int(new["spec"].get("priority") or 0))

    def _pod_left(self, pod: Object) -> None:
        """A pod that was counted has gone: its node has room, and who kept away from it may come."""
        left = self._state.remove(pod)
        if left is None:
            return
        node = self._state.nodes.get(left)
        affinity = pod["spec"].get("affinity") or {}
        if affinity.get("podAntiAffinity"):
            self._queue.wake(lambda _info: True)
        else:
            self._queue.wake(lambda info: info.minds_others or (node is not None and could_take(info, node)))

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            if old is not None:
                self._state.remove_node(name_of(old))
            return
        if old is not None and _matters(old) == _matters(new):
            return
        node = self._state.put_node(new)
        self._queue.wake(lambda info: info.minds_others or could_take(info, node))

    def _namespace_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            if old is not None:
                self._state.namespace_labels.pop(name_of(old), None)
            return
        self._state.namespace_labels[name_of(new)] = labels_of(new)
        if old is not None and labels_of(old) != labels_of(new):
            self._queue.wake(lambda info: info.minds_others)

    def _storage_changed(self, _old: Object | None, _new: Object | None) -> None:
        self._queue.wake(lambda info: bool(claims_of(info.pod)))

    # One pod.

    async def _schedule(self, key: Key, group: asyncio.TaskGroup) -> None:
        pod = self._pods.get(*key)
        if pod is None or pod["spec"].get("nodeName") or not is_active(pod) or pod["spec"].get("schedulingGates"):
            return
        if self._state.counts(pod):
            return
        info = PodInfo.of(pod)
        nodes = self._state.nodes
        if not nodes:
            await self._give_up(info, messages.NO_NODES)
            return
        try:
            needs = self._volumes.needs_of(pod)
        except VolumesMissingError as error:
            await self._give_up(info, messages.volumes_missing(len(nodes), str(error)))
            return
        evaluator = Evaluator(info, nodes, self._state.namespace_labels, needs)
        fitting, objections = self._filter(info, evaluator, needs)
        if not fitting:
            await self._make_room(info, objections, needs)
            return
        chosen = best_node(info, fitting, self._state)
        self._state.assume(info, chosen.name)
        if not needs.waiting:
            await self._bind(pod, chosen.name)
            return
        # Others needn't wait until the volumes are there.
        task = group.create_task(self._bind_with_volumes(pod, chosen, needs))
        self._binding.add(task)
        task.add_done_callback(self._binding.discard)

    def _filter(
        self, info: PodInfo, evaluator: Evaluator, needs: VolumeNeeds
    ) -> tuple[list[NodeInfo], dict[str, Objection]]:
        nodes = self._state.nodes
        expected = nodes.get((info.pod["status"].get("nominatedNodeName")) or "")
        if expected is not None and self._objection(info, evaluator, needs, expected) is None:
            return [expected], {}
        fitting, objections = [], {}
        for name, node in nodes.items():
            objection = self._objection(info, evaluator, needs, node)
            if objection is None:
                fitting.append(node)
            else:
                objections[name] = objection
        return fitting, objections

    def _objection(self, info: PodInfo, evaluator: Evaluator, needs: VolumeNeeds, node: NodeInfo) -> Objection | None:
        """What stands against a node, with the pods for which room is kept there and without them."""
        objection = evaluator.objection(node)
        if objection is not None:
            return objection
        expected = [
            other
            for other in self._state.nominated(node.name)
            if other.uid != info.uid and other.priority >= info.priority
        ]
        if not expected:
            return None
        tried = node.clone()
        for other in expected:
            tried.put(other)
        nodes = {**self._state.nodes, node.name: tried}
        return Evaluator(info, nodes, self._state.namespace_labels, needs).objection(tried)

    async def _bind(self, pod: Object, node: str) -> None:
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name_of(pod), "namespace": namespace_of(pod), "uid": uid_of(pod)},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        try:
            await self._api.create("pods/binding", binding, namespace_of(pod))
        except ApiError as error:
            self._state.remove(pod)
            if error.code not in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
                raise
            return
        self._queue.discard(key_of(pod))
        self._reports.scheduled(pod, node)

    async def _bind_with_volumes(self, pod: Object, node: NodeInfo, needs: VolumeNeeds) -> None:
        try:
            if node.node is not None:
                await self._volumes.bind(needs, node.node)
            await self._bind(pod, node.name)
        except (ApiError, TimeoutError) as error:
            _log.warning("volumes not bound", pod=name_of(pod), node=node.name, error=str(error))
        except Exception:  # noqa: BLE001 -- likewise
            _log.exception("volumes not bound", pod=name_of(pod), node=node.name)
        else:
            return
        self._state.remove(pod)
        self._later(key_of(pod))

    # A pod that fits nowhere.

    async def _make_room(self, info: PodInfo, objections: dict[str, Objection], needs: VolumeNeeds) -> None:
        reasons: Counter[str] = Counter()
        for objection in objections.values():
            reasons.update(objection.reasons)
        fitting = messages.histogram(len(objections), reasons)
        why_not = self._why_no_preemption(info, objections)
        if why_not:
            nominated = (info.pod["status"].get("nominatedNodeName")) or None
            await self._give_up(info, messages.with_preemption(fitting, why_not), nominated=nominated)
            return

        def evaluator_of(nodes: Nodes) -> Evaluator:
            return Evaluator(info, nodes, self._state.namespace_labels, needs)

        budgets = self._budgets.list()
        found = plan_preemption(info, self._state, objections, evaluator_of=evaluator_of, budgets=budgets)
        if isinstance(found, Plan):
            await self._preempt(info, found, fitting)
            return
        preemption = messages.histogram(len(objections), found)
        self._state.withdraw(info.uid)
        await self._give_up(info, messages.with_preemption(fitting, preemption))

    def _why_no_preemption(self, info: PodInfo, objections: dict[str, Objection]) -> str:
        if info.pod["spec"].get("preemptionPolicy") == "Never":
            return messages.NEVER_PREEMPTS
        nominated = info.pod["status"].get("nominatedNodeName")
        node = self._state.nodes.get(nominated or "")
        if node is None or not objections[node.name].is_curable:
            return ""
        ending = any(
            other.is_terminating and other.priority < info.priority and _is_preempted(other.pod)
            for other in node.pods.values()
        )
        return messages.VICTIM_IS_ENDING if ending else ""

    async def _preempt(self, info: PodInfo, plan: Plan, message: str) -> None:
        lesser = [other for other in self._state.nominated(plan.node) if other.priority < info.priority]
        self._state.nominate(info, plan.node)
        self._queue.park(info)
        for victim in plan.victims:
            await self._reports.preempt(victim.pod, info.pod, plan.node)
        for other in lesser:
            self._state.withdraw(other.uid)
            await self._reports.withdraw_nomination(other.pod)
        await self._reports.unschedulable(info.pod, message, nominated=plan.node)

    async def _give_up(self, info: PodInfo, message: str, *, nominated: str | None = None) -> None:
        # Parked before anything is awaited: what changes meanwhile must find it there.
        self._queue.park(info)
        await self._reports.unschedulable(info.pod, message, nominated=nominated)


_STORAGE: Final[Sequence[str]] = ("persistentvolumeclaims", "persistentvolumes", "storageclasses.storage.k8s.io")


def _is_preempted(pod: Object) -> bool:
    target = condition(pod, DISRUPTION_TARGET)
    return target is not None and target.get("reason") == "PreemptionByScheduler"


def _matters(node: Object) -> tuple[object, ...]:
    spec = node["spec"]
    return spec.get("taints"), spec.get("unschedulable"), labels_of(node), node.get("status", {}).get("allocatable")
