"""Keeps claims that pods use, and volumes that are bound, until nobody needs them: the protection controllers.

Both kinds are made with a finalizer (admission); it is taken away here, when the deletion of an object that is no
longer in use has begun.
"""

import functools
from typing import Final

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.controllers.context import ControllerContext
from seatrial.sandbox.controllers.objects import is_finished, is_terminating, name_of, namespace_of, uid_of
from seatrial.sandbox.informer import Informer, Key, key_of
from seatrial.sandbox.work_queue import WorkQueue

_FINALIZERS: Final = {
    "persistentvolumeclaims": "kubernetes.io/pvc-protection",
    "persistentvolumes": "kubernetes.io/pv-protection",
}


class VolumeProtectionController:
    """Lets deleted claims and volumes go when they may."""

    name = "volume-protection-controller"

    def __init__(self, context: ControllerContext) -> None:
        self._api = context.api
        self._queue: WorkQueue[tuple[str, Key]] = WorkQueue(self.name)
        self._pods = context.informers.of("pods")
        self._informers: dict[str, Informer] = {name: context.informers.of(name) for name in _FINALIZERS}
        for resource, informer in self._informers.items():
            informer.add_handler(functools.partial(self._changed, resource))
        self._pods.add_handler(self._pod_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        for informer in (self._pods, *self._informers.values()):
            await informer.wait_synced()
        await self._queue.work(self._sync)

    def _changed(self, resource: str, _old: Object | None, new: Object | None) -> None:
        if new is not None and is_terminating(new) and _FINALIZERS[resource] in new["metadata"].get("finalizers", ()):
            self._queue.add((resource, key_of(new)))

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if old is not None and (new is None or is_finished(new)):
            for claim in claims_of(old):
                self._queue.add(("persistentvolumeclaims", (namespace_of(old), claim)))

    async def _sync(self, item: tuple[str, Key]) -> None:
        resource, key = item
        found = self._informers[resource].get(*key)
        if found is None or not is_terminating(found) or await self._is_in_use(resource, found):
            return
        rest = [name for name in found["metadata"].get("finalizers") or () if name != _FINALIZERS[resource]]
        patch = {"metadata": {"uid": uid_of(found), "finalizers": rest or None}}
        try:
            await self._api.patch(resource, name_of(found), namespace_of(found) or None, patch)
        except ApiError as error:
            if error.code != 404:
                raise

    async def _is_in_use(self, resource: str, found: Object) -> bool:
        if resource == "persistentvolumes":
            return (found.get("status") or {}).get("phase") == "Bound"
        # Asked of the server: a pod that was bound a moment ago may not be known here.
        pods = await self._api.list("pods", namespace_of(found))
        return any(
            pod["spec"].get("nodeName") and not is_finished(pod) and name_of(found) in claims_of(pod)
            for pod in pods.items
        )


def claims_of(pod: Object) -> list[str]:
    """The names of the claims whose volumes a pod mounts."""
    volumes = pod["spec"].get("volumes") or ()
    named = [volume["persistentVolumeClaim"]["claimName"] for volume in volumes if "persistentVolumeClaim" in volume]
    return named + [f"{name_of(pod)}-{volume['name']}" for volume in volumes if "ephemeral" in volume]
