"""The controller manager: all control loops of the sandbox in one place, as kube-controller-manager is.

Each loop runs by itself: one that crashes is logged and started again after a pause, the others go on. Leaving
`run` (by cancellation) stops them all.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from seatrial.sandbox.api import Api
from seatrial.sandbox.controllers.context import Controller, ControllerContext
from seatrial.sandbox.controllers.deployment import DeploymentController
from seatrial.sandbox.controllers.disruption import DisruptionController
from seatrial.sandbox.controllers.endpoint_slices import EndpointSliceController
from seatrial.sandbox.controllers.endpoints import EndpointsController
from seatrial.sandbox.controllers.event_recorder import EventRecorder
from seatrial.sandbox.controllers.garbage_collector import GarbageCollector
from seatrial.sandbox.controllers.namespaces import NamespaceController
from seatrial.sandbox.controllers.node_lifecycle import NodeLifecycleController
from seatrial.sandbox.controllers.pod_garbage import PodGarbageCollector
from seatrial.sandbox.controllers.replica_set import ReplicaSetController
from seatrial.sandbox.controllers.taint_eviction import TaintEvictionController
from seatrial.sandbox.controllers.timestamps import Clock, utc_now
from seatrial.sandbox.informer import SharedInformers

_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 30.0

_log = structlog.get_logger(__name__)


class ControllerManager:
    """Runs every controller.

    Args:
        api: the API server.
        node_monitor_grace_seconds: how long a node may be silent before it is given up.
        missing_node_quarantine_seconds: how long a pod's node has to be missing before the pod is removed.
        now: the wall clock, for tests that turn it forward.
    """

    def __init__(
        self,
        api: Api,
        *,
        node_monitor_grace_seconds: float = 50.0,
        missing_node_quarantine_seconds: float = 40.0,
        now: Clock = utc_now,
    ) -> None:
        self._informers = SharedInformers(api)
        self._events = EventRecorder(api, now=now)
        context = ControllerContext(api, self._informers, self._events, now)
        self._controllers: list[Controller] = [
            ReplicaSetController(context),
            DeploymentController(context),
            EndpointSliceController(context),
            EndpointsController(context),
            NodeLifecycleController(context, monitor_grace_seconds=node_monitor_grace_seconds),
            TaintEvictionController(context),
            PodGarbageCollector(context, quarantine_seconds=missing_node_quarantine_seconds),
            DisruptionController(context),
            GarbageCollector(context),
            NamespaceController(context),
        ]

    async def run(self) -> None:
        """Run all controllers until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(keep_running("informers", self._informers.run))
            group.create_task(keep_running("events", self._events.run))
            for controller in self._controllers:
                group.create_task(keep_running(controller.name, controller.run))


async def keep_running(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run something that should never end; start it again when it does, after a pause that doubles."""
    pause_seconds = _FIRST_PAUSE_SECONDS
    while True:
        began = asyncio.get_running_loop().time()
        try:
            await run()
            _log.error("ended by itself", component=name)
        except Exception:  # noqa: BLE001 -- one loop's bug must not stop the others
            _log.exception("crashed", component=name)
        if asyncio.get_running_loop().time() - began > _LONGEST_PAUSE_SECONDS:
            pause_seconds = _FIRST_PAUSE_SECONDS
        await asyncio.sleep(pause_seconds)
        pause_seconds = min(pause_seconds * 2, _LONGEST_PAUSE_SECONDS)
