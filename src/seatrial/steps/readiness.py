"""How long what `kubectl apply` created takes to be Ready (`timeToReady`), measured beside the steps that follow.

The watches are open before the first request: one for each kind and namespace, of the objects alone that carry the
run's label (or, where they are to stay and carry none, by their names). A Service is ready when one of its
EndpointSlices has a ready endpoint. Nobody waits for this longer than the scenario lives: what isn't Ready by then, or
is deleted before, took longer than that. Where it can't be watched, that is said once, and the step goes on.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from seatrial.actions.created_objects import RUN_LABEL
from seatrial.actions.image_pulls import measure_pulls
from seatrial.actions.manifest_text import Manifest
from seatrial.actions.manifests import Created, placed
from seatrial.errors import ClusterError
from seatrial.kube.discovery import UnknownKindError
from seatrial.kube.objects import EndpointSlice
from seatrial.kube.resources import (
    DAEMONSETS,
    DEPLOYMENTS,
    ENDPOINTSLICES,
    PODS,
    SERVICES,
    STATEFULSETS,
    Resource,
)
from seatrial.kube.watch import Watch, WatchEvent
from seatrial.policy.wording import counted
from seatrial.probes.conditions import READY, Waited, Wanted, judge
from seatrial.runtime.context import Context
from seatrial.runtime.events import Event, MeasurementMissed, MeasurementTaken, PodRef
from seatrial.runtime.scope import Observation
from seatrial.runtime.verdict import PASSED, Outcome
from seatrial.targets.pod_matchers.by_workload import DaemonSetMatcher, DeploymentMatcher, StatefulSetMatcher
from seatrial.targets.pod_matchers.reader import PodReader
from seatrial.targets.pods import pod_ref

_NAME = "timeToReady"
_OPENING_SECONDS = 5.0
_MOST_WATCHES = 12
_MOST_NAMES = 20
_MOST_WORKLOADS = 10
_SERVICE_LABEL = "kubernetes.io/service-name"
_KINDS = (PODS, DEPLOYMENTS, STATEFULSETS, DAEMONSETS, SERVICES)
_MATCHERS = {DEPLOYMENTS: DeploymentMatcher, STATEFULSETS: StatefulSetMatcher, DAEMONSETS: DaemonSetMatcher}


class _Group(msgspec.Struct, frozen=True):
    """Objects of one kind in one namespace, by their names."""

    resource: Resource
    namespace: str
    names: tuple[str, ...]
    is_named: bool = False
    """Whether it is one object that is watched by its name."""

    def __str__(self) -> str:
        return f"{counted(len(self.names), self.resource.kind)} in {self.namespace}"


class ReadinessTracker:
    """Puts what is created and what watches show together into measurements; knows nothing of connections."""

    def __init__(self, *, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self._created: dict[str, Created] = {}
        self._ready: dict[str, float] = {}
        self._gone: dict[str, float] = {}
        self._unseen: set[tuple[Resource, str]] = set()
        self._is_all = False
        self._complete = asyncio.Event()
        self.seen: list[Created] = []
        """What was created."""

    def created(self, created: Created) -> None:
        """An object was created; it may have been seen to be Ready before that was known."""
        self.seen.append(created)
        if _place(created) not in self._unseen:
            self._created[created.uid] = created
            self._look(created.uid)

    def all_created(self) -> None:
        """Nothing more will be."""
        self._is_all = True
        self._check_complete()

    def take(self, event: WatchEvent[Waited], *, kind: str) -> None:
        """Take in a change of an object that may be one of them."""
        uid = event.object.metadata.uid
        if event.type == "DELETED":
            self._gone.setdefault(uid, event.received)
        elif judge([event.object], Wanted(kind=kind, condition=READY)).holds:
            self._ready.setdefault(uid, event.received)
        self._look(uid)

    def take_slice(self, event: WatchEvent[EndpointSlice]) -> None:
        """Take in a change of a Service's endpoints; slices of an earlier Service of that name are owned by that."""
        owner = event.object.metadata.controller
        if owner is None:
            return
        if event.type == "DELETED":
            self._gone.setdefault(owner.uid, event.received)
        elif any(each.conditions.ready is not False and each.addresses for each in event.object.endpoints or ()):
            self._ready.setdefault(owner.uid, event.received)
        self._look(owner.uid)

    async def wait(self) -> None:
        """Wait until all is created and Ready, or gone."""
        await self._complete.wait()

    def give_up(self, group: "_Group | None" = None, *, at: float) -> None:
        """What isn't Ready by then takes longer: all of it, or that of a group."""
        for created in list(self._created.values()):
            if group is None or _place(created) == (group.resource, group.namespace):
                self._tell(created, at, is_lower_bound=True)

    def leave_out(self, group: "_Group") -> None:
        """Nothing of these is seen: nothing is said of what will be created of them."""
        self._unseen.add((group.resource, group.namespace))

    def _look(self, uid: str) -> None:
        created = self._created.get(uid)
        if created is None:
            return
        ready, gone = self._ready.get(uid), self._gone.get(uid)
        if ready is not None:
            self._tell(created, ready)
        elif gone is not None:
            self._tell(created, gone, is_lower_bound=True)

    def _tell(self, created: Created, at: float, *, is_lower_bound: bool = False) -> None:
        applied, seconds = created.applied, max(0.0, at - created.sent)
        of = f"{applied.resource.kind} {applied.namespace}/{applied.name}"
        self._emit(MeasurementTaken(name=_NAME, of=of, seconds=seconds, is_lower_bound=is_lower_bound))
        del self._created[created.uid]
        self._check_complete()

    def _check_complete(self) -> None:
        if self._is_all and not self._created:
            self._complete.set()


