"""The volumes of a pod, as directories: below `<pod directory>/.volumes/NAME`.

A process of the sandbox sees the host's file system; a container's mounts are symbolic links below its root
directory (SEATRIAL_ROOTFS), so `/etc/config` of the pod is `$SEATRIAL_ROOTFS/etc/config` to a program that wants it.
Read-only mounts are not enforced, and the content of ConfigMaps is that of the pod's start.
"""

import base64
import os
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.environment import (
    Configuration,
    ConfigurationMissingError,
    PodPlace,
    pod_field,
)
from seatrial.sandbox.kubelet.quantity import resource_field

_DEFAULT_MODE: Final = 0o644
_DIRECTORY: Final = ".volumes"

TokenSource = Callable[[Object, Object], Awaitable[str]]
"""Answers a service account token for (pod, serviceAccountToken projection)."""


class MountError(Exception):
    """A volume can't be set up; the text is that of the FailedMount event."""

    def __init__(self, volume: str, reason: str) -> None:
        super().__init__(f'MountVolume.SetUp failed for volume "{volume}" : {reason}')


@dataclass(frozen=True, kw_only=True)
class VolumeSources:
    """Where the content of volumes comes from."""

    configuration: Configuration
    token: TokenSource


def volume_directory(pod_directory: Path, volume: str) -> Path:
    """Where a pod's volume is."""
    return pod_directory / _DIRECTORY / volume


async def set_up_volumes(pod: Object, pod_directory: Path, *, place: PodPlace, sources: VolumeSources) -> None:
    """Make all volumes of a pod; may be repeated.

    Raises:
        MountError: the first that can't be made.
    """
    for volume in pod["spec"].get("volumes") or ():
        directory = volume_directory(pod_directory, volume["name"])
        try:
            await _set_up(volume, directory, pod=pod, place=place, sources=sources)
        except (ConfigurationMissingError, ValueError, OSError) as error:
            raise MountError(volume["name"], str(error)) from error


def mount_volumes(container: Object, root: Path, pod_directory: Path) -> None:
    """Link a container's mounts below its root directory."""
    root.mkdir(parents=True, exist_ok=True)
    # The outer first, so that a mount inside another one lands in it.
    for mount in sorted(container.get("volumeMounts") or (), key=lambda mount: len(mount["mountPath"])):
        target = volume_directory(pod_directory, mount["name"])
        if mount.get("subPath"):
            target = _inside(target, mount["subPath"])
            if not target.exists():
                target.mkdir(parents=True)
        link = _inside(root, mount["mountPath"])
        if link == root:
            continue
        link.parent.mkdir(parents=True, exist_ok=True)
        if link.is_dir() and not link.is_symlink():
            shutil.rmtree(link)
        link.unlink(missing_ok=True)
        link.symlink_to(target)


async def _set_up(volume: Object, directory: Path, *, pod: Object, place: PodPlace, sources: VolumeSources) -> None:
    _make_directory(volume, directory)
    if "hostPath" in volume or "emptyDir" in volume:
        return
    projected = volume.get("projected")
    for source in projected.get("sources") or () if projected is not None else (_as_projection(volume),):
        files = await _files_of(source, pod=pod, place=place, sources=sources)
        mode = (projected or volume.get("secret") or volume.get("configMap") or {}).get("defaultMode", _DEFAULT_MODE)
        for path, content in files.items():
            write_file(_inside(directory, path), content, mode=mode)


def _make_directory(volume: Object, directory: Path) -> None:
    if "hostPath" not in volume:
        directory.mkdir(parents=True, exist_ok=True)
        return
    directory.parent.mkdir(parents=True, exist_ok=True)
    directory.unlink(missing_ok=True)
    directory.symlink_to(volume["hostPath"]["path"])


def write_file(path: Path, content: bytes, *, mode: int = _DEFAULT_MODE) -> None:
    """Write a file so that a reader finds either the old or the new content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"..{path.name}.draft")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:  # noqa: PTH123 -- a descriptor with its mode
        file.write(content)
    draft.replace(path)


def _as_projection(volume: Object) -> Object:
    """A volume of one source, written like a source of a projected volume."""
    if "configMap" in volume:
        return {"configMap": volume["configMap"]}
    if "secret" in volume:
        return {"secret": {**volume["secret"], "name": volume["secret"].get("secretName")}}
    if "downwardAPI" in volume:
        return {"downwardAPI": volume["downwardAPI"]}
    kind = next((key for key in volume if key != "name"), "none")
    raise ValueError(f"volumes of type {kind} are not supported by the sandbox")


async def _files_of(source: Object, *, pod: Object, place: PodPlace, sources: VolumeSources) -> dict[str, bytes]:
    namespace = pod["metadata"]["namespace"]
    if "serviceAccountToken" in source:
        token = await sources.token(pod, source["serviceAccountToken"])
        return {source["serviceAccountToken"]["path"]: token.encode()}
    if "downwardAPI" in source:
        items = source["downwardAPI"].get("items") or ()
        return {item["path"]: _downward(item, pod, place).encode() for item in items}
    kind = "configMap" if "configMap" in source else "secret"
    reference = source.get(kind)
    if reference is None:
        raise ValueError("unsupported source of a projected volume")
    try:
        if kind == "configMap":
            found = await sources.configuration.config_map(namespace, reference["name"])
            data = {key: value.encode() for key, value in (found.get("data") or {}).items()}
            data |= {key: base64.b64decode(value) for key, value in (found.get("binaryData") or {}).items()}
        else:
            found = await sources.configuration.secret(namespace, reference["name"])
            data = {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()}
        return _selected(data, reference)
    except ConfigurationMissingError:
        if reference.get("optional"):
            return {}
        raise


def _selected(data: dict[str, bytes], reference: Object) -> dict[str, bytes]:
    items = reference.get("items")
    if not items:
        return data
    missing = [item["key"] for item in items if item["key"] not in data]
    if missing and not reference.get("optional"):
        raise ConfigurationMissingError(f"references non-existent config key: {missing[0]}")
    return {item["path"]: data[item["key"]] for item in items if item["key"] in data}


def _downward(item: Object, pod: Object, place: PodPlace) -> str:
    if "fieldRef" in item:
        return pod_field(pod, item["fieldRef"]["fieldPath"], place)
    reference = item["resourceFieldRef"]
    containers = [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or ())]
    container = next((c for c in containers if c["name"] == reference.get("containerName")), containers[0])
    return resource_field(container, reference, allocatable=dict(place.allocatable))


def _inside(root: Path, path: str) -> Path:
    parts = PurePosixPath(path).parts
    if ".." in parts:
        raise ValueError(f"path {path} must not contain '..'")
    return root.joinpath(*(part for part in parts if part != "/"))
