"""Storage classes: which one a claim wants, what those that every sandbox has are called, what their parameters mean.

`standard` makes a directory as soon as a claim asks for it, to be had from every node, like a file share. `zonal`
waits for the claim's first pod and binds the volume to that pod's zone, as cloud disks are bound: what the outage of a
zone is practised on.
"""

from typing import Final

from seatrial.sandbox.api import Object

PROVISIONER: Final = "seatrial.dev/local-directory"
# A class's parameter: the label that all nodes which reach a volume have in common.
TOPOLOGY_KEY: Final = "topologyKey"
_CLASS_ANNOTATION: Final = "volume.beta.kubernetes.io/storage-class"
_DEFAULT: Final = {"storageclass.kubernetes.io/is-default-class": "true"}


def class_of(item: Object) -> str:
    """The storage class of a claim or a volume, by its field or the annotation that came before it; empty for none."""
    annotations = item["metadata"].get("annotations") or {}
    return str(annotations.get(_CLASS_ANNOTATION) or item["spec"].get("storageClassName") or "")


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
