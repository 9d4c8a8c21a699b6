"""Waiting for objects of the cluster: their conditions as `kubectl wait` sees them, followed by a watch."""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from seatrial.errors import ClusterError
from seatrial.kube.client import Client
from seatrial.kube.resources import DAEMONSETS, DEPLOYMENTS, JOBS, NODES, PODS, STATEFULSETS, Resource
from seatrial.kube.watch import Watch, WatchEvent
from seatrial.policy.base import Complaint, Model
from seatrial.policy.scalars import Integer
from seatrial.probes.conditions import DELETED, READY, State, Waited, Wanted, count_ready, judge
from seatrial.runtime.scope import Observation
from seatrial.runtime.verdict import PASSED, Outcome, failed, nothing_to_do
from seatrial.targets.permissions import Permission, missing_in
from seatrial.targets.pod_matchers.by_selector import LabelSelectorText

ObjectName = Annotated[str, Field(min_length=1, pattern=r"^[^\s/,=!]+$")]


class ObjectWait(Model):
    """What all kinds of objects have in common: which ones, and what is to hold."""

    resource: ClassVar[Resource]

    name: ObjectName | None = None
    """The object's name."""

    labels: LabelSelectorText | None = None
    """A label selector instead of a name: there must be at least one, and it must hold for all of them."""

    condition: Annotated[str, Field(min_length=1)] = READY
    """A type of the conditions in its status, or `Ready`, or `Deleted`: there is no such object (any more)."""

    negative: bool = False
    """Wait until the condition does not hold (any more)."""

    @classmethod
    def rules(cls, given: Mapping[str, Any]) -> Iterator[Complaint]:
        """Which objects is said in one of the two ways."""
        named = [key for key in ("name", "labels") if given.get(key) is not None]
        if not named:
            yield Complaint("needs one of: name, labels")
        if len(named) > 1:
            yield Complaint("is a second way to say which objects, beside 'name'", ("labels",), at_key=True)
        if given.get("condition") == DELETED and given.get("negative") is True:
            yield Complaint("makes no sense with 'condition: Deleted'", ("negative",), at_key=True)

    @property
    def in_namespace(self) -> str | None:
        """Where they are; None for what is in no namespace."""
        return getattr(self, "namespace", None)

    def __str__(self) -> str:
        kind = self.resource.kind
        which = f"{kind} {self.name}" if self.name else f"each {kind} with {self.labels}"
        where = f" in {self.in_namespace}" if self.in_namespace else ""
        return f"{which}{where} to be {'not ' if self.negative else ''}{self.condition}"


class PodWait(ObjectWait):
    """Pods to be in a condition; one that is being deleted is not Ready."""

    resource = PODS

    namespace: ObjectName
    """The namespace."""


class DeploymentWait(ObjectWait):
    """Deployments to be in a condition; Ready: all replicas are updated and available, and no old ones are left."""

    resource = DEPLOYMENTS

    namespace: ObjectName
    """The namespace."""


class StatefulSetWait(ObjectWait):
    """StatefulSets to be in a condition; Ready: all replicas are ready."""

    resource = STATEFULSETS

    namespace: ObjectName
    """The namespace."""


class DaemonSetWait(ObjectWait):
    """DaemonSets to be in a condition; Ready: there is a ready pod on every node that should have one."""

    resource = DAEMONSETS

    namespace: ObjectName
    """The namespace."""


class JobWait(ObjectWait):
    """Jobs to be in a condition."""

    resource = JOBS

    namespace: ObjectName
    """The namespace."""

    condition: Annotated[str, Field(min_length=1)] = "Complete"
    """`Complete`, `Failed`, `Suspended`, or `Deleted`: there is no such object (any more)."""


class NodeWait(ObjectWait):
    """Nodes to be in a condition; `negative: true` waits for a node to be lost."""

    resource = NODES


class ReadyPods(Model):
    """So many pods to be Ready; those that are being deleted don't count."""

    labels: LabelSelectorText
    """The pods' label selector."""

    namespace: ObjectName
    """The namespace."""

    count: Annotated[Integer, Field(ge=1)]
    """How many have to be Ready, at least."""

    def __str__(self) -> str:
        return f"{self.count} ready pods with {self.labels} in {self.namespace}"


@dataclass(frozen=True, kw_only=True)
class _Selected:
    """Which objects to look at."""

    resource: Resource
    namespace: str | None
    labels: str = ""
    fields: str = ""


