"""The volumes of a pod."""

import base64
import stat
from pathlib import Path

import pytest

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.environment import ConfigurationMissingError, PodPlace
from seatrial.sandbox.kubelet.volumes import (
    MountError,
    VolumeSources,
    link_volumes,
    set_up_volumes,
    volume_directory,
    volume_mounts,
)

PLACE = PodPlace(pod_ip="127.20.1.7", host_ip="127.20.0.11", allocatable={"cpu": "2"})


class FakeConfiguration:
    """One ConfigMap `settings` and one Secret `keys`."""

    async def config_map(self, _: str, name: str) -> Object:
        """Read a ConfigMap."""
        if name != "settings":
            raise ConfigurationMissingError(f'configmap "{name}" not found')
        return {"data": {"a": "1", "b": "2"}}

    async def claim_directory(self, _: str, name: str) -> str:
        """A claim's directory."""
        raise ConfigurationMissingError(f'persistentvolumeclaim "{name}" not found')

    async def secret(self, _: str, name: str) -> Object:
        """Read a Secret."""
        return {"data": {"key": base64.b64encode(name.encode()).decode()}}


async def token(pod: Object, projection: Object) -> str:
    """A token that tells for what it is."""
    return f"{pod['metadata']['name']} {projection['expirationSeconds']}"


SOURCES = VolumeSources(configuration=FakeConfiguration(), token=token)


def pod_with(*volumes: Object) -> Object:
    """A Pod with volumes."""
    return {
        "metadata": {"name": "web", "namespace": "shop", "uid": "u-1"},
        "spec": {"containers": [{"name": "c"}], "volumes": [*volumes]},
    }


async def contents(directory: Path, volume: Object) -> dict[str, str]:
    """The files of a volume."""
    await set_up_volumes(pod_with({"name": "v", **volume}), directory, place=PLACE, sources=SOURCES)
    root = volume_directory(directory, "v")
    names = sorted(entry.name for entry in root.iterdir() if not entry.name.startswith(".."))
    found = [f for name in names for f in (root / name, *(root / name).resolve().rglob("*")) if f.is_file()]
    return {str(f.resolve().relative_to((root / "..data").resolve())): f.read_text() for f in found}


async def test_each_kind_of_volume_holds_its_files(tmp_path: Path) -> None:
    """ConfigMap, selected keys, Secret, downward API."""
    assert await contents(tmp_path / "1", {"emptyDir": {}}) == {}
    assert await contents(tmp_path / "2", {"configMap": {"name": "settings"}}) == {"a": "1", "b": "2"}
    items = [{"key": "a", "path": "deep/x"}]
    assert await contents(tmp_path / "3", {"configMap": {"name": "settings", "items": items}}) == {"deep/x": "1"}
    assert await contents(tmp_path / "4", {"secret": {"secretName": "keys"}}) == {"key": "keys"}
    fields = [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]
    assert await contents(tmp_path / "5", {"downwardAPI": {"items": fields}}) == {"name": "web"}


async def test_a_projected_volume_holds_all_its_sources(tmp_path: Path) -> None:
    """Token, certificate and namespace of a service account come so."""
    sources = [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
        {"configMap": {"name": "settings", "items": [{"key": "a", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
    ]
    files = await contents(tmp_path, {"projected": {"sources": sources, "defaultMode": 0o600}})
    assert files == {"token": "web 3607", "ca.crt": "1", "namespace": "shop"}
    assert stat.S_IMODE((volume_directory(tmp_path, "v") / "token").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("volume", "reason"),
    [
        ({"configMap": {"name": "nosuch"}}, 'configmap "nosuch" not found'),
        (
            {"configMap": {"name": "settings", "items": [{"key": "z", "path": "z"}]}},
            "references non-existent config key: z",
        ),
        ({"configMap": {"name": "settings", "items": [{"key": "a", "path": "../z"}]}}, "must not contain"),
        ({"nfs": {}}, "volumes of type nfs are not supported by the sandbox"),
    ],
)
async def test_what_cannot_be_mounted_is_told(tmp_path: Path, volume: Object, reason: str) -> None:
    """With the kubelet's words where it has some."""
    with pytest.raises(MountError, match=f'MountVolume.SetUp failed for volume "v" : .*{reason}'):
        await contents(tmp_path, volume)


async def test_an_optional_config_map_may_be_missing(tmp_path: Path) -> None:
    """Its volume is empty."""
    assert await contents(tmp_path, {"configMap": {"name": "nosuch", "optional": True}}) == {}


async def test_mounts_lie_below_the_containers_root(tmp_path: Path) -> None:
    """Also one within another, and a part of a volume; again after a restart."""
    volumes = ({"name": "outer", "emptyDir": {}}, {"name": "v", "configMap": {"name": "settings"}})
    await set_up_volumes(pod_with(*volumes), tmp_path, place=PLACE, sources=SOURCES)
    mounts = [
        {"name": "v", "mountPath": "/etc/outer/inner"},
        {"name": "outer", "mountPath": "/etc/outer"},
        {"name": "v", "mountPath": "/one-file", "subPath": "a"},
    ]
    root = tmp_path / "c" / "rootfs"
    for _ in range(2):
        link_volumes(volume_mounts({"volumeMounts": mounts}, tmp_path, environ={}), root)
    assert (root / "etc/outer/inner/b").read_text() == "2"
    assert (root / "one-file").read_text() == "1"
