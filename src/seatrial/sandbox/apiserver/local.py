"""The API for components that live in the API server's process: `sandbox.api.Api` without HTTP.

Calls take the same path as HTTP requests (defaults, admission, validation), as a user who may do everything. Every
call gives the event loop a turn, as a network call would, so that no controller starves the others.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

from seatrial.sandbox.api import Object, ObjectList, WatchEvent
from seatrial.sandbox.apiserver import deletion, statuses
from seatrial.sandbox.apiserver.access.tokens import TokenSigner
from seatrial.sandbox.apiserver.bootstrap import furnish
from seatrial.sandbox.apiserver.built_in_resources import built_in
from seatrial.sandbox.apiserver.calls import INTERNAL, Call, DeleteOptions
from seatrial.sandbox.apiserver.custom.service import CustomResources
from seatrial.sandbox.apiserver.operations import Operations, Transform
from seatrial.sandbox.apiserver.patching.merge_patch import merge
from seatrial.sandbox.apiserver.publishing.versions import create_in_version, is_of_another_version
from seatrial.sandbox.apiserver.resources import Resource
from seatrial.sandbox.apiserver.selectors import Selector
from seatrial.sandbox.apiserver.store import Store, TooOldError
from seatrial.sandbox.apiserver.subresources import Subresources
from seatrial.sandbox.apiserver.watching import event_of


class LocalApi:
    """Implements `sandbox.api.Api` on the store itself.

    Args:
        operations: the API server's verbs.
        subresources: `pods/binding` and its like.
        manager: whom `managedFields` names for writes made here.
    """

    def __init__(
        self, operations: Operations, subresources: Subresources, *, manager: str = "kube-controller-manager"
    ) -> None:
        self._operations = operations
        self._subresources = subresources
        self._manager = manager

    def as_manager(self, manager: str) -> "LocalApi":
        """The same API, writing under another manager's name."""
        return LocalApi(self._operations, self._subresources, manager=manager)

    def _call(self) -> Call:
        return Call(user=INTERNAL, manager=self._manager)

    def _resource(self, key: str) -> Resource:
        try:
            return self._operations.registry.of(key)
        except KeyError:
            raise statuses.no_such_resource() from None

    def _selector(self, resource: Resource, label_selector: str, field_selector: str) -> Selector:
        return Selector(
            label_selector,
            field_selector,
            group=resource.group,
            plural=resource.plural,
            selectable=resource.selectable,
        )

    async def get(self, resource: str, name: str, namespace: str | None = None) -> Object:
        """Read one object."""
        await asyncio.sleep(0)
        return self._operations.record(self._resource(resource), namespace, name).object

    async def list(
        self, resource: str, namespace: str | None = None, *, label_selector: str = "", field_selector: str = ""
    ) -> ObjectList:
        """Read all objects of a resource."""
        await asyncio.sleep(0)
        found = self._resource(resource)
        selector = self._selector(found, label_selector, field_selector)
        records = self._operations.select(found, namespace, selector)
        return ObjectList([record.object for record in records], str(self._operations.store.revision))

    async def create(self, resource: str, body: Object, namespace: str | None = None) -> Object:
        """Create an object, or post to a subresource written `pods/binding` (`body.metadata.name` names the pod)."""
        await asyncio.sleep(0)
        key, _, subresource = resource.partition("/")
        found = self._resource(key)
        where = namespace or (body.get("metadata") or {}).get("namespace")
        if subresource:
            name = (body.get("metadata") or {}).get("name", "")
            return self._subresources.create(found, subresource, where, name, body, self._call())
        if is_of_another_version(found):
            return create_in_version(self._operations, found, where, body, self._call())
        return self._operations.create(found, where, body, self._call())

    async def replace(self, resource: str, body: Object, *, subresource: str | None = None) -> Object:
        """PUT."""
        await asyncio.sleep(0)
        meta, call = body["metadata"], replace(self._call(), is_put=True)
        return self._write(resource, meta["name"], meta.get("namespace"), lambda _old: body, subresource, call)

    async def patch(
        self, resource: str, name: str, namespace: str | None, patch: Object, *, subresource: str | None = None
    ) -> Object:
        """JSON merge patch."""
        await asyncio.sleep(0)
        return self._write(resource, name, namespace, lambda old: merge(old, patch), subresource, self._call())

    def _write(
        self,
        resource: str,
        name: str,
        namespace: str | None,
        transform: Transform,
        subresource: str | None,
        call: Call,
    ) -> Object:
        found = self._resource(resource)
        if subresource and subresource != "status":
            return self._subresources.update(found, subresource, namespace, name, transform, call)
        return self._operations.update(found, namespace, name, transform, call, subresource=subresource or "")

    async def delete(
        self,
        resource: str,
        name: str,
        namespace: str | None = None,
        *,
        uid: str | None = None,
        grace_period_seconds: int | None = None,
        propagation_policy: str | None = None,
    ) -> None:
        """Delete an object, or begin its graceful deletion."""
        await asyncio.sleep(0)
        options = DeleteOptions(grace_period_seconds, propagation_policy, uid)
        deletion.delete(self._operations, self._resource(resource), namespace, name, options, self._call())

    async def watch(
        self,
        resource: str,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncIterator[WatchEvent]:
        """Follow changes after `resource_version`; ends when the server stops, 410 when it is too old."""
        found = self._resource(resource)
        selector = self._selector(found, label_selector, field_selector)
        try:
            subscription = self._operations.store.subscribe(found.table, since=int(resource_version))
        except TooOldError as error:
            raise statuses.gone_resource_version(error.asked, error.oldest) from error
        try:
            while changes := await subscription.next():
                for change in changes:
                    event = event_of(change, namespace, selector)
                    if event is not None:
                        yield WatchEvent(event.type, event.record.object)
        finally:
            subscription.close()


def local_api(*, service_cidr: str = "127.1.128.0/17") -> LocalApi:
    """An API on a store of its own, furnished but not served: for tests of controllers."""
    operations = Operations(store=Store(), registry=built_in(), service_cidr=service_cidr)
    CustomResources(operations)
    furnish(operations)
    return LocalApi(operations, Subresources(operations, TokenSigner(operations)))
