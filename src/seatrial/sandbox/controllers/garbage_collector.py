"""The garbage collector: what an object owned goes when it goes, in the way that was asked for.

*Background*: the owner is gone, its dependents follow. *Foreground*: the owner waits (finalizer `foregroundDeletion`)
until the dependents that block it are gone. *Orphan*: the dependents are cut loose first (finalizer `orphan`). An
object whose owner doesn't exist at all is deleted too. Behaviour: Kubernetes documentation, "Garbage Collection".
"""

import functools
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Final, NamedTuple

import structlog

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.controllers.context import ControllerContext
from seatrial.sandbox.controllers.objects import is_terminating, name_of, namespace_of, owners_of, uid_of
from seatrial.sandbox.controllers.resources import OWNABLE, KnownResources
from seatrial.sandbox.informer import Informer
from seatrial.sandbox.work_queue import WorkQueue

FOREGROUND: Final = "foregroundDeletion"
ORPHAN: Final = "orphan"
_BY_OWNER: Final = "owner"
_WORKERS: Final = 10

_log = structlog.get_logger(__name__)


class _Item(NamedTuple):
    """An object to look at."""

    resource: str
    namespace: str
    name: str


def _owner_uids(item: Object) -> Iterable[str]:
    return [owner["uid"] for owner in owners_of(item)]


def _finalizers(item: Object) -> list[str]:
    return item["metadata"].get("finalizers") or []


