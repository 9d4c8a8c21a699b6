"""The node as the API server knows it: registration, heartbeats, status.

Two heartbeats, as Kubernetes' "Nodes" describes: a Lease in kube-node-lease, renewed often and cheap, and the status,
written every five minutes or when it changes.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from seatrial.sandbox.api import Api, ApiError, Object
from seatrial.sandbox.informer import Informer
from seatrial.sandbox.kubelet.machine_config import MachineConfig
from seatrial.sandbox.kubelet.node_object import node_object, node_status
from seatrial.sandbox.timestamps import format_micros

LEASE_NAMESPACE: Final = "kube-node-lease"
_CSI_NODES: Final = "csinodes.storage.k8s.io"
_LEASES: Final = "leases.coordination.k8s.io"
_FIRST_RETRY_SECONDS: Final = 0.1
_LONGEST_RETRY_SECONDS: Final = 7.0
# What every kubelet writes, however often it renews.
_LEASE_SECONDS: Final = 40
_log = structlog.get_logger(__name__)


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
        known = self.node.get("status") or {}
        if any(known.get(each) != wanted["status"][each] for each in ("conditions", "nodeInfo")):
            await self._write_status()
        await self._write_csi_node()

    async def _write_csi_node(self) -> None:
        """Say which storage drivers the node has: none."""
        name = self._config.node_name
        metadata = {"name": name, "ownerReferences": [self._owner()]}
        wanted = {"kind": "CSINode", "apiVersion": "storage.k8s.io/v1", "metadata": metadata, "spec": {"drivers": None}}
        try:
            await self._api.create(_CSI_NODES, wanted)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise

    def _owner(self) -> Object:
        name, uid = self._config.node_name, self.node["metadata"]["uid"] if self.node else ""
        return {"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid}

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
                async with asyncio.timeout(self._config.timing.node_status_seconds):
                    await self._disputed.wait()
            self._disputed.clear()
            await self._until_done(self._write_status)

    async def _renew_lease(self) -> None:
        while True:
            await self._until_done(self._write_lease)
            await asyncio.sleep(self._config.timing.heartbeat_seconds)

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
            metadata = {**metadata, "ownerReferences": [self._owner()]}
        return {
            "kind": "Lease",
            "apiVersion": "coordination.k8s.io/v1",
            "metadata": metadata,
            "spec": {
                "holderIdentity": name,
                "leaseDurationSeconds": _LEASE_SECONDS,
                "renewTime": format_micros(time.time()),
            },
        }
