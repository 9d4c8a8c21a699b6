"""What a pod's volume claims ask of a node, and how claims that wait for a pod get their volume.

A bound claim's volume must be reachable from the node; a claim of class mode WaitForFirstConsumer gets one once the
node is chosen. Behaviour: Kubernetes documentation, "Storage Classes", "Volume Binding Mode".
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from seatrial.sandbox.api import Api, Object
from seatrial.sandbox.controllers.ephemeral_volumes import ephemeral_volumes_of
from seatrial.sandbox.controllers.objects import is_terminating, name_of, namespace_of, uid_of
from seatrial.sandbox.controllers.volume_protection import claims_of
from seatrial.sandbox.informer import Informer
from seatrial.sandbox.rules.storage_classes import class_of
from seatrial.sandbox.rules.volume_matching import SELECTED_NODE, best_volume, is_bound, reaches
from seatrial.sandbox.scheduler.node_info import NodeInfo

_CLAIMS: Final = "persistentvolumeclaims"
_VOLUMES: Final = "persistentvolumes"
_BIND_SECONDS: Final = 600.0
_NO_PROVISIONER: Final = "kubernetes.io/no-provisioner"


class VolumesMissingError(Exception):
    """No node could take the pod, as its claims aren't ready; the message is the scheduler's."""


@dataclass(frozen=True)
class VolumeNeeds:
    """What a pod's claims need of a node.

    Args:
        bound: volumes that it has.
        waiting: claims that get theirs once the node is known.
        available: the volumes that such claims may get.
        unprovisioned: the classes of which no volume can be made.
    """

    bound: list[Object] = field(default_factory=list)
    waiting: list[Object] = field(default_factory=list)
    available: list[Object] = field(default_factory=list)
    unprovisioned: frozenset[str] = frozenset()

    def reasons_against(self, node: NodeInfo) -> list[str]:
        """What a node can't give."""
        if node.node is None or not (self.bound or self.waiting):
            return []
        reasons = []
        if not all(reaches(volume, node.node) for volume in self.bound):
            reasons.append("node(s) didn't match PersistentVolume's node affinity")
        for claim in self.waiting:
            if class_of(claim) in self.unprovisioned and best_volume(claim, self.available, node=node.node) is None:
                reasons.append("node(s) didn't find available persistent volumes to bind")
                break
        return reasons


class VolumeBinder:
    """Knows claims, volumes and classes, and gives waiting claims their volume.

    Args:
        api: the API server.
        claims: the informer of claims.
        volumes: that of volumes.
        classes: that of storage classes.
    """

    def __init__(self, api: Api, claims: Informer, volumes: Informer, classes: Informer) -> None:
        self._api = api
        self._claims = claims
        self._volumes = volumes
        self._classes = classes
        self._changed = asyncio.Event()
        claims.add_handler(self._claim_changed)

    def _claim_changed(self, _old: Object | None, _new: Object | None) -> None:
        self._changed.set()

    def needs_of(self, pod: Object) -> VolumeNeeds:
        """What the pod's claims need; raises `VolumesMissingError` when no node could help."""
        names = claims_of(pod) if pod["spec"].get("volumes") else ()
        if not names:
            return _NOTHING
        made_for_it = {f"{name_of(pod)}-{volume['name']}" for volume in ephemeral_volumes_of(pod)}
        bound, waiting = [], []
        for name in names:
            claim = self._claims.get(namespace_of(pod), name)
            if claim is None and name in made_for_it:
                said = f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{name}"'
                raise VolumesMissingError(said)
            if claim is None:
                raise VolumesMissingError(f'persistentvolumeclaim "{name}" not found')
            if is_terminating(claim):
                raise VolumesMissingError(f'persistentvolumeclaim "{name}" is being deleted')
            if is_bound(claim):
                bound.append(self._volume_of(claim))
            else:
                waiting.append(claim)
        modes = {name_of(item): item for item in self._classes.list()}
        if any((modes.get(class_of(c)) or {}).get("volumeBindingMode") != "WaitForFirstConsumer" for c in waiting):
            raise VolumesMissingError("pod has unbound immediate PersistentVolumeClaims")
        manual = frozenset(name for name, item in modes.items() if item["provisioner"] == _NO_PROVISIONER)
        return VolumeNeeds(bound, waiting, self._volumes.list() if waiting else [], manual)

    def _volume_of(self, claim: Object) -> Object:
        name = claim["spec"]["volumeName"]
        volume = self._volumes.get(None, name)
        if volume is None:
            said = f'persistentvolumeclaim "{name_of(claim)}" bound to non-existent persistentvolume "{name}"'
            raise VolumesMissingError(said)
        return volume

    async def bind(self, needs: VolumeNeeds, node: Object) -> None:
        """Give each waiting claim its volume, on that node; raises `TimeoutError` when it takes too long."""
        taken: set[str] = set()
        for claim in needs.waiting:
            free = [volume for volume in needs.available if name_of(volume) not in taken]
            volume = best_volume(claim, free, node=node)
            if volume is None:
                patch: Object = {"metadata": {"annotations": {SELECTED_NODE: name_of(node)}}}
                await self._api.patch(_CLAIMS, name_of(claim), namespace_of(claim), patch)
            else:
                taken.add(name_of(volume))
                await self._set_aside(volume, claim)
        async with asyncio.timeout(_BIND_SECONDS):
            await self._all_bound(needs.waiting)

    async def _set_aside(self, volume: Object, claim: Object) -> None:
        reference = {
            "kind": "PersistentVolumeClaim",
            "apiVersion": "v1",
            "namespace": namespace_of(claim),
            "name": name_of(claim),
            "uid": uid_of(claim),
        }
        meta = {"resourceVersion": volume["metadata"]["resourceVersion"]}
        patch = {"metadata": meta, "spec": {"claimRef": reference}}
        await self._api.patch(_VOLUMES, name_of(volume), None, patch)

    async def _all_bound(self, claims: Iterable[Object]) -> None:
        keys = [(namespace_of(claim), name_of(claim)) for claim in claims]
        while True:
            self._changed.clear()
            found = [self._claims.get(*key) for key in keys]
            if all(claim is not None and is_bound(claim) for claim in found):
                return
            await self._changed.wait()


_NOTHING: Final = VolumeNeeds()
