"""Generic ephemeral volumes: a pod's volume of type `ephemeral` is a claim that is made for it and goes with it.

The claim is named POD-VOLUME and owned by the pod, so that garbage collection takes it away. Behaviour: Kubernetes
documentation, "Ephemeral Volumes".
"""

import copy
from http import HTTPStatus
from typing import Final

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.controllers.context import ControllerContext
from seatrial.sandbox.controllers.objects import (
    controller_of,
    controller_reference,
    is_terminating,
    name_of,
    namespace_of,
    uid_of,
)
from seatrial.sandbox.informer import Key, key_of
from seatrial.sandbox.work_queue import WorkQueue

_CLAIMS: Final = "persistentvolumeclaims"


class EphemeralVolumeController:
    """Makes the claims of pods' ephemeral volumes."""

    name = "ephemeral-volume-controller"

    def __init__(self, context: ControllerContext) -> None:
        self._api = context.api
        self._events = context.events
        self._queue: WorkQueue[Key] = WorkQueue(self.name)
        self._pods = context.informers.of("pods")
        self._claims = context.informers.of(_CLAIMS)
        self._pods.add_handler(self._pod_changed)
        self._claims.add_handler(self._claim_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        for informer in (self._pods, self._claims):
            await informer.wait_synced()
        await self._queue.work(self._sync)

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if old is None and new is not None and ephemeral_volumes_of(new):
            self._queue.add(key_of(new))

    def _claim_changed(self, old: Object | None, new: Object | None) -> None:
        owner = controller_of(old) if old is not None and new is None else None
        if old is not None and owner is not None and owner["kind"] == "Pod":
            self._queue.add((namespace_of(old), owner["name"]))

    async def _sync(self, key: Key) -> None:
        pod = self._pods.get(*key)
        if pod is None or is_terminating(pod):
            return
        for volume in ephemeral_volumes_of(pod):
            await self._ensure(pod, volume)

    async def _ensure(self, pod: Object, volume: Object) -> None:
        name = f"{name_of(pod)}-{volume['name']}"
        known = self._claims.get(namespace_of(pod), name)
        if known is not None:
            owner = controller_of(known)
            if owner is None or owner["uid"] != uid_of(pod):
                said = f"PVC {namespace_of(pod)}/{name} was not created for pod {namespace_of(pod)}/{name_of(pod)} "
                said += "(pod is not owner)"
                self._events.record(self.name, pod, "FailedBinding", said, kind="Warning")
            return
        template = volume["ephemeral"]["volumeClaimTemplate"]
        metadata = {key: value for key, value in (template.get("metadata") or {}).items() if key != "name"}
        metadata |= {
            "name": name,
            "namespace": namespace_of(pod),
            "ownerReferences": [controller_reference(pod, api_version="v1", kind="Pod")],
        }
        body = {"metadata": metadata, "spec": copy.deepcopy(template["spec"])}
        try:
            await self._api.create(_CLAIMS, body, namespace_of(pod))
        except ApiError as error:
            if error.code != HTTPStatus.CONFLICT:
                said = f"failed to create PVC {name}: {error}"
                self._events.record(self.name, pod, "FailedCreate", said, kind="Warning")
                raise


def ephemeral_volumes_of(pod: Object) -> list[Object]:
    """The pod's volumes of that type."""
    return [volume for volume in pod["spec"].get("volumes") or () if "ephemeral" in volume]
