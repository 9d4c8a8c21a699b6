"""Dead-man timers in containers: armed and disarmed by commands over the API server.

The container's own image has to hold a shell. What the runtimes say where it doesn't differs: an exit code of 126 or
127, or an error that names the missing program.
"""

import shlex
from collections.abc import Sequence

import msgspec

from seatrial.actions.dead_man_timer import DISARMED, DeadManTimer
from seatrial.errors import ClusterError
from seatrial.kube.client import Client
from seatrial.kube.errors import ApiStatusError
from seatrial.kube.exec import ExecResult
from seatrial.runtime.context import Context
from seatrial.runtime.events import TimerArmed
from seatrial.runtime.world import World

_ARMING_SECONDS = 30.0
_NO_SHELL_CODES = frozenset({126, 127})
_NO_SHELL_WORDS = ("executable file not found", "no such file or directory")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A container of a pod."""

    namespace: str
    name: str
    container: str

    def __str__(self) -> str:
        return f"container {self.container} of pod {self.namespace}/{self.name}"

    def by_hand(self, command: Sequence[str]) -> list[str]:
        """The command by which a person runs a command there."""
        return ["kubectl", "exec", "-n", self.namespace, self.name, "-c", self.container, "--", *command]


class NotArmed(ClusterError):  # noqa: N818 -- it says what there is
    """A timer was certainly not started."""


class _NoShell(Exception):  # noqa: N818 -- it says what there is
    """The image has no shell."""


async def arm(timer: DeadManTimer, undo: Sequence[str], place: Place, context: Context) -> None:
    """Start a timer in a container.

    Raises:
        NotArmed: it was not started: the image lacks what it needs.
        ClusterError: it is not known whether it was.
    """
    try:
        result = await _run(timer.arming(undo), place, context.cluster, timeout_seconds=_ARMING_SECONDS)
    except _NoShell:
        raise NotArmed(
            f"expiresAfter needs a shell in {place}, and its image has none", hint="leave out expiresAfter"
        ) from None
    if result.exit_code:
        raise NotArmed(f"its timer could not be started in {place}{_said(result)}")
    context.emit(TimerArmed(place=str(place), seconds=timer.seconds, undo=shlex.join(undo)))


async def disarm(timer: DeadManTimer, place: Place, world: World, *, patience_seconds: float) -> bool:
    """End a timer, and wait so long for one that has begun to undo; tells whether it was there.

    Raises:
        ClusterError: it could not be ended.
    """
    command = timer.disarming(patience_seconds=patience_seconds)
    try:
        result = await _run(command, place, world.cluster, timeout_seconds=patience_seconds + _ARMING_SECONDS)
    except _NoShell:
        return False  # then none was ever started
    if result.exit_code:
        raise ClusterError(f"the timer in {place} could not be ended{_said(result)}")
    return result.stdout.decode(errors="replace").strip() == DISARMED


async def _run(command: Sequence[str], place: Place, cluster: Client, *, timeout_seconds: float) -> ExecResult:
    try:
        result = await cluster.exec(
            place.name,
            namespace=place.namespace,
            container=place.container,
            command=command,
            timeout_seconds=timeout_seconds,
        )
    except ApiStatusError as error:
        if any(words in error.message for words in _NO_SHELL_WORDS):
            raise _NoShell from error
        raise
    if result.exit_code in _NO_SHELL_CODES:
        raise _NoShell
    return result


def _said(result: ExecResult) -> str:
    words = " ".join(result.stderr.decode(errors="replace").split())[:200]
    return f": {words}" if words else f": it ended with {result.exit_code}"
