"""Whether a run that stands in the journal is still alive: what it changed is its own to take back.

Where the process can be looked for (same boot of the same host, same pid namespace), it is alive when it is there.
Elsewhere (another host or container with the same state directory, or before a restart) only its heartbeat speaks: a
run that lives beats every few seconds, one whose heartbeat stands still for half a minute is dead.
"""

import asyncio
import enum
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import msgspec

from seatrial.errors import StateError
from seatrial.runtime.process_identity import ProcessIdentity

_log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 5.0
SILENCE_SECONDS = 30.0


class Liveness(enum.Enum):
    """What is known of a run's process."""

    ALIVE = "alive"
    DEAD = "dead"
    UNSEEN = "unseen"
    """It ran where we can't look, and its heartbeat is recent: whether it beats on will show."""


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """A process, its last heartbeat (ISO 8601), and whether it said itself that it has ended."""

    process: ProcessIdentity
    heartbeat: str
    ended: bool

    @property
    def liveness(self) -> Liveness:
        """What this tells."""
        if self.ended:
            return Liveness.DEAD
        if not self.process.boot:
            return _by_version_1(self.process)
        if self.process.is_visible:
            return Liveness.ALIVE if self.process.is_running else Liveness.DEAD
        age = (datetime.now(UTC) - datetime.fromisoformat(self.heartbeat)).total_seconds()
        return Liveness.DEAD if age > SILENCE_SECONDS else Liveness.UNSEEN

    @property
    def is_dead(self) -> bool:
        """Whether it is certain that it ended."""
        return self.liveness is Liveness.DEAD

    def __str__(self) -> str:
        match self.liveness:
            case Liveness.DEAD:
                return "it has ended"
            case Liveness.ALIVE:
                return f"still at work: process {self.process.pid} on {self.process.host}"
        last = f"; last heard of at {self.heartbeat}" if self.heartbeat else ""
        return f"perhaps still at work: process {self.process.pid} on {self.process.host}{last}"


@asynccontextmanager
async def heartbeat(beat: Callable[[], Awaitable[None]], *, seconds: float = HEARTBEAT_SECONDS) -> AsyncIterator[None]:
    """Beat in the background while the block runs; a disk that fails is said once, and the run goes on."""
    task = asyncio.create_task(_beat_on(beat, seconds), name="heartbeat")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _beat_on(beat: Callable[[], Awaitable[None]], seconds: float) -> None:
    failed = False
    while True:
        await asyncio.sleep(seconds)
        try:
            await beat()
        except StateError as error:
            if not failed:
                _log.warning("no heartbeat: %s; another host may take this run for dead", error.message)
            failed = True
        else:
            failed = False


def _by_version_1(process: ProcessIdentity) -> Liveness:
    """A run of version 1 of the journal: known by host name, pid and the time of day it began."""
    if process.host != socket.gethostname():
        return Liveness.UNSEEN
    import psutil  # noqa: PLC0415 -- it takes long, and few journals have such a run

    try:
        found = psutil.Process(process.pid)
        # Boot-time arithmetic moves a start time by some hundredths of a second when the wall clock is adjusted.
        same = found.status() != psutil.STATUS_ZOMBIE and abs(found.create_time() - process.began) < 1
    except psutil.NoSuchProcess:
        same = False
    return Liveness.ALIVE if same else Liveness.DEAD
