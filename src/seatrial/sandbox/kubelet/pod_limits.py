"""What a kubelet itself ends a pod for: its deadline, and more local storage than it may use.

Kubernetes, "Pod Lifecycle" and "Local ephemeral storage". How much storage a pod uses is looked at now and then, and
only where its spec sets a limit.
"""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.events import EventReason
from seatrial.sandbox.kubelet.volumes import volume_directory
from seatrial.sandbox.rules.pod_resources import quantity

EVICTED: Final = "Evicted"
EVICTION_GRACE_SECONDS: Final = 1.0
"""What is left of its grace period to a pod that is evicted for local storage."""

_DEADLINE_MESSAGE: Final = "Pod was active on the node longer than the specified deadline"
_BLOCK_BYTES: Final = 512
_STORAGE: Final = "ephemeral-storage"


class PodLimits:
    """Looks whether a pod has exceeded its limits.

    Args:
        directory: the pod's.
        look_seconds: how often local storage is looked at.
    """

    def __init__(self, directory: Path, *, look_seconds: float) -> None:
        self._directory = directory
        self._look_seconds = look_seconds

    async def exceeded(self, pod: Object, *, started_at: float) -> EventReason | None:
        """What the pod is to be ended for, as the event that tells it; its reason and message are the pod's, too."""
        left = _seconds_to_deadline(pod, started_at)
        if left is not None and left <= 0:
            return EventReason("Normal", "DeadlineExceeded", _DEADLINE_MESSAGE)
        if not _limits_storage(pod):
            return None
        message = await asyncio.to_thread(exceeded_storage, pod, self._directory)
        return EventReason("Warning", EVICTED, message) if message else None

    def seconds_to_look(self, pod: Object, *, started_at: float) -> float | None:
        """After how long to look again; None while only a change of the pod can end it."""
        left = _seconds_to_deadline(pod, started_at)
        look = self._look_seconds if _limits_storage(pod) else None
        return min((seconds for seconds in (left, look) if seconds is not None), default=None)


def exceeded_storage(pod: Object, directory: Path) -> str:
    """Which limit of local storage a pod has exceeded, in the kubelet's words; empty for none.

    Args:
        pod: the Pod.
        directory: its own, where volumes, containers' files and logs are.
    """
    for volume, limit in _volume_limits(pod):
        if _used_bytes(volume_directory(directory, volume)) > _bytes(limit):
            return f'Usage of EmptyDir volume "{volume}" exceeds the limit "{limit}". '
    limits = dict(_container_limits(pod))
    used = {name: _used_bytes(directory / name) for name in limits}
    total = sum(map(_bytes, limits.values()))
    if len(limits) == len(pod["spec"]["containers"]):
        volumes = sum(_used_bytes(volume_directory(directory, volume)) for volume in _own_volumes(pod))
        if sum(used.values()) + volumes > total:
            return f"Pod ephemeral local storage usage exceeds the total limit of containers {_shown(limits, total)}. "
    for name, limit in limits.items():
        if used[name] > _bytes(limit):
            return f'Container {name} exceeded its local ephemeral storage limit "{limit}". '
    return ""


def _seconds_to_deadline(pod: Object, started_at: float) -> float | None:
    seconds = pod["spec"].get("activeDeadlineSeconds")
    return None if seconds is None else started_at + float(seconds) - time.time()


def _limits_storage(pod: Object) -> bool:
    return any(_volume_limits(pod)) or any(_container_limits(pod))


def _volume_limits(pod: Object) -> Iterator[tuple[str, str]]:
    for volume in pod["spec"].get("volumes") or ():
        limit = str((volume.get("emptyDir") or {}).get("sizeLimit") or "0")
        if _bytes(limit):
            yield volume["name"], limit


def _container_limits(pod: Object) -> Iterator[tuple[str, str]]:
    for container in pod["spec"]["containers"]:
        limit = str(((container.get("resources") or {}).get("limits") or {}).get(_STORAGE) or "0")
        if _bytes(limit):
            yield container["name"], limit


def _own_volumes(pod: Object) -> Iterator[str]:
    """Volumes that count as the pod's: those that are directories on the node's disk."""
    for volume in pod["spec"].get("volumes") or ():
        if "emptyDir" in volume and (volume["emptyDir"] or {}).get("medium") != "Memory":
            yield volume["name"]


def _bytes(limit: str) -> int:
    return int(quantity(limit).value)


def _shown(limits: dict[str, str], total: int) -> str:
    return next(iter(limits.values())) if len(limits) == 1 else str(total)


def _used_bytes(directory: Path) -> int:
    """What a directory takes on the disk, links not followed; what is being removed meanwhile doesn't count."""
    used = 0
    for top, _, names in os.walk(directory):
        for name in names:
            try:
                used += Path(top, name).lstat().st_blocks * _BLOCK_BYTES
            except FileNotFoundError:
                continue
    return used