class _Following:
    """The objects as an open watch shows them, and since when it holds for them."""

    def __init__(self, watch: Watch[Waited], judge_all: Callable[[Collection[Waited]], State]) -> None:
        self._watch = watch
        self._judge = judge_all
        self._known = {each.metadata.uid: each for each in watch.snapshot}
        self._changed = asyncio.Event()
        self._problem: ClusterError | None = None
        self._since = asyncio.get_running_loop().time() if self._judge(self._known.values()).holds else None

    async def read(self) -> None:
        """Take in every change, without an end; what ends it is raised where somebody waits."""
        try:
            async for event in self._watch:
                self._take(event)
                self._changed.set()
        except ClusterError as error:
            self._problem = error
            self._changed.set()

    async def until(self, *, holds_for_seconds: float, not_before: float) -> float:
        """Wait until it holds, and has so long since `not_before` at the earliest; since when it does."""
        while True:
            if self._problem is not None:
                raise self._problem
            since, self._changed = self._since, asyncio.Event()
            enough = None if since is None else max(since, not_before) + holds_for_seconds
            if since is not None and enough is not None and enough <= asyncio.get_running_loop().time():
                return since
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(enough):
                    await self._changed.wait()

    def known_missing_until(self) -> float | None:
        """Up to when it is known not to hold; None where it holds, or nobody looks."""
        return self._watch.seen_until if self._since is None and self._problem is None else None

    def _take(self, event: WatchEvent[Waited]) -> None:
        if event.type == "DELETED":
            self._known.pop(event.object.metadata.uid, None)
        else:
            self._known[event.object.metadata.uid] = event.object
        if not self._judge(self._known.values()).holds:
            self._since = None
        elif self._since is None:
            self._since = event.received


class ObjectsWait:
    """A wait for objects. See `Wait` for its methods."""

    def __init__(
        self, cluster: Client, selected: _Selected, *, what: str, judge_all: Callable[[Collection[Waited]], State]
    ) -> None:
        self.what = what
        self._cluster = cluster
        self._selected = selected
        self._judge = judge_all
        self._following: _Following | None = None

    async def begin_early(self, observation: Observation) -> Outcome:
        """Follow the changes from before the first step to after the last; what keeps us from it, the step says."""
        with contextlib.suppress(ClusterError):
            async with self._watch() as watch:
                self._following = _Following(watch, self._judge)
                await observation.follow(self._following.read(), name=f"wait for {self.what}")
        observation.begun.set()
        return PASSED

    async def until(self, *, holds_for_seconds: float, not_before: float) -> float:
        """Follow the changes until it holds; the moment is the arrival of the change that made it so."""
        if self._following is not None:
            return await self._following.until(holds_for_seconds=holds_for_seconds, not_before=not_before)
        async with self._watch() as watch:
            self._following = following = _Following(watch, self._judge)
            reading = asyncio.create_task(following.read(), name=f"wait for {self.what}")
            try:
                return await following.until(holds_for_seconds=holds_for_seconds, not_before=not_before)
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    def known_missing_until(self) -> float | None:
        """Up to now, while the changes are followed and it does not hold."""
        following = self._following
        return following.known_missing_until() if following else None

    def _watch(self) -> Watch[Waited]:
        selected = self._selected
        return self._cluster.watch(
            selected.resource,
            namespace=selected.namespace,
            label_selector=selected.labels,
            field_selector=selected.fields,
            type=Waited,
        )

    async def too_late(self, *, timeout_seconds: float) -> Outcome:
        """Look once more, so that a watch that was cut off is not taken for a system that failed."""
        state = self._judge(await self._list())
        waited = f"waited {timeout_seconds:g} s for {self.what}"
        if state.holds:
            return nothing_to_do(
                f"{waited}: it holds when looked at again, but since when, or for how long, isn't known"
            )
        return failed(f"{waited}: {state.account}")

    async def at_present(self) -> str:
        """How far it is."""
        state = self._judge(await self._list())
        return f"{state.account}, so it holds" if state.holds else state.account

    async def missing_permissions(self) -> tuple[str, ...]:
        """Listing and watching is what it needs."""
        needed = [Permission(verb, self._selected.resource) for verb in ("list", "watch")]
        return await missing_in(self._selected.namespace, needed, self._cluster)

    async def _list(self) -> list[Waited]:
        selected = self._selected
        listed = await self._cluster.list(
            selected.resource,
            namespace=selected.namespace,
            label_selector=selected.labels,
            field_selector=selected.fields,
            type=Waited,
        )
        return list(listed.items)


def wait_for_objects(target: ObjectWait | ReadyPods, cluster: Client) -> ObjectsWait:
    """The wait for what a policy names."""
    if isinstance(target, ReadyPods):
        selected = _Selected(resource=PODS, namespace=target.namespace, labels=target.labels)
        count = target.count
        return ObjectsWait(cluster, selected, what=str(target), judge_all=lambda pods: count_ready(pods, count))
    wanted = Wanted(kind=target.resource.kind, condition=target.condition, negative=target.negative)
    selected = _Selected(
        resource=target.resource,
        namespace=target.in_namespace,
        labels=target.labels or "",
        fields=f"metadata.name={target.name}" if target.name else "",
    )
    return ObjectsWait(cluster, selected, what=str(target), judge_all=lambda objects: judge(objects, wanted))
