"""The volume controller: gives each PersistentVolumeClaim its PersistentVolume, and takes volumes back.

A claim gets an existing volume that suits, or one is made for it (`VolumeProvisioner`); with `WaitForFirstConsumer`
the scheduler names the node first. Both sides point at each other when they are bound. A volume whose claim is gone is
Released, and deleted with its data if its reclaim policy says so. Behaviour: Kubernetes documentation, "Persistent
Volumes".
"""

from typing import Any, Final

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.controllers.context import ControllerContext
from seatrial.sandbox.controllers.objects import annotations_of, is_terminating, name_of, namespace_of, uid_of
from seatrial.sandbox.controllers.volume_provisioner import VolumeProvisioner
from seatrial.sandbox.informer import Key, key_of
from seatrial.sandbox.rules.pod_resources import amounts_of
from seatrial.sandbox.rules.storage_classes import PROVISIONER, class_of
from seatrial.sandbox.rules.volume_matching import (
    BIND_COMPLETED,
    SELECTED_NODE,
    belongs_to,
    best_volume,
    is_bound,
)
from seatrial.sandbox.work_queue import WorkQueue

_CLAIMS: Final = "persistentvolumeclaims"
_VOLUMES: Final = "persistentvolumes"
_CLASSES: Final = "storageclasses.storage.k8s.io"
_BOUND_BY_US: Final = "pv.kubernetes.io/bound-by-controller"
_PROVISIONERS: Final = ("volume.beta.kubernetes.io/storage-provisioner", "volume.kubernetes.io/storage-provisioner")
_NO_PROVISIONER: Final = "kubernetes.io/no-provisioner"


