"""The volumes of a pod, as directories: below `<pod directory>/.volumes/NAME`.

`volume_mounts` says where a container finds them. A container with a file tree of its own has them mounted there; one
without sees links below its root directory (SEATRIAL_ROOTFS), and read-only mounts are not enforced.
"""

import base64
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, Protocol

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.command import expand
from seatrial.sandbox.kubelet.container_isolation.host_paths import prepare_host_path
from seatrial.sandbox.kubelet.container_isolation.root_filesystem import Mount
from seatrial.sandbox.kubelet.environment import (
    Configuration,
    ConfigurationMissingError,
    PodPlace,
    pod_field,
)
from seatrial.sandbox.kubelet.resource_field import resource_field
from seatrial.sandbox.kubelet.volume_payload import File, write_payload

_DEFAULT_MODE: Final = 0o644
_DIRECTORY: Final = ".volumes"
_EVERYBODYS: Final = 0o777
_NEVER_CHANGING: Final = "kube-root-ca.crt"

TokenSource = Callable[[Object, Object], Awaitable[str]]
"""Answers a service account token for (pod, serviceAccountToken projection)."""


class MountError(Exception):
    """A volume can't be set up; the text is that of the FailedMount event."""

    def __init__(self, volume: str, reason: str) -> None:
        super().__init__(f'MountVolume.SetUp failed for volume "{volume}" : {reason}')


class VolumeConfiguration(Configuration, Protocol):
    """ConfigMaps, Secrets, and claims; all raise `ConfigurationMissingError`."""

    async def claim_directory(self, namespace: str, name: str) -> str:
        """Where the volume is that a PersistentVolumeClaim is bound to."""
        ...


@dataclass(frozen=True, kw_only=True)
class VolumeSources:
    """Where the content of volumes comes from."""

    configuration: VolumeConfiguration
    token: TokenSource


def volume_directory(pod_directory: Path, volume: str) -> Path:
    """Where a pod's volume is."""
    return pod_directory / _DIRECTORY / volume


async def set_up_volumes(pod: Object, pod_directory: Path, *, place: PodPlace, sources: VolumeSources) -> None:
    """Make all volumes of a pod, and bring their content up to date; may be repeated.

    Raises:
        MountError: the first that can't be made.
    """
    for volume in pod["spec"].get("volumes") or ():
        directory = volume_directory(pod_directory, volume["name"])
        try:
            await _set_up(volume, directory, pod=pod, place=place, sources=sources)
        except (ConfigurationMissingError, ValueError, OSError) as error:
            raise MountError(volume["name"], str(error)) from error


def is_refreshed(pod: Object) -> bool:
    """Whether a volume of the pod has content that others may change: a ConfigMap, a Secret."""
    for volume in pod["spec"].get("volumes") or ():
        for source in (volume, *((volume.get("projected") or {}).get("sources") or ())):
            if "secret" in source or (source.get("configMap") or {}).get("name", _NEVER_CHANGING) != _NEVER_CHANGING:
                return True
    return False


def volume_mounts(container: Object, pod_directory: Path, *, environ: Mapping[str, str]) -> tuple[Mount, ...]:
    """Where a container finds the pod's volumes.

    Args:
        container: its entry in the pod's spec.
        pod_directory: where the volumes are.
        environ: for `subPathExpr`.

    Raises:
        ValueError: a path leads out of its volume.
    """
    mounts = []
    for mount in container.get("volumeMounts") or ():
        source = volume_directory(pod_directory, mount["name"])
        part = mount.get("subPath") or expand(mount.get("subPathExpr") or "", environ)
        if part:
            volume, source = source, _inside(source, part)
            if not source.resolve().is_relative_to(volume.resolve()):
                # By a symbolic link that a container made there.
                raise ValueError(f'failed to prepare subPath for volumeMount "{mount["name"]}": {part} leads out of it')
            if not source.exists():
                source.mkdir(parents=True)
                source.chmod(_EVERYBODYS)
        mounts.append(Mount(str(source.resolve()), mount["mountPath"], bool(mount.get("readOnly"))))
    return tuple(mounts)


def link_volumes(mounts: Sequence[Mount], root: Path) -> None:
    """Link a container's mounts below its root directory, the outer first: one inside another lands in it."""
    for mount in sorted(mounts, key=lambda mount: len(mount.target)):
        link = _inside(root, mount.target)
        if link == root:
            continue
        link.parent.mkdir(parents=True, exist_ok=True)
        if link.is_dir() and not link.is_symlink():
            shutil.rmtree(link)
        link.unlink(missing_ok=True)
        link.symlink_to(mount.source)


async def _set_up(volume: Object, directory: Path, *, pod: Object, place: PodPlace, sources: VolumeSources) -> None:
    namespace = pod["metadata"]["namespace"]
    if "hostPath" in volume:
        prepare_host_path(volume["hostPath"])
        _link_directory(directory, volume["hostPath"]["path"])
    elif "persistentVolumeClaim" in volume or "ephemeral" in volume:
        own = f"{pod['metadata']['name']}-{volume['name']}"
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName", own)
        _link_directory(directory, await sources.configuration.claim_directory(namespace, claim))
    else:
        _make_directory(directory)
    if not {"hostPath", "persistentVolumeClaim", "ephemeral", "emptyDir"} & volume.keys():
        write_payload(directory, await _payload(volume, pod=pod, place=place, sources=sources))


def _make_directory(directory: Path) -> None:
    if not directory.exists():
        directory.mkdir(parents=True)
        directory.chmod(_EVERYBODYS)


def _link_directory(directory: Path, target: str) -> None:
    directory.parent.mkdir(parents=True, exist_ok=True)
    directory.unlink(missing_ok=True)
    directory.symlink_to(target)


async def _payload(volume: Object, *, pod: Object, place: PodPlace, sources: VolumeSources) -> dict[str, File]:
    projected = volume.get("projected")
    parts = projected.get("sources") or () if projected is not None else (_as_projection(volume),)
    own = projected if projected is not None else next(iter(_as_projection(volume).values()))
    mode = own.get("defaultMode", _DEFAULT_MODE)
    files: dict[str, File] = {}
    for source in parts:
        modes = {item["path"]: item.get("mode") for part in source.values() for item in part.get("items") or ()}
        for path, content in (await _files_of(source, pod=pod, place=place, sources=sources)).items():
            _inside(Path("/"), path)
            chosen = modes.get(path)
            files[path] = File(content, mode if chosen is None else chosen)
    return files


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
    except ConfigurationMissingError:
        if reference.get("optional"):
            return {}
        raise
    return _selected(data, reference, word="config" if kind == "configMap" else "secret")


def _selected(data: dict[str, bytes], reference: Object, *, word: str) -> dict[str, bytes]:
    items = reference.get("items")
    if not items:
        return data
    missing = [item["key"] for item in items if item["key"] not in data]
    if missing and not reference.get("optional"):
        raise ConfigurationMissingError(f"references non-existent {word} key: {missing[0]}")
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
