"""Who the other instances are: the pods that the label selector finds, asked of the Kubernetes API.

It logs in as the pod's service account, from the files that Kubernetes mounts into every container (documented in
"Accessing the Kubernetes API from a Pod"). The token is read anew for each request, as it is rotated.
"""

import hashlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial.sandbox.images.goldpinger.settings import Settings
from seatrial.sandbox.network.low_ports import bindable

if TYPE_CHECKING:
    import aiohttp

_ACCOUNT_FOLDER = "var/run/secrets/kubernetes.io/serviceaccount"


class PeersUnknownError(Exception):
    """The API server can't be asked, or refuses: holds the reason, one line."""


@dataclass(frozen=True, order=True)
class Peer:
    """Another instance, or this one."""

    pod_name: str
    pod_ip: str
    host_ip: str
    node_name: str = ""


class PeerFinder:
    """Lists the instances."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._account = Path(environ.get("SEATRIAL_ROOTFS", "/"), _ACCOUNT_FOLDER)
        self._host = environ.get("KUBERNETES_SERVICE_HOST", "")
        self._port = bindable(int(environ.get("KUBERNETES_SERVICE_PORT", "443")))
        self._tls: ssl.SSLContext | None = None

    async def find(self, session: "aiohttp.ClientSession") -> list[Peer]:
        """All instances with an address, by name; raises `PeersUnknownError`."""
        import aiohttp  # noqa: PLC0415 -- heavy: loaded when an instance runs

        if not self._host:
            raise PeersUnknownError("KUBERNETES_SERVICE_HOST is not set: not running in a pod")
        try:
            async with session.get(
                self._url(),
                params={"labelSelector": self._settings.label_selector},
                headers={"Authorization": f"Bearer {(self._account / 'token').read_text().strip()}"},
                ssl=self._context(),
                timeout=aiohttp.ClientTimeout(total=10),
            ) as answer:
                body = await answer.json()
        except (OSError, aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise PeersUnknownError(f"listing pods failed: {str(error) or type(error).__name__}") from error
        if body.get("kind") == "Status":
            raise PeersUnknownError(f"listing pods failed: {body.get('message', 'unknown reason')}")
        return sorted(_peer(pod) for pod in body.get("items") or () if _answers(pod))

    def _url(self) -> str:
        namespace = self._settings.namespace
        if namespace is None:
            namespace = (self._account / "namespace").read_text().strip()
        below = f"/namespaces/{namespace}" if namespace else ""
        return f"https://{self._host}:{self._port}/api/v1{below}/pods"

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context(cafile=str(self._account / "ca.crt"))
        return self._tls


def choose(peers: list[Peer], *, pod_name: str, number: int) -> list[Peer]:
    """`number` of the peers (0: all), by rendezvous hashing: stable for this pod, spread evenly over all pods."""
    if number <= 0 or number >= len(peers):
        return peers
    weight = {peer: hashlib.sha256(f"{pod_name}/{peer.pod_name}".encode()).digest() for peer in peers}
    return sorted(sorted(peers, key=lambda peer: weight[peer])[:number])


def _answers(pod: Mapping[str, Any]) -> bool:
    status = pod.get("status", {})
    return bool(status.get("podIP")) and status.get("phase") == "Running"


def _peer(pod: Mapping[str, Any]) -> Peer:
    status = pod["status"]
    return Peer(
        pod_name=pod["metadata"]["name"],
        pod_ip=status["podIP"],
        host_ip=status.get("hostIP", ""),
        node_name=pod.get("spec", {}).get("nodeName", ""),
    )
