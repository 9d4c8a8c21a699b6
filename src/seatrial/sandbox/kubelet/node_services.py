"""What all pod workers of a node share."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from seatrial.sandbox.api import Api
from seatrial.sandbox.kubelet.events import KubeletEvents
from seatrial.sandbox.kubelet.pod_addresses import PodAddresses
from seatrial.sandbox.kubelet.pod_host import Surroundings
from seatrial.sandbox.kubelet.volumes import VolumeSources


@dataclass(frozen=True, kw_only=True)
class NodeServices:
    """What all workers of a node share.

    Args:
        api: the API server.
        events: tells events.
        surroundings: what containers need.
        volumes: where the content of volumes comes from.
        addresses: the node's pod addresses.
        host_ip: the node's address.
        allocatable: the node's resources.
        pods_directory: where the pods' files are.
    """

    api: Api
    events: KubeletEvents
    surroundings: Surroundings
    volumes: VolumeSources
    addresses: PodAddresses
    host_ip: str
    allocatable: Mapping[str, str]
    pods_directory: Path
