"""The Node object that a kubelet registers and keeps up to date, as a function of its settings and its machine."""

import contextlib
import os
import platform
from collections.abc import Mapping
from typing import Final

from seatrial import __version__
from seatrial.sandbox.api import Object
from seatrial.sandbox.images.registry import built_in_images
from seatrial.sandbox.kubelet.image_names import InvalidImageNameError, canonical_name
from seatrial.sandbox.kubelet.machine_config import MachineConfig
from seatrial.sandbox.timestamps import format_seconds

KUBELET_VERSION: Final = "v1.36.2"
RUNTIME_NAME: Final = "seatrial"
_MOST_PODS: Final = "110"
# A built-in image is a few functions; its name is longer than what it takes of the disk.
_IMAGE_BYTES: Final = 1024
_FEATURES: Final = {"recursiveReadOnlyMounts": True, "userNamespaces": False}
_ARCHITECTURES: Final[Mapping[str, str]] = {"x86_64": "amd64", "aarch64": "arm64"}


def allocatable_resources() -> dict[str, str]:
    """What pods may ask of this machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024
    return {
        "cpu": str(os.cpu_count() or 1),
        "ephemeral-storage": f"{_disk_kibibytes()}Ki",
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        "memory": f"{memory}Ki",
        "pods": _MOST_PODS,
    }


def _disk_kibibytes() -> int:
    disk = os.statvfs("/")
    return disk.f_blocks * disk.f_frsize // 1024


def node_object(config: MachineConfig, *, now: float) -> Object:
    """The Node to register."""
    architecture = _ARCHITECTURES.get(platform.machine(), platform.machine())
    labels = {
        "beta.kubernetes.io/arch": architecture,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": architecture,
        "kubernetes.io/hostname": config.node_name,
        "kubernetes.io/os": "linux",
        "topology.kubernetes.io/region": config.region,
        "topology.kubernetes.io/zone": config.zone,
        "seatrial.io/group": config.group,
    }
    return {
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": {
            "name": config.node_name,
            "labels": {key: value for key, value in labels.items() if value},
            "annotations": {"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
        },
        "spec": {
            "podCIDR": config.pod_cidr,
            "podCIDRs": [config.pod_cidr],
            "providerID": f"sandbox:///{config.zone}/{config.instance_id}",
        },
        "status": node_status(config, old=(), now=now),
    }


def node_status(config: MachineConfig, *, old: tuple[Object, ...], now: float) -> Object:
    """The status to write; conditions that others added to `old` are kept."""
    resources = allocatable_resources()
    return {
        "capacity": resources,
        "allocatable": resources,
        "conditions": _conditions(old, now=now),
        "addresses": [
            {"type": "InternalIP", "address": config.address},
            {"type": "Hostname", "address": config.node_name},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": config.kubelet_port}},
        "nodeInfo": _node_info(config),
        "images": [{"names": [name], "sizeBytes": _IMAGE_BYTES} for name in _image_names(config)],
        "runtimeHandlers": [{"name": name, "features": _FEATURES} for name in ("", RUNTIME_NAME)],
        "features": {"supplementalGroupsPolicy": True},
    }


_HEALTHY: Final = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)


def _conditions(old: tuple[Object, ...], *, now: float) -> list[Object]:
    before = {condition["type"]: condition for condition in old}
    stamp = format_seconds(now)
    conditions = []
    for name, status, reason, message in _HEALTHY:
        known = before.pop(name, {})
        moved = known.get("lastTransitionTime", stamp) if known.get("status") == status else stamp
        conditions.append(
            {
                "type": name,
                "status": status,
                "lastHeartbeatTime": stamp,
                "lastTransitionTime": moved,
                "reason": reason,
                "message": message,
            }
        )
    return [*before.values(), *conditions]


def _image_names(config: MachineConfig) -> list[str]:
    """The images at hand; a name that the user gave and no registry could have is left out."""
    found = set()
    for name in (*built_in_images(), *config.images):
        with contextlib.suppress(InvalidImageNameError):
            found.add(canonical_name(name))
    return sorted(found)


def _node_info(config: MachineConfig) -> Object:
    return {
        "machineID": config.instance_id,
        "systemUUID": config.instance_id,
        "bootID": config.boot_id,
        "kernelVersion": platform.release(),
        "osImage": "Seatrial sandbox",
        "containerRuntimeVersion": f"{RUNTIME_NAME}://{__version__}",
        "kubeletVersion": KUBELET_VERSION,
        "kubeProxyVersion": "",
        "operatingSystem": "linux",
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
    }
