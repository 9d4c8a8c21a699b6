"""Everything of a cluster that is looked at, each kind watched from when it is first asked for."""

import asyncio
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

from seatrial.by_hand.live.events import LiveEvent
from seatrial.by_hand.live.kind import LiveKind
from seatrial.by_hand.live.nodes import LiveNamespace, LiveNode
from seatrial.by_hand.live.pods import LivePod
from seatrial.by_hand.live.services import LiveService
from seatrial.by_hand.live.workloads import LiveDaemonSet, LiveDeployment, LiveJob, LiveReplicaSet, LiveStatefulSet
from seatrial.kube import resources
from seatrial.kube.client import Client
from seatrial.kube.reduction import Reduced
from seatrial.kube.resources import Resource

T = TypeVar("T", bound=Reduced)

_ANSWER_SECONDS = 5.0


class LiveCluster:
    """The live view; use with `async with`. Its kinds may be asked for once inside."""

    nodes: LiveKind[LiveNode]
    namespaces: LiveKind[LiveNamespace]
    pods: LiveKind[LivePod]
    deployments: LiveKind[LiveDeployment]
    stateful_sets: LiveKind[LiveStatefulSet]
    daemon_sets: LiveKind[LiveDaemonSet]
    replica_sets: LiveKind[LiveReplicaSet]
    jobs: LiveKind[LiveJob]
    services: LiveKind[LiveService]
    events: LiveKind[LiveEvent]

    def __init__(self, cluster: Client, *, namespace: Callable[[], str] | None = None) -> None:
        """The view of a cluster.

        Args:
            cluster: the client.
            namespace: says which namespace to look into where the whole cluster may not be listed; by default the
                client's.
        """
        self._cluster = cluster
        self._namespace = namespace
        self._tasks = asyncio.TaskGroup()

    @property
    def kinds(self) -> Mapping[str, LiveKind[Any]]:
        """All kinds by their plural names in lower case, as on kubectl's command line."""
        return {kind.resource.plural: kind for kind in vars(self).values() if isinstance(kind, LiveKind)}

    @property
    def loading(self) -> Mapping[str, LiveKind[Any]]:
        """Those that were asked for and are on their way."""
        return {
            name: kind for name, kind in self.kinds.items() if kind.is_open and not kind.is_ready and not kind.problem
        }

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self.nodes = self._kind(resources.NODES, LiveNode)
        self.namespaces = self._kind(resources.NAMESPACES, LiveNamespace)
        self.pods = self._kind(resources.PODS, LivePod)
        self.deployments = self._kind(resources.DEPLOYMENTS, LiveDeployment)
        self.stateful_sets = self._kind(resources.STATEFULSETS, LiveStatefulSet)
        self.daemon_sets = self._kind(resources.DAEMONSETS, LiveDaemonSet)
        self.replica_sets = self._kind(resources.REPLICASETS, LiveReplicaSet)
        self.jobs = self._kind(resources.JOBS, LiveJob)
        self.services = self._kind(resources.SERVICES, LiveService)
        self.events = self._kind(resources.EVENTS, LiveEvent)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every watch."""
        await asyncio.gather(*(each.close() for each in self.kinds.values()))
        # Whoever fails inside gets their own error, not a group of one.
        is_cancelled = isinstance(error, asyncio.CancelledError)
        await self._tasks.__aexit__(*(kind, error, trace) if is_cancelled else (None, None, None))

    def open_usual(self) -> None:
        """Begin with what everybody looks at, in the background."""
        for kind in (self.namespaces, self.nodes, self.pods):
            kind.open()

    async def reload(self) -> None:
        """List everything that has been asked for anew.

        Raises:
            ClusterError: something may not be listed any more; or the API server is away, then all stays as it is.
        """
        await self._cluster.request("GET", "/version", most_bytes=0, timeout_seconds=_ANSWER_SECONDS)
        results = await asyncio.gather(*(kind.reload() for kind in self.kinds.values()), return_exceptions=True)
        for error in results:
            if error is not None:
                raise error

    def _kind(self, resource: Resource, object_type: type[T]) -> LiveKind[T]:
        return LiveKind(self._cluster, resource, object_type, tasks=self._tasks, namespace=self._where)

    def _where(self) -> str:
        return (self._namespace() if self._namespace else "") or self._cluster.default_namespace