class PersistentVolumeController:
    """Binds, provisions and reclaims."""

    name = "persistentvolume-controller"

    def __init__(self, context: ControllerContext, provisioner: VolumeProvisioner | None) -> None:
        self._api = context.api
        self._events = context.events
        self._provisioner = provisioner
        self._queue: WorkQueue[tuple[str, Key]] = WorkQueue(self.name)
        self._claims = context.informers.of(_CLAIMS)
        self._volumes = context.informers.of(_VOLUMES)
        self._classes = context.informers.of(_CLASSES)
        self._nodes = context.informers.of("nodes")
        self._claims.add_handler(self._claim_changed)
        self._volumes.add_handler(self._volume_changed)
        self._classes.add_handler(self._class_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        for informer in (self._claims, self._volumes, self._classes, self._nodes):
            await informer.wait_synced()
        await self._queue.work(self._sync)

    def _claim_changed(self, old: Object | None, new: Object | None) -> None:
        claim = new or old
        if claim is None:
            return
        if new is not None:
            self._queue.add((_CLAIMS, key_of(new)))
        volume = claim["spec"].get("volumeName")
        if volume:
            self._queue.add((_VOLUMES, ("", volume)))

    def _volume_changed(self, old: Object | None, new: Object | None) -> None:
        volume = new or old
        if volume is None:
            return
        if new is not None:
            self._queue.add((_VOLUMES, key_of(new)))
        reference = volume["spec"].get("claimRef")
        if reference:
            self._queue.add((_CLAIMS, (reference.get("namespace", ""), reference.get("name", ""))))
        else:
            self._look_at_pending_claims()

    def _class_changed(self, _old: Object | None, new: Object | None) -> None:
        if new is not None:
            self._look_at_pending_claims()

    def _look_at_pending_claims(self) -> None:
        for claim in self._claims.list():
            if not is_bound(claim):
                self._queue.add((_CLAIMS, key_of(claim)))

    async def _sync(self, item: tuple[str, Key]) -> None:
        kind, key = item
        if kind == _CLAIMS:
            claim = self._claims.get(*key)
            if claim is not None:
                await self._sync_claim(claim)
        else:
            volume = self._volumes.get(*key)
            if volume is not None:
                await self._sync_volume(volume)

    # Claims.

    async def _sync_claim(self, claim: Object) -> None:
        name = claim["spec"].get("volumeName")
        if name:
            await self._sync_named(claim, self._volumes.get(None, name))
        elif not is_terminating(claim):
            await self._sync_unbound(claim)

    async def _sync_named(self, claim: Object, volume: Object | None) -> None:
        """The claim names its volume: complete the binding, or say that it is lost."""
        if volume is None or (volume["spec"].get("claimRef") and not belongs_to(volume, claim)):
            if not is_bound(claim):
                await self._write_claim_status(claim, {"phase": "Pending"})
            elif (claim.get("status") or {}).get("phase") != "Lost":
                reason = "ClaimLost" if volume is None else "ClaimMisbound"
                said = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
                if volume is not None:
                    said = "Two claims are bound to the same volume, this one is bound incorrectly"
                self._tell(claim, reason, said, kind="Warning")
                await self._write_claim_status(claim, {"phase": "Lost"})
            return
        if not is_terminating(claim) or is_bound(claim):
            await self._bind(claim, volume)

    async def _sync_unbound(self, claim: Object) -> None:
        storage_class = self._classes.get(None, class_of(claim))
        volumes = self._volumes.list()
        waits = (storage_class or {}).get("volumeBindingMode") == "WaitForFirstConsumer"
        if waits:
            # Only what is set aside for it: the scheduler chooses, with the pod's node in view.
            volumes = [volume for volume in volumes if volume["spec"].get("claimRef")]
        volume = best_volume(claim, volumes)
        if volume is not None:
            await self._bind(claim, volume)
            return
        await self._write_claim_status(claim, {"phase": "Pending"})
        if waits and SELECTED_NODE not in annotations_of(claim):
            said = "waiting for first consumer to be created before binding"
            self._tell(claim, "WaitForFirstConsumer", said)
        elif not class_of(claim):
            said = "no persistent volumes available for this claim and no storage class is set"
            self._tell(claim, "FailedBinding", said)
        else:
            await self._provision(claim, storage_class)

    async def _provision(self, claim: Object, storage_class: Object | None) -> None:
        if storage_class is None:
            said = f'storageclass.storage.k8s.io "{class_of(claim)}" not found'
            self._tell(claim, "ProvisioningFailed", said, kind="Warning")
            return
        provisioner = storage_class["provisioner"]
        if provisioner == _NO_PROVISIONER:
            return
        if any(annotations_of(claim).get(key) != provisioner for key in _PROVISIONERS):
            patch = {"metadata": {"annotations": dict.fromkeys(_PROVISIONERS, provisioner)}}
            claim = await self._api.patch(_CLAIMS, name_of(claim), namespace_of(claim), patch)
        said = (
            f"Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the "
            "system administrator. If volume creation is delayed, please verify that the provisioner is running and "
            "correctly registered."
        )
        self._tell(claim, "ExternalProvisioning", said)
        if provisioner == PROVISIONER and self._provisioner is not None:
            node = self._nodes.get(None, annotations_of(claim).get(SELECTED_NODE, ""))
            await self._provisioner.provision(claim, storage_class, node)

    async def _bind(self, claim: Object, volume: Object) -> None:
        """Point both at each other, the volume first, as nobody else may take it then."""
        volume = await self._bind_volume(claim, volume)
        name, namespace = name_of(claim), namespace_of(claim)
        if not is_bound(claim) or not claim["spec"].get("volumeName"):
            annotations = {BIND_COMPLETED: "yes"}
            if not claim["spec"].get("volumeName"):
                annotations[_BOUND_BY_US] = "yes"
            patch = {
                "metadata": {"uid": uid_of(claim), "annotations": annotations},
                "spec": {"volumeName": name_of(volume)},
            }
            claim = await self._api.patch(_CLAIMS, name, namespace, patch)
        volume = await self._grow(claim, volume)
        status = {
            "phase": "Bound",
            "accessModes": volume["spec"].get("accessModes") or [],
            "capacity": volume["spec"].get("capacity") or {},
        }
        await self._write_claim_status(claim, status)

    async def _bind_volume(self, claim: Object, volume: Object) -> Object:
        reference = volume["spec"].get("claimRef") or {}
        if reference.get("uid") != uid_of(claim):
            wanted = {
                "kind": "PersistentVolumeClaim",
                "namespace": namespace_of(claim),
                "name": name_of(claim),
                "uid": uid_of(claim),
                "apiVersion": "v1",
                "resourceVersion": claim["metadata"]["resourceVersion"],
            }
            meta: Object = {"resourceVersion": volume["metadata"]["resourceVersion"]}
            if not reference:
                meta["annotations"] = {_BOUND_BY_US: "yes"}
            patch = {"metadata": meta, "spec": {"claimRef": wanted}}
            volume = await self._api.patch(_VOLUMES, name_of(volume), None, patch)
        return await self._write_volume_phase(volume, "Bound")

    async def _grow(self, claim: Object, volume: Object) -> Object:
        """A claim that asks for more than its volume has gets it: a directory has no size of its own."""
        wanted = amounts_of((claim["spec"].get("resources") or {}).get("requests")).get("storage")
        capacity = amounts_of(volume["spec"].get("capacity")).get("storage")
        provisioned = annotations_of(volume).get("pv.kubernetes.io/provisioned-by") == PROVISIONER
        if wanted is None or capacity is None or wanted.value <= capacity.value or not provisioned:
            return volume
        patch = {"spec": {"capacity": {"storage": str(wanted)}}}
        grown = await self._api.patch(_VOLUMES, name_of(volume), None, patch)
        self._tell(claim, "VolumeResizeSuccessful", "Resize volume succeeded")
        return grown

    async def _write_claim_status(self, claim: Object, status: Object) -> None:
        known = claim.get("status") or {}
        if {key: known.get(key) for key in status} == status:
            return
        patch = {"metadata": {"uid": uid_of(claim)}, "status": status}
        await self._api.patch(_CLAIMS, name_of(claim), namespace_of(claim), patch, subresource="status")

    # Volumes.

    async def _sync_volume(self, volume: Object) -> None:
        reference = volume["spec"].get("claimRef")
        if not reference:
            await self._write_volume_phase(volume, "Available")
            return
        if not reference.get("uid"):
            await self._write_volume_phase(volume, "Available")
            self._queue.add((_CLAIMS, (reference.get("namespace", ""), reference.get("name", ""))))
            return
        if await self._claim_exists(reference):
            return
        volume = await self._write_volume_phase(volume, "Released")
        if volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete":
            await self._reclaim(volume)

    async def _claim_exists(self, reference: Object) -> bool:
        """Asked of the server: a cache that is behind must not cost anybody their data."""
        try:
            found = await self._api.get(_CLAIMS, reference["name"], reference["namespace"])
        except ApiError as error:
            if error.code == 404:
                return False
            raise
        return uid_of(found) == str(reference["uid"])

    async def _reclaim(self, volume: Object) -> None:
        if annotations_of(volume).get("pv.kubernetes.io/provisioned-by") != PROVISIONER or self._provisioner is None:
            said = "error getting deleter volume plugin for volume: no deletable volume plugin matched"
            self._tell(volume, "VolumeFailedDelete", said, kind="Warning")
            await self._write_volume_phase(volume, "Failed")
            return
        await self._provisioner.remove(volume)

    async def _write_volume_phase(self, volume: Object, phase: str) -> Object:
        known = (volume.get("status") or {}).get("phase")
        if known == phase or (known == "Failed" and phase == "Released"):
            return volume
        patch = {"metadata": {"uid": uid_of(volume)}, "status": {"phase": phase}}
        return await self._api.patch(_VOLUMES, name_of(volume), None, patch, subresource="status")

    def _tell(self, about: Object, reason: str, message: str, **more: Any) -> None:
        self._events.record(self.name, about, reason, message, **more)
