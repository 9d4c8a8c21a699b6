"""The node as the API server knows it: registration, heartbeats, status.

Two heartbeats, as Kubernetes' "Nodes" describes: a Lease in kube-node-lease, renewed often and cheap, and the status,
written every five minutes or when it changes.
"""

import asyncio
import contextlib
import os
import platform
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

import structlog

from seatrial import __version__
from seatrial.sandbox.api import Api, ApiError, Object
from seatrial.sandbox.informer import Informer
from seatrial.sandbox.kubelet.machine_config import MachineConfig
from seatrial.sandbox.kubelet.times import format_micros, format_seconds

KUBELET_VERSION: Final = "v1.36.2"
RUNTIME_NAME: Final = "seatrial"
LEASE_NAMESPACE: Final = "kube-node-lease"
_LEASES: Final = "leases.coordination.k8s.io"
_STATUS_SECONDS: Final = 300.0
_FIRST_RETRY_SECONDS: Final = 0.1
_LONGEST_RETRY_SECONDS: Final = 7.0
_MOST_PODS: Final = "110"
# How many heartbeats may be missed: 40 s against 10 s, as kubelet has it.
_LEASE_HEARTBEATS: Final = 4
_ARCHITECTURES: Final[Mapping[str, str]] = {"x86_64": "amd64", "aarch64": "arm64"}
_log = structlog.get_logger(__name__)


def allocatable_resources() -> dict[str, str]:
    """What pods may ask of this machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024
    return {
        "cpu": str(os.cpu_count() or 1),
        "ephemeral-storage": "100Gi",
        "memory": f"{memory}Ki",
        "pods": _MOST_PODS,
    }


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


def _node_info(config: MachineConfig) -> Object:
    return {
        "machineID": config.instance_id,
        "systemUUID": config.instance_id,
        "bootID": _boot_id(),
        "kernelVersion": platform.release(),
        "osImage": "Seatrial sandbox",
        "containerRuntimeVersion": f"{RUNTIME_NAME}://{__version__}",
        "kubeletVersion": KUBELET_VERSION,
        "kubeProxyVersion": "",
        "operatingSystem": "linux",
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
    }


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


class NodeHeartbeat:
    """Registers the node and says that it lives, until cancelled."""

    def __init__(self, api: Api, config: MachineConfig) -> None:
        self._api = api
        self._config = config
        self._lease: Object | None = None
        self._disputed = asyncio.Event()
        self._informer = Informer(api, "nodes", field_selector=f"metadata.name={config.node_name}")
        self._informer.add_handler(self._see)
        self.node: Object | None = None

    async def run(self) -> None:
        """Register, then send both heartbeats; the API server may be away for as long as it likes."""
        await self._until_done(self._register)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._renew_lease())
            group.create_task(self._renew_status())
            group.create_task(self._informer.run())

    def _see(self, _: Object | None, node: Object | None) -> None:
        """Contradict whoever took the node for dead while it could not be heard."""
        conditions = ((node or {}).get("status") or {}).get("conditions") or ()
        if any(c["type"] == "Ready" and c["status"] != "True" for c in conditions):
            self._disputed.set()

    async def _until_done(self, action: Callable[[], Awaitable[None]]) -> None:
        pause = _FIRST_RETRY_SECONDS
        while True:
            try:
                await action()
            except ApiError as error:
                _log.warning("heartbeat tries again", node=self._config.node_name, error=str(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_RETRY_SECONDS)
            else:
                return

    async def _register(self) -> None:
        wanted = node_object(self._config, now=time.time())
        try:
            self.node = await self._api.create("nodes", wanted)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
            patch = {"metadata": {"labels": wanted["metadata"]["labels"]}}
            self.node = await self._api.patch("nodes", self._config.node_name, None, patch)
        if (self.node.get("status") or {}).get("conditions") != wanted["status"]["conditions"]:
            await self._write_status()

    async def _write_status(self) -> None:
        node = await self._api.get("nodes", self._config.node_name)
        old = tuple((node.get("status") or {}).get("conditions") or ())
        status = node_status(self._config, old=old, now=time.time())
        self.node = await self._api.patch(
            "nodes", self._config.node_name, None, {"status": status}, subresource="status"
        )

    async def _renew_status(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._disputed.wait(), _STATUS_SECONDS)
            self._disputed.clear()
            await self._until_done(self._write_status)

    async def _renew_lease(self) -> None:
        while True:
            await self._until_done(self._write_lease)
            await asyncio.sleep(self._config.heartbeat_seconds)

    async def _write_lease(self) -> None:
        wanted = self._wanted_lease()
        try:
            if self._lease is None:
                self._lease = await self._api.create(_LEASES, wanted, LEASE_NAMESPACE)
            else:
                self._lease = await self._api.replace(_LEASES, wanted)
        except ApiError as error:
            if error.reason in {"AlreadyExists", "Conflict"}:
                self._lease = await self._api.get(_LEASES, self._config.node_name, LEASE_NAMESPACE)
                self._lease = await self._api.replace(_LEASES, self._wanted_lease())
            elif error.reason == "NotFound":
                self._lease = None
                raise
            else:
                raise

    def _wanted_lease(self) -> Object:
        name = self._config.node_name
        metadata: Object = self._lease["metadata"] if self._lease else {"name": name, "namespace": LEASE_NAMESPACE}
        if self.node is not None and "ownerReferences" not in metadata:
            owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": self.node["metadata"]["uid"]}
            metadata = {**metadata, "ownerReferences": [owner]}
        return {
            "kind": "Lease",
            "apiVersion": "coordination.k8s.io/v1",
            "metadata": metadata,
            "spec": {
                "holderIdentity": name,
                "leaseDurationSeconds": max(round(self._config.heartbeat_seconds * _LEASE_HEARTBEATS), 1),
                "renewTime": format_micros(time.time()),
            },
        }
