"""What makes one node of a sandbox: settings that the machine and its kubelet share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from seatrial.sandbox.timing import SANDBOX, Timing


@dataclass(frozen=True, kw_only=True)
class MachineConfig:
    """What makes one node of a sandbox.

    Args:
        node_name: name of the Node object and the machine's host name.
        address: the node's InternalIP; the kubelet serves HTTPS there.
        pod_cidr: the range of its pods' addresses, a /24.
        zone: topology.kubernetes.io/zone.
        region: topology.kubernetes.io/region.
        group: the machine's group, label `seatrial.io/group`.
        instance_id: the machine's id at its "cloud".
        directory: for the pods' files and logs and the control socket; its own.
        api_server: https URL.
        ca_file: certifies the API server, and who may call the kubelet.
        client_cert_file: of user `system:node:NAME`, group `system:nodes`.
        client_key_file: its key.
        serving_cert_file: the kubelet's own, for `address`.
        serving_key_file: its key.
        sandbox: marks all processes of the sandbox, in the variable SEATRIAL_SANDBOX.
        images: the user's images: name to command.
        timing: pauses between heartbeats, and before what failed is tried again.
        kubelet_port: 10250, as everywhere.
        boot_id: made anew each time the machine starts.
    """

    node_name: str
    address: str
    pod_cidr: str
    zone: str
    region: str
    group: str
    instance_id: str
    directory: Path
    api_server: str
    ca_file: Path
    client_cert_file: Path
    client_key_file: Path
    serving_cert_file: Path
    serving_key_file: Path
    sandbox: str = ""
    images: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    timing: Timing = SANDBOX
    kubelet_port: int = 10250
    boot_id: str = ""
