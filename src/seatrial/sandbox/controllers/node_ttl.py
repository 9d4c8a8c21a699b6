"""Tells kubelets how long they may keep what they read of ConfigMaps and Secrets: longer in large clusters.

An annotation of each node has the seconds. Its steps overlap, so that a cluster of 100 nodes that gains and loses one
doesn't change all its nodes each time. The figures are those of kube-controller-manager's ttl-controller.
"""

from http import HTTPStatus
from typing import Final

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.controllers.context import ControllerContext
from seatrial.sandbox.controllers.objects import annotations_of, name_of
from seatrial.sandbox.work_queue import WorkQueue

ANNOTATION: Final = "node.alpha.kubernetes.io/ttl"
# From how many nodes, up to how many, and the seconds.
_STEPS: Final = ((0, 100, 0), (90, 500, 15), (450, 1000, 30), (900, 2000, 60), (1800, 10000, 300))


class NodeTtlController:
    """Keeps the annotation of every node."""

    name = "ttl-controller"

    def __init__(self, context: ControllerContext) -> None:
        self._api = context.api
        self._nodes = context.informers.of("nodes")
        self._queue: WorkQueue[str] = WorkQueue(self.name)
        self._step = 0
        self._nodes.add_handler(self._changed)

    async def run(self) -> None:
        """Work until cancelled."""
        await self._nodes.wait_synced()
        await self._queue.work(self._sync)

    def _changed(self, old: Object | None, new: Object | None) -> None:
        if old is None or new is None:
            before = self._step
            self._step = step_of(len(self._nodes.list()), before)
            if self._step != before:
                for node in self._nodes.list():
                    self._queue.add(name_of(node))
        if new is not None and annotations_of(new).get(ANNOTATION) != self._seconds:
            self._queue.add(name_of(new))

    @property
    def _seconds(self) -> str:
        return str(_STEPS[self._step][2])

    async def _sync(self, name: str) -> None:
        node = self._nodes.get(None, name)
        if node is None or annotations_of(node).get(ANNOTATION) == self._seconds:
            return
        try:
            await self._api.patch("nodes", name, None, {"metadata": {"annotations": {ANNOTATION: self._seconds}}})
        except ApiError as error:
            if error.code != HTTPStatus.NOT_FOUND:
                raise


def step_of(nodes: int, step: int) -> int:
    """The step for so many nodes, coming from another one."""
    while nodes > _STEPS[step][1] and step + 1 < len(_STEPS):
        step += 1
    while nodes < _STEPS[step][0]:
        step -= 1
    return step