class GarbageCollector:
    """Follows ownerReferences through all resources that may have them."""

    name = "garbage-collector-controller"

    def __init__(self, context: ControllerContext) -> None:
        self._api = context.api
        self._queue: WorkQueue[_Item] = WorkQueue(self.name)
        self._shared = context.informers
        self._informers: dict[str, Informer] = {}
        self._alive: set[str] = set()
        self._known = KnownResources(context.informers, self._follow)
        for resource in OWNABLE.values():
            self._follow(resource)

    def _follow(self, resource: str) -> None:
        informer = self._informers[resource] = self._shared.of(resource)
        informer.add_index(_BY_OWNER, _owner_uids)
        informer.add_handler(functools.partial(self._changed, resource))

    async def run(self) -> None:
        """Work until cancelled."""
        for informer in tuple(self._informers.values()):
            await informer.wait_synced()
        await self._queue.work(self._sync, workers=_WORKERS)

    def _changed(self, resource: str, old: Object | None, new: Object | None) -> None:
        if new is None:
            if old is not None:
                self._alive.discard(uid_of(old))
                self._ask_for_dependents(old)
            return
        self._alive.add(uid_of(new))
        owners_changed = old is None or owners_of(old) != owners_of(new)
        unknown_owner = owners_changed and any(uid not in self._alive for uid in _owner_uids(new))
        waits = is_terminating(new) and not {FOREGROUND, ORPHAN}.isdisjoint(_finalizers(new))
        if unknown_owner or waits:
            self._queue.add(_Item(resource, namespace_of(new), name_of(new)))
        if owners_changed:
            self._ask_for_owners(old or new)

    def _ask_for_dependents(self, owner: Object) -> None:
        for resource, dependent in self._dependents(owner):
            self._queue.add(_Item(resource, namespace_of(dependent), name_of(dependent)))
        self._ask_for_owners(owner)

    def _ask_for_owners(self, dependent: Object) -> None:
        """An owner that waits for this dependent has to be looked at again."""
        for reference in owners_of(dependent):
            resource = self._known.resource_of(reference)
            if resource is None:
                continue
            namespace = "" if self._known.is_cluster_wide(resource) else namespace_of(dependent)
            owner = self._informers[resource].get(namespace, reference["name"])
            if owner is not None and is_terminating(owner):
                self._queue.add(_Item(resource, namespace, name_of(owner)))

    def _dependents(self, owner: Object) -> Iterator[tuple[str, Object]]:
        for resource, informer in self._informers.items():
            for dependent in informer.indexed(_BY_OWNER, uid_of(owner)):
                yield resource, dependent

    async def _sync(self, item: _Item) -> None:
        known = self._informers[item.resource].get(item.namespace, item.name)
        if known is None:
            return
        if is_terminating(known):
            if ORPHAN in _finalizers(known):
                await self._cut_loose(item, known)
            elif FOREGROUND in _finalizers(known):
                await self._delete_dependents(item, known)
            return
        await self._judge(item, known)

    async def _cut_loose(self, item: _Item, owner: Object) -> None:
        for resource, dependent in list(self._dependents(owner)):
            await self._drop_owners(resource, dependent, {uid_of(owner)})
        await self._remove_finalizer(item, owner, ORPHAN)

    async def _delete_dependents(self, item: _Item, owner: Object) -> None:
        dependents = list(self._dependents(owner))
        is_blocked = any(
            reference["uid"] == uid_of(owner) and reference.get("blockOwnerDeletion")
            for _, dependent in dependents
            for reference in owners_of(dependent)
        )
        if not is_blocked:
            await self._remove_finalizer(item, owner, FOREGROUND)
        for resource, dependent in dependents:
            if not is_terminating(dependent):
                self._queue.add(_Item(resource, namespace_of(dependent), name_of(dependent)))

    async def _judge(self, item: _Item, known: Object) -> None:
        """Delete an object if none of its owners will stay; else cut it loose from those that won't."""
        going: set[str] = set()
        waiting: set[str] = set()
        for reference in owners_of(known):
            owner = await self._find_owner(item, reference)
            if owner is None:
                going.add(reference["uid"])
            elif is_terminating(owner) and FOREGROUND in _finalizers(owner):
                waiting.add(reference["uid"])
        leaving = going | waiting
        if not leaving:
            return
        if len(leaving) < len(owners_of(known)):
            await self._drop_owners(item.resource, known, leaving)
            return
        has_dependents = any(True for _ in self._dependents(known))
        policy = "Foreground" if waiting and has_dependents else self._default_policy(known)
        await self._delete(item, known, policy)

    @staticmethod
    def _default_policy(known: Object) -> str:
        finalizers = _finalizers(known)
        if ORPHAN in finalizers:
            return "Orphan"
        return "Foreground" if FOREGROUND in finalizers else "Background"

    async def _find_owner(self, item: _Item, reference: Object) -> Object | None:
        """The owner; the reference itself where its kind isn't known, so that nothing is deleted by ignorance."""
        resource = self._known.resource_of(reference)
        if resource is None:
            _log.debug("owner of an unknown kind", kind=reference["kind"], dependent=item.name)
            return {"metadata": {"uid": reference["uid"]}}
        is_cluster_wide = self._known.is_cluster_wide(resource)
        namespace = "" if is_cluster_wide else item.namespace
        if not namespace and not is_cluster_wide:
            return {"metadata": {"uid": reference["uid"]}}  # a cluster-wide object can't have such an owner
        owner = self._informers[resource].get(namespace, reference["name"])
        if owner is None or uid_of(owner) != reference["uid"]:
            # The informer may be behind: only the server knows that an owner is missing.
            owner = await self._read(resource, namespace, reference["name"])
        return owner if owner is not None and uid_of(owner) == reference["uid"] else None

    async def _read(self, resource: str, namespace: str, name: str) -> Object | None:
        try:
            return await self._api.get(resource, name, namespace or None)
        except ApiError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return None
            raise

    async def _delete(self, item: _Item, known: Object, policy: str) -> None:
        try:
            await self._api.delete(
                item.resource, item.name, item.namespace or None, uid=uid_of(known), propagation_policy=policy
            )
        except ApiError as error:
            if error.code not in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
                raise

    async def _drop_owners(self, resource: str, dependent: Object, uids: set[str]) -> None:
        rest = [reference for reference in owners_of(dependent) if reference["uid"] not in uids]
        patch = {
            "metadata": {
                "uid": uid_of(dependent),
                "resourceVersion": dependent["metadata"]["resourceVersion"],
                "ownerReferences": rest or None,
            }
        }
        await self._patch(resource, dependent, patch)

    async def _remove_finalizer(self, item: _Item, owner: Object, finalizer: str) -> None:
        fresh = await self._read(item.resource, item.namespace, item.name)
        if fresh is None or uid_of(fresh) != uid_of(owner) or finalizer not in _finalizers(fresh):
            return
        rest = [entry for entry in _finalizers(fresh) if entry != finalizer]
        metadata = {"resourceVersion": fresh["metadata"]["resourceVersion"], "finalizers": rest or None}
        await self._patch(item.resource, fresh, {"metadata": metadata})

    async def _patch(self, resource: str, target: Object, patch: Object) -> None:
        try:
            await self._api.patch(resource, name_of(target), namespace_of(target) or None, patch)
        except ApiError as error:
            if error.code != HTTPStatus.NOT_FOUND:
                raise
