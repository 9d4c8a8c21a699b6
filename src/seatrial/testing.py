"""For tests: a real Kubernetes cluster for the length of a test, in seconds and without Docker; and time that flies.

    from seatrial.testing import sandbox  # in conftest.py: a pytest fixture

    def test_my_controller(sandbox):
        subprocess.run(["kubectl", "--kubeconfig", sandbox.kubeconfig, "apply", "-f", "app.yml"], check=True)

or, without pytest, `async with sandbox_cluster(nodes=2) as cluster: ...`. Each has addresses of its own, so tests may
run in parallel. Nothing is left when the test ends, nor when the test's process is killed. Linux only.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial.sandbox.cluster_config import DEFAULT_NODES, DEFAULT_ZONES
from seatrial.sandbox.ephemeral import ephemeral_sandbox
from seatrial.sandbox.owner import Sandbox
from seatrial.sandbox.timing import SANDBOX, Timing

if TYPE_CHECKING:
    sandbox: Any

__all__ = ["FakeClock", "Sandbox", "sandbox", "sandbox_cluster"]


@asynccontextmanager
async def sandbox_cluster(
    *,
    nodes: int = DEFAULT_NODES,
    zones: Sequence[str] = DEFAULT_ZONES,
    images: Mapping[str, Sequence[str]] | None = None,
    load: Sequence[Path] = (),
    timing: Timing = SANDBOX,
) -> AsyncIterator[Sandbox]:
    """A running sandbox: `.kubeconfig` is the path of an administrator's kubeconfig.

    Args:
        nodes: how many machines.
        zones: dealt to the machines in turn.
        images: images of your own: name to command of this machine, for containers that name them.
        load: manifests to apply before the block begins.
        timing: how long the cluster's own parts wait.

    Raises:
        SandboxError: it could not be started, or a manifest was refused.
        UsageError: a manifest can't be read.
    """
    commands = {name: tuple(command) for name, command in (images or {}).items()}
    async with ephemeral_sandbox(nodes=nodes, zones=zones, images=commands, timing=timing) as cluster:
        if load:
            await _load(cluster, load)
        yield cluster


async def _load(cluster: Sandbox, files: Sequence[Path]) -> None:
    from seatrial.sandbox.client import SandboxClient  # noqa: PLC0415 -- heavy, and needed for this only
    from seatrial.sandbox.manifests import apply_manifests, read_manifests  # noqa: PLC0415 -- likewise

    async with SandboxClient(cluster.kubeconfig) as client:
        async for _ in apply_manifests(client, read_manifests(files)):
            pass


def _fixture() -> Any:
    import pytest  # noqa: PLC0415 -- only where the fixture is asked for: pytest is no dependency

    @pytest.fixture(name="sandbox")
    def running_sandbox() -> Iterator[Sandbox]:
        """A sandbox of four nodes for one test."""
        # A runner of its own: the fixture serves plain tests as well as asynchronous ones of any plugin.
        with asyncio.Runner() as runner:
            block = sandbox_cluster()
            yield runner.run(block.__aenter__())
            runner.run(block.__aexit__(None, None, None))

    return running_sandbox


def __getattr__(name: str) -> Any:
    if name == "sandbox":
        globals()[name] = _fixture()
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class FakeClock:
    """A clock whose sleeps take no time: it jumps ahead instead. `slept` has the length of each."""

    def __init__(self, *, start: datetime = datetime(2030, 1, 1, 12, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed = 0.0
        self._jumps: list[tuple[float, float]] = []
        self.slept: list[float] = []

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._elapsed

    def now(self) -> datetime:
        """The start, what was slept since, and by how much the wall clock jumped."""
        jumped = sum(seconds for at, seconds in self._jumps if at <= self._elapsed)
        return self._start + timedelta(seconds=self._elapsed + jumped)

    def jump(self, seconds: float, *, after: float = 0.0) -> None:
        """Let the wall clock jump, forward or (below 0) back, once so many more seconds have been slept.

        So it does when somebody sets it, and when a machine slept: no monotonic clock tells.
        """
        self._jumps.append((self._elapsed + after, seconds))

    async def sleep(self, seconds: float) -> None:
        """Jump ahead, and let other tasks run."""
        self.slept.append(seconds)
        self._elapsed += seconds
        await asyncio.sleep(0)