def _place(created: Created) -> tuple[Resource, str]:
    return created.applied.resource, created.applied.namespace or ""


async def track_readiness(manifests: Sequence[Manifest], context: Context, *, kept: bool) -> ReadinessTracker | None:
    """Open the watches; None where nothing of what is applied gets Ready. Call before the first request.

    `kept` objects carry no label of the run.
    """
    groups = await _groups(manifests, context, kept=kept)
    if not groups:
        return None
    tracker = ReadinessTracker(emit=context.emit)
    opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    watching = partial(_watch_all, tracker, groups, context, opened)
    context.scope.observe(watching, name="readiness of what was applied")
    await opened
    return tracker


async def _groups(manifests: Sequence[Manifest], context: Context, *, kept: bool) -> list[_Group]:
    names: dict[tuple[Resource, str], list[str]] = defaultdict(list)
    for manifest in manifests:
        with suppress(UnknownKindError):  # of a definition that stands in the same payload
            resource, namespace = await placed(manifest, context.cluster)
            if namespace and resource in _KINDS and _gets_ready(resource, manifest):
                names[resource, namespace].append(manifest["metadata"]["name"])
    groups = [_Group(resource, namespace, tuple(found)) for (resource, namespace), found in names.items()]
    if not kept:
        return groups
    return [replace(each, names=(name,), is_named=True) for each in groups for name in each.names]


def _gets_ready(resource: Resource, manifest: Manifest) -> bool:
    """Whether readiness says anything: Services without a selector have no endpoints of a controller's."""
    spec: dict[str, Any] = manifest.get("spec") or {}
    if resource == SERVICES:
        return bool(spec.get("selector")) and spec.get("type") != "ExternalName"
    return spec.get("replicas") != 0


async def _watch_all(
    tracker: ReadinessTracker,
    groups: Sequence[_Group],
    context: Context,
    opened: "asyncio.Future[None]",
    observation: Observation,
) -> Outcome:
    watched: list[tuple[_Group, Watch[Any]]] = []
    deadline = asyncio.get_running_loop().time() + _OPENING_SECONDS
    try:
        async with AsyncExitStack() as stack:
            for number, group in enumerate(groups):
                problem = "too many kinds and namespaces at once" if number >= _MOST_WATCHES else ""
                watch = _watch(group, context)
                if problem := problem or await _open(watch, stack, deadline=deadline):
                    tracker.leave_out(group)
                    context.emit(MeasurementMissed(name=_NAME, of=str(group), reason=problem))
                else:
                    watched.append((group, watch))
            if not opened.done():  # the step that waits for it may have been stopped
                opened.set_result(None)
            async with asyncio.TaskGroup() as following:
                tasks = [following.create_task(_follow(tracker, group, watch)) for group, watch in watched]
                await observation.follow(tracker.wait(), name="readiness")
                for task in tasks:
                    task.cancel()
    finally:
        if not opened.done():
            opened.cancel()
        for group, watch in watched:
            tracker.give_up(group, at=watch.seen_until)
    await _measure_pulls(tracker.seen, context)
    return PASSED


async def _open(watch: Watch[Any], stack: AsyncExitStack, *, deadline: float) -> str:
    """Open a watch; tells why that is not possible."""
    try:
        async with asyncio.timeout_at(deadline):
            await stack.enter_async_context(watch)
    except ClusterError as error:
        return error.message
    except TimeoutError:
        return f"it could not be watched within {_OPENING_SECONDS:g} s"
    return ""


def _watch(group: _Group, context: Context) -> Watch[Any]:
    namespace, names, cluster = group.namespace, group.names, context.cluster
    if group.resource == SERVICES:
        few = f"{_SERVICE_LABEL} in ({','.join(names)})" if len(names) <= _MOST_NAMES else _SERVICE_LABEL
        return cluster.watch(ENDPOINTSLICES, namespace=namespace, label_selector=few, type=EndpointSlice)
    if group.is_named:
        return cluster.watch(
            group.resource, namespace=namespace, field_selector=f"metadata.name={names[0]}", type=Waited
        )
    ours = f"{RUN_LABEL}={context.run_id}"
    return cluster.watch(group.resource, namespace=namespace, label_selector=ours, type=Waited)


async def _follow(tracker: ReadinessTracker, group: _Group, watch: Watch[Any]) -> None:
    try:
        async for event in watch:
            if group.resource == SERVICES:
                tracker.take_slice(event)
            else:
                tracker.take(event, kind=group.resource.kind)
    except ClusterError:  # it was seen up to here, and not Ready
        tracker.give_up(group, at=watch.seen_until)
        tracker.leave_out(group)


async def _measure_pulls(created: Iterable[Created], context: Context) -> None:
    """Of the pods that were created, and those of some workloads."""
    pods: list[PodRef] = []
    reader = PodReader(cluster=context.cluster)
    workloads = 0
    for each in created:
        applied, namespace = each.applied, each.applied.namespace or ""
        if applied.resource == PODS:
            pods.append(PodRef(namespace=namespace, name=applied.name, uid=each.uid))
        elif (matcher := _MATCHERS.get(applied.resource)) and workloads < _MOST_WORKLOADS:
            workloads += 1
            with suppress(ClusterError):  # then its pods can't be known
                pods += [
                    pod_ref(pod) for pod in (await matcher(name=applied.name, namespace=namespace).find(reader)).pods
                ]
    await measure_pulls(pods, context)
