"""From a request for a log to its text: which file, from which life of the container, and how long to wait for more."""

import asyncio
from pathlib import Path

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.log_reader import LogFollower, LogQuery
from seatrial.sandbox.kubelet.runtime_client import RuntimeClient
from seatrial.sandbox.kubelet.server import NoSuchLogError


def open_log(
    pod: Object, container: str, query: LogQuery, *, pods_directory: Path, runtime: RuntimeClient
) -> "ContainerLogStream":
    """The log of a pod's container.

    Raises:
        NoSuchLogError: the container isn't one of the pod's, has not started, or had no earlier life.
    """
    metadata, status = pod["metadata"], pod.get("status") or {}
    statuses = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    known = next((item for item in statuses if item["name"] == container), None)
    if known is None:
        raise NoSuchLogError(f'container "{container}" not found in pod "{metadata["name"]}"', code=404)
    restarts = int(known.get("restartCount") or 0)
    where = f'container "{container}" in pod "{metadata["name"]}"'
    if query.previous:
        attempt = restarts - 1 if "waiting" not in known["state"] else restarts
        if not known.get("lastState"):
            raise NoSuchLogError(f"previous terminated {where} not found", code=400)
    elif not known.get("containerID"):
        reason = (known["state"].get("waiting") or {}).get("reason", "ContainerCreating")
        message = (known["state"].get("waiting") or {}).get("message")
        why = f"waiting to start: {reason}" if not message else f"waiting to start: {message}"
        raise NoSuchLogError(f"{where} is {why}", code=400)
    else:
        attempt = restarts
    path = pods_directory / metadata["uid"] / container / f"{attempt}.log"
    follows = query.follow and "running" in known["state"]
    running_id = known.get("containerID", "").partition("://")[2] if follows else ""
    return ContainerLogStream(LogFollower(path, query), running_id=running_id, runtime=runtime)


class ContainerLogStream:
    """Pieces of a log as they come.

    Args:
        follower: reads the file.
        running_id: the container to wait for; empty for a log that gets no longer, or isn't followed.
        runtime: tells when it wrote.
    """

    def __init__(self, follower: LogFollower, *, running_id: str, runtime: RuntimeClient) -> None:
        self._follower = follower
        self._running_id = running_id
        self._runtime = runtime
        self._ended = not running_id
        self._more: asyncio.Future[None] | None = None

    async def next(self) -> bytes:
        """The next piece; empty at the end."""
        while not self._ended:
            # Asked before reading: whatever is written after this reading is told.
            if self._more is None:
                self._more = await self._runtime.expect_log(self._running_id)
            piece = self._follower.read()
            self._ended = self._more is None or self._follower.is_full
            if piece:
                return piece
            if self._more is not None and not self._ended:
                await self._more
            self._more = None
        return self._follower.read()

    def close(self) -> None:
        """Read no more."""
        self._follower.close()
