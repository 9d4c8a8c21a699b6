"""The storage classes that every sandbox has: what they are called and what their parameters mean.

`standard` makes a directory as soon as a claim asks for it, to be had from every node, like a file share. `zonal`
waits for the claim's first pod and binds the volume to that pod's zone, as cloud disks are bound: what the outage of a
zone is practised on.
"""

from typing import Final

from seatrial.sandbox.api import Object

PROVISIONER: Final = "seatrial.dev/local-directory"
# A class's parameter: the label that all nodes which reach a volume have in common.
TOPOLOGY_KEY: Final = "topologyKey"
_DEFAULT: Final = {"storageclass.kubernetes.io/is-default-class": "true"}


def built_in_classes() -> list[Object]:
    """The StorageClass objects."""
    common: Object = {"provisioner": PROVISIONER, "reclaimPolicy": "Delete", "allowVolumeExpansion": True}
    return [
        {
            "metadata": {"name": "standard", "annotations": dict(_DEFAULT)},
            **common,
            "volumeBindingMode": "Immediate",
        },
        {
            "metadata": {"name": "zonal"},
            **common,
            "parameters": {TOPOLOGY_KEY: "topology.kubernetes.io/zone"},
            "volumeBindingMode": "WaitForFirstConsumer",
        },
    ]
