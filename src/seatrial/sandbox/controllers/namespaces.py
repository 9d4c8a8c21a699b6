"""The namespace controller: empties a namespace that is being deleted, then lets it go.

Works by events: each object of a dying namespace that disappears has the rest counted again. What stays is said in the
namespace's conditions, as Kubernetes says it. Behaviour: Kubernetes documentation, "Namespaces".
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.controllers.context import ControllerContext
from seatrial.sandbox.controllers.objects import (
    is_terminating,
    name_of,
    namespace_of,
    uid_of,
    with_value,
)
from seatrial.sandbox.controllers.resources import CLUSTER_WIDE, OWNABLE, KnownResources
from seatrial.sandbox.timestamps import to_time
from seatrial.sandbox.work_queue import WorkQueue

_FINALIZER: Final = "kubernetes"
# Deletions come in crowds: the rest is counted once for many of them.
_PAUSE_SECONDS: Final = 0.02
# For what no informer tells, such as a resource that refused to be listed.
_LOOK_AGAIN_SECONDS: Final = 5.0
_AT_ONCE: Final = 50


@dataclass
class _Remains:
    """What is still there after everything was asked to go."""

    objects: Counter[str] = field(default_factory=Counter)
    finalizers: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)


class NamespaceController:
    """Finishes the deletion of namespaces."""

    name = "namespace-controller"

    def __init__(self, context: ControllerContext) -> None:
        self._api = context.api
        self._now = context.now
        self._delay_seconds = context.timing.namespace_seconds
        self._begun: set[str] = set()
        self._queue: WorkQueue[str] = WorkQueue(self.name)
        self._namespaces = context.informers.of("namespaces")
        self._namespaces.add_handler(self._namespace_changed)
        self._informers = context.informers
        self._known = KnownResources(context.informers, self._listen)
        for resource in OWNABLE.values():
            if resource not in CLUSTER_WIDE:
                self._listen(resource)

    def _listen(self, resource: str) -> None:
        self._informers.of(resource).add_handler(self._content_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        await self._namespaces.wait_synced()
        await self._queue.work(self._sync, workers=2)

    def _namespace_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None and is_terminating(new) and (old is None or not is_terminating(old)):
            # Requests that began before the deletion may still create something.
            self._queue.add_after(name_of(new), self._delay_seconds)

    def _content_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None or old is None:
            return
        if namespace_of(old) in self._begun:
            self._queue.add_after(namespace_of(old), _PAUSE_SECONDS)

    async def _sync(self, name: str) -> None:
        namespace = self._namespaces.get(None, name)
        if namespace is None or not is_terminating(namespace):
            self._begun.discard(name)
            return
        self._begun.add(name)
        remains = _Remains()
        for resource in self._known.namespaced():
            await self._empty(name, resource, remains)
        await self._finish(namespace, remains)
        if remains.objects or remains.errors:
            self._queue.add_after(name, _LOOK_AGAIN_SECONDS)

    async def _empty(self, namespace: str, resource: str, remains: _Remains) -> None:
        try:
            items = (await self._api.list(resource, namespace)).items
            for start in range(0, len(items), _AT_ONCE):
                some = items[start : start + _AT_ONCE]
                outcomes = await asyncio.gather(
                    *(self._delete(resource, item) for item in some), return_exceptions=True
                )
                for outcome in outcomes:
                    if isinstance(outcome, BaseException):
                        raise outcome
            left = (await self._api.list(resource, namespace)).items if items else []
        except ApiError as error:
            # A resource that isn't served holds nothing.
            if error.code != HTTPStatus.NOT_FOUND:
                remains.errors.append(f"{resource}: {error}")
            return
        for item in left:
            remains.objects[resource] += 1
            remains.finalizers.update(item["metadata"].get("finalizers") or ())

    async def _delete(self, resource: str, item: Object) -> None:
        if is_terminating(item):
            return
        try:
            await self._api.delete(
                resource, name_of(item), namespace_of(item), uid=uid_of(item), propagation_policy="Background"
            )
        except ApiError as error:
            if error.code not in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
                raise

    async def _finish(self, namespace: Object, remains: _Remains) -> None:
        fresh = await self._api.get("namespaces", name_of(namespace))
        status = {**fresh.get("status", {}), "conditions": self._conditions(fresh, remains)}
        if status != fresh.get("status"):
            fresh = await self._api.replace("namespaces", with_value(fresh, ("status",), status), subresource="status")
        if remains.objects or remains.errors:
            return
        finalizers = [entry for entry in fresh["spec"].get("finalizers") or () if entry != _FINALIZER]
        await self._api.replace(
            "namespaces", with_value(fresh, ("spec", "finalizers"), finalizers), subresource="finalize"
        )

    def _conditions(self, namespace: Object, remains: _Remains) -> list[Object]:
        known = {entry["type"]: entry for entry in namespace.get("status", {}).get("conditions") or ()}
        moment = to_time(self._now())
        entries = []
        for kind, status, reason, message in _verdicts(remains):
            old = known.get(kind)
            same = old is not None and old["status"] == status
            entries.append(
                {
                    "type": kind,
                    "status": status,
                    "lastTransitionTime": old["lastTransitionTime"] if same and old is not None else moment,
                    "reason": reason,
                    "message": message,
                }
            )
        return entries


def _verdicts(remains: _Remains) -> list[tuple[str, str, str, str]]:
    failed = (
        ("True", "ContentDeletionFailed", "Failed to delete all resource types: " + "; ".join(remains.errors))
        if remains.errors
        else (
            "False",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        )
    )
    objects = (
        (
            "True",
            "SomeResourcesRemain",
            f"Some resources are remaining: {_counts(remains.objects, '{}. has {} resource instances')}",
        )
        if remains.objects
        else ("False", "ContentRemoved", "All content successfully removed")
    )
    finalizers = (
        (
            "True",
            "SomeFinalizersRemain",
            "Some content in the namespace has finalizers remaining: "
            + _counts(remains.finalizers, "{} in {} resource instances"),
        )
        if remains.finalizers
        else ("False", "ContentHasNoFinalizers", "All content-preserving finalizers finished")
    )
    return [
        ("NamespaceDeletionDiscoveryFailure", "False", "ResourcesDiscovered", "All resources successfully discovered"),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            "False",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        ("NamespaceDeletionContentFailure", *failed),
        ("NamespaceContentRemaining", *objects),
        ("NamespaceFinalizersRemaining", *finalizers),
    ]


def _counts(counter: Counter[str], form: str) -> str:
    return ", ".join(form.format(what, counter[what]) for what in sorted(counter))
