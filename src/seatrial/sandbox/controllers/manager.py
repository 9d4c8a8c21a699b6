"""The controller manager: all control loops of the sandbox in one place, as kube-controller-manager is.

Each loop runs by itself: one that crashes is logged and started again after a pause, the others go on. Leaving
`run` (by cancellation) stops them all.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import structlog

from seatrial.sandbox.api import Api
from seatrial.sandbox.controllers.context import Controller, ControllerContext
from seatrial.sandbox.controllers.cron_job import CronJobController
from seatrial.sandbox.controllers.daemon_set import DaemonSetController
from seatrial.sandbox.controllers.deployment import DeploymentController
from seatrial.sandbox.controllers.disruption import DisruptionController
from seatrial.sandbox.controllers.endpoint_slices import EndpointSliceController
from seatrial.sandbox.controllers.endpoints import EndpointsController
from seatrial.sandbox.controllers.ephemeral_volumes import EphemeralVolumeController
from seatrial.sandbox.controllers.garbage_collector import GarbageCollector
from seatrial.sandbox.controllers.job import JobController
from seatrial.sandbox.controllers.job_expiry import JobExpiry
from seatrial.sandbox.controllers.namespaces import NamespaceController
from seatrial.sandbox.controllers.node_lifecycle import NodeLifecycleController
from seatrial.sandbox.controllers.node_ttl import NodeTtlController
from seatrial.sandbox.controllers.persistent_volumes import PersistentVolumeController
from seatrial.sandbox.controllers.pod_garbage import PodGarbageCollector
from seatrial.sandbox.controllers.replica_set import REPLICATION_CONTROLLERS, ReplicaSetController
from seatrial.sandbox.controllers.resource_quota import ResourceQuotaController
from seatrial.sandbox.controllers.role_aggregation import RoleAggregationController
from seatrial.sandbox.controllers.stateful_set import StatefulSetController
from seatrial.sandbox.controllers.taint_eviction import TaintEvictionController
from seatrial.sandbox.controllers.volume_protection import VolumeProtectionController
from seatrial.sandbox.controllers.volume_provisioner import VolumeProvisioner
from seatrial.sandbox.event_recorder import EventRecorder
from seatrial.sandbox.informer import SharedInformers
from seatrial.sandbox.timestamps import Clock, utc_now
from seatrial.sandbox.timing import SANDBOX, Timing

_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 30.0

_log = structlog.get_logger(__name__)


class ControllerManager:
    """Runs every controller.

    Args:
        api: the API server.
        timing: how long nodes may be silent, failed pods are waited for, ...
        now: the wall clock, for tests that turn it forward.
        volumes: below which persistent volumes are made; None for none.
    """

    def __init__(
        self,
        api: Api,
        *,
        timing: Timing = SANDBOX,
        now: Clock = utc_now,
        volumes: Path | None = None,
    ) -> None:
        self._informers = SharedInformers(api)
        self._events = EventRecorder(api, now=now)
        context = ControllerContext(api, self._informers, self._events, now, timing)
        self._controllers: list[Controller] = [
            ReplicaSetController(context),
            ReplicaSetController(context, REPLICATION_CONTROLLERS),
            StatefulSetController(context),
            DaemonSetController(context),
            JobController(context),
            JobExpiry(context),
            CronJobController(context),
            DeploymentController(context),
            EndpointSliceController(context),
            EndpointsController(context),
            NodeLifecycleController(context),
            NodeTtlController(context),
            TaintEvictionController(context),
            PodGarbageCollector(context),
            DisruptionController(context),
            GarbageCollector(context),
            NamespaceController(context),
            ResourceQuotaController(context),
            RoleAggregationController(context),
            PersistentVolumeController(context, VolumeProvisioner(api, self._events, volumes) if volumes else None),
            VolumeProtectionController(context),
            EphemeralVolumeController(context),
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
