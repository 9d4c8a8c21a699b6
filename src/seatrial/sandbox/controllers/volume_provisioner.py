"""Makes volumes out of directories: the provisioner `seatrial.dev/local-directory`.

Each volume is a directory below the sandbox's own, so it outlives the pods that use it, goes when it is reclaimed, and
can't outlive the sandbox. Nothing holds a pod to the size it asked for.
"""

import asyncio
import shutil
from http import HTTPStatus
from pathlib import Path
from typing import Final

from seatrial.sandbox.api import Api, ApiError, Object
from seatrial.sandbox.controllers.objects import labels_of, name_of, namespace_of, uid_of
from seatrial.sandbox.event_recorder import EventRecorder
from seatrial.sandbox.rules.storage_classes import PROVISIONER, TOPOLOGY_KEY, class_of
from seatrial.sandbox.rules.volume_matching import reach_of

_VOLUMES: Final = "persistentvolumes"


class VolumeProvisioner:
    """Makes and removes the directories and their PersistentVolumes.

    Args:
        api: where the volumes are told.
        events: where claims are told of them.
        directory: below which the volumes lie.
    """

    def __init__(self, api: Api, events: EventRecorder, directory: Path) -> None:
        self._api = api
        self._events = events
        self._directory = directory

    async def provision(self, claim: Object, storage_class: Object, node: Object | None) -> None:
        """Make a volume for a claim; `node` is where its first pod will be, if the class waits for that."""
        name = f"pvc-{uid_of(claim)}"
        said = f'External provisioner is provisioning volume for claim "{namespace_of(claim)}/{name_of(claim)}"'
        self._events.record(PROVISIONER, claim, "Provisioning", said)
        path = self._directory / name
        try:
            await asyncio.to_thread(path.mkdir, mode=0o777, parents=True, exist_ok=True)
            await self._api.create(_VOLUMES, _volume(name, path, claim, storage_class, node))
        except ApiError as error:
            if error.code != HTTPStatus.CONFLICT:
                raise
        except OSError as error:
            said = f'failed to provision volume with StorageClass "{class_of(claim)}": {error.strerror}'
            self._events.record(PROVISIONER, claim, "ProvisioningFailed", said, kind="Warning")
            return
        self._events.record(PROVISIONER, claim, "ProvisioningSucceeded", f"Successfully provisioned volume {name}")

    async def remove(self, volume: Object) -> None:
        """Delete a volume and what is in it."""
        path = self._directory / name_of(volume)
        if (volume["spec"].get("hostPath") or {}).get("path") == str(path):
            await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
        try:
            await self._api.delete(_VOLUMES, name_of(volume), uid=uid_of(volume))
        except ApiError as error:
            if error.code not in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
                raise


def _volume(name: str, path: Path, claim: Object, storage_class: Object, node: Object | None) -> Object:
    parameters = storage_class.get("parameters") or {}
    reach = reach_of(parameters.get(TOPOLOGY_KEY, ""), labels_of(node) if node is not None else {})
    spec: Object = {
        "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
        "accessModes": claim["spec"]["accessModes"],
        "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy") or "Delete",
        "storageClassName": name_of(storage_class),
        "volumeMode": claim["spec"].get("volumeMode") or "Filesystem",
        "hostPath": {"path": str(path), "type": "DirectoryOrCreate"},
        "claimRef": {
            "kind": "PersistentVolumeClaim",
            "apiVersion": "v1",
            "namespace": namespace_of(claim),
            "name": name_of(claim),
            "uid": uid_of(claim),
            "resourceVersion": claim["metadata"]["resourceVersion"],
        },
    }
    if reach is not None:
        spec["nodeAffinity"] = reach
    if storage_class.get("mountOptions"):
        spec["mountOptions"] = storage_class["mountOptions"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER}},
        "spec": spec,
    }
