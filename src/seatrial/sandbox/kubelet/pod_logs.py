"""From a request for a log to its text: which file, from which life of the container, and how long to wait for more."""

import asyncio
from pathlib import Path
from typing import Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.log_reader import LogFollower, LogQuery
from seatrial.sandbox.kubelet.runtime_client import RuntimeClient
from seatrial.sandbox.kubelet.server import LogStream, NoSuchLogError

_STATUSES: Final = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
_PULLING: Final = {
    "ErrImagePull": "image can't be pulled",
    "ImagePullBackOff": "trying and failing to pull image",
}


def open_log(
    pod: Object, container: str, query: LogQuery, *, pods_directory: Path, runtime: RuntimeClient
) -> LogStream:
    """The log of a pod's container.

    Raises:
        NoSuchLogError: the container isn't one of the pod's, has not started, or had no earlier life.
    """
    metadata, status = pod["metadata"], pod.get("status") or {}
    statuses = [item for key in _STATUSES for item in status.get(key) or ()]
    known = next((item for item in statuses if item["name"] == container), None)
    where = f'container "{container}" in pod "{metadata["name"]}"'
    if known is None:
        raise NoSuchLogError(f"{where} is not available", code=400)
    state, last = known.get("state") or {}, (known.get("lastState") or {}).get("terminated")
    if query.previous and last is None:
        raise NoSuchLogError(f"previous terminated {where} not found", code=400)
    if query.previous and last is not None and "terminated" in state:
        # A kubelet keeps one container that has ended: this one, and not the one before it.
        return FixedText(f"unable to retrieve container logs for {last['containerID']}")
    if "waiting" in state and last is None:
        raise NoSuchLogError(f"{where} is waiting to start: {_why_waiting(state['waiting'])}", code=400)
    restarts = int(known.get("restartCount") or 0)
    attempt = restarts - 1 if query.previous and "running" in state else restarts
    path = pods_directory / metadata["uid"] / container / f"{attempt}.log"
    follows = query.follow and not query.previous and "running" in state
    running_id = known.get("containerID", "").partition("://")[2] if follows else ""
    return ContainerLogStream(LogFollower(path, query), running_id=running_id, runtime=runtime)


def _why_waiting(waiting: Object) -> str:
    reason = str(waiting.get("reason", "ContainerCreating"))
    return _PULLING.get(reason, reason)


class FixedText:
    """A text in place of a log.

    Args:
        text: all of it.
    """

    def __init__(self, text: str) -> None:
        self._rest = text.encode()

    async def next(self) -> bytes:
        """The text, and then nothing."""
        rest, self._rest = self._rest, b""
        return rest

    def close(self) -> None:
        """Read no more."""


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
