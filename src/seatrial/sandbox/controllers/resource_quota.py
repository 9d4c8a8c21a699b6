"""The quota controller: what of each ResourceQuota is used, counted anew when something that counts goes or changes.

Admission only ever adds (`apiserver.admission.resource_quota`); what objects give back when they are deleted, or when a
pod ends, is found here. Behaviour: Kubernetes documentation, "Resource Quotas".
"""

from typing import Final

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.controllers.context import ControllerContext
from seatrial.sandbox.controllers.objects import is_finished, namespace_of, with_value
from seatrial.sandbox.informer import Key, key_of
from seatrial.sandbox.quota.scopes import is_in_scope
from seatrial.sandbox.quota.usage import ZERO, is_about, tables_of, usage_of
from seatrial.sandbox.rules.pod_resources import Amounts, amounts_of, plus
from seatrial.sandbox.work_queue import WorkQueue

_QUOTAS: Final = "resourcequotas"
_RESYNC_SECONDS: Final = 300.0


class ResourceQuotaController:
    """Keeps the status of every ResourceQuota."""

    name = "resourcequota-controller"

    def __init__(self, context: ControllerContext) -> None:
        self._api = context.api
        self._informers = context.informers
        self._queue: WorkQueue[Key] = WorkQueue(self.name)
        self._quotas = context.informers.of(_QUOTAS)
        self._followed: set[str] = set()
        self._quotas.add_handler(self._quota_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        await self._quotas.wait_synced()
        await self._queue.work(self._sync)

    def _quota_changed(self, old: Object | None, new: Object | None) -> None:
        # What admission adds to the status is no reason to count again; what it has charged comes with the objects.
        if new is not None and (old is None or old["spec"] != new["spec"] or _hard(new) != new["spec"].get("hard")):
            self._queue.add(key_of(new))

    def _object_changed(self, table: str, old: Object | None, new: Object | None) -> None:
        if old is None or (new is not None and not _gives_back(table, old, new)):
            return
        for quota in self._quotas.list(namespace_of(old)):
            if any(is_about(name, table) for name in quota["spec"].get("hard") or ()):
                self._queue.add(key_of(quota))

    async def _sync(self, key: Key) -> None:
        namespace, name = key
        if self._quotas.get(*key) is None:
            return
        # Read before what is counted: a write that admission lets in meanwhile changes the quota, and makes what is
        # counted here a conflict instead of a loophole. For the same reason nothing is counted from a cache.
        quota = await self._api.get(_QUOTAS, name, namespace)
        hard = quota["spec"].get("hard") or {}
        used: Amounts = dict.fromkeys(hard, ZERO)
        for table in sorted(tables_of(hard)):
            for item in await self._objects(table, namespace):
                if is_in_scope(quota, table, item):
                    counted = {name: amount for name, amount in usage_of(table, item).items() if name in used}
                    used = plus(used, counted)
        await self._write(quota, {name: str(amount) for name, amount in used.items()})
        self._queue.add_after(key, _RESYNC_SECONDS)

    async def _objects(self, table: str, namespace: str) -> list[Object]:
        """A table's objects, followed from here on; none of a resource that isn't served."""
        try:
            listed = await self._api.list(table, namespace)
        except ApiError as error:
            if error.code == 404:
                return []
            raise
        if table not in self._followed:
            self._followed.add(table)
            informer = self._informers.of(table)
            informer.add_handler(lambda old, new: self._object_changed(table, old, new))
        return listed.items

    async def _write(self, quota: Object, used: dict[str, str]) -> None:
        hard = {name: str(amount) for name, amount in amounts_of(quota["spec"].get("hard")).items()}
        status = {"hard": hard, "used": used}
        if status == quota.get("status"):
            return
        try:
            await self._api.replace(_QUOTAS, with_value(quota, ("status",), status), subresource="status")
        except ApiError as error:
            if error.reason != "NotFound":
                raise


def _hard(quota: Object) -> object:
    return (quota.get("status") or {}).get("hard")


def _gives_back(table: str, old: Object, new: Object) -> bool:
    """The change may leave the object with less than before."""
    if table == "pods":
        return is_finished(new) and not is_finished(old)
    return table in ("services", "persistentvolumeclaims") and old["spec"] != new["spec"]
