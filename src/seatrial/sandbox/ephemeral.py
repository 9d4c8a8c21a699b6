"""A sandbox for the length of a block: what `seatrial autonomous --sandbox` and the tests run on.

It is gone when the block ends, and also when this process dies, however it dies.
"""

import asyncio
import contextlib
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path

from seatrial.errors import StateError
from seatrial.sandbox.cluster_config import DEFAULT_NODES, DEFAULT_ZONES, ClusterConfig
from seatrial.sandbox.home import sandboxes_directory
from seatrial.sandbox.owner import Sandbox, Starting
from seatrial.sandbox.timing import SANDBOX, Timing


@contextlib.asynccontextmanager
async def ephemeral_sandbox(
    *,
    nodes: int = DEFAULT_NODES,
    zones: Sequence[str] = DEFAULT_ZONES,
    images: Mapping[str, tuple[str, ...]] | None = None,
    state: Path | None = None,
    timing: Timing = SANDBOX,
) -> AsyncIterator[Sandbox]:
    """A running sandbox, all nodes Ready.

    Args:
        nodes: how many machines.
        zones: dealt to the machines in turn.
        images: the user's images: name to command of this machine.
        state: the state directory, where `seatrial sandbox status` sees it; without one it lives in a temporary
            directory.
        timing: how long its parts wait.

    Raises:
        SandboxError: it could not be started.
        StateError: there is no directory to keep it in.
    """
    name = f"run-{secrets.token_hex(4)}"
    with _parent_directory(state) as parent:
        config = ClusterConfig(
            name=name,
            directory=parent / name,
            nodes=nodes,
            zones=tuple(zones),
            images=images or {},
            timing=timing,
        )
        starting = Starting(config, detach=False)
        try:
            owned = await asyncio.to_thread(starting.finish)
        except BaseException:
            # Also when the wait was cancelled: letting go of the leash ends the process, and so the thread.
            starting.give_up()
            raise
        try:
            yield owned.sandbox
        finally:
            await _uncancelled(owned.close)


@contextlib.contextmanager
def _parent_directory(state: Path | None) -> Iterator[Path]:
    if state is not None:
        yield sandboxes_directory(state)
        return
    try:
        parent = Path(tempfile.mkdtemp(prefix="seatrial-"))
    except OSError as error:
        raise StateError(f"can't make a temporary directory: {error}", hint="set TMPDIR to a place to write") from error
    try:
        yield parent
    finally:
        with contextlib.suppress(OSError):
            parent.rmdir()


async def _uncancelled(work: Callable[[], None]) -> None:
    """Do blocking work in a thread to its end, however often this task is cancelled meanwhile."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    cancelled = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled
