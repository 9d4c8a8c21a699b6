"""Whether this process lives and can do its work, for probes: `/healthz` and `/readyz`.

Both are answered by the event loop on which experiments run, on purpose: a loop that is stuck answers nobody, and
Kubernetes starts the container anew. `/readyz` says what is known already and asks nobody, so that a probe with a short
patience isn't at the mercy of what it asks about; what has to be asked for (does the cluster answer?) is asked every
few seconds beside.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from seatrial.errors import ClusterError, StateError, UsageError
from seatrial.kube.client import Client
from seatrial.kube.errors import Forbidden
from seatrial.runtime.clock import Clock

_LOOK_SECONDS = 10.0
_PATIENCE_SECONDS = 8.0
_SILENCE_SECONDS = 30.0

Problem = Callable[[], str]
"""Says in a line what is wrong with something; nothing where all is well."""


class Health:
    """What has to be well for experiments to run."""

    def __init__(self) -> None:
        self._checks: dict[str, Problem] = {"run": lambda: "has not begun"}

    def expect(self, name: str, problem: Problem) -> None:
        """Ask that from here on; what was asked by this name before is forgotten."""
        self._checks[name] = problem

    def problems(self) -> dict[str, str]:
        """What is wrong, by the name of each check; empty texts are well."""
        return {name: problem() for name, problem in self._checks.items()}

    def beating(self, beat: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """The same heartbeat; whether the journal took it is part of what has to be well."""
        latest = ""
        self.expect("journal", lambda: latest)

        async def observed() -> None:
            nonlocal latest
            try:
                await beat()
            except StateError as error:
                latest = error.message
                raise
            latest = ""

        return observed

    @asynccontextmanager
    async def watching(self, cluster: Client, clock: Clock) -> AsyncIterator[None]:
        """While the block runs, look now and then whether the cluster answers."""
        look = _ClusterLook(cluster, clock)
        self.expect("cluster", look.problem)
        task = asyncio.create_task(look.go_on(), name="health of the cluster")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})


class _ClusterLook:
    """When the cluster answered last, and what it was that didn't work since."""

    def __init__(self, cluster: Client, clock: Clock) -> None:
        self._cluster = cluster
        self._clock = clock
        self._answered: float | None = None
        self._error = "has not answered yet"

    def problem(self) -> str:
        """What is wrong: a single question without an answer isn't yet."""
        if self._answered is not None and self._clock.monotonic() - self._answered < _SILENCE_SECONDS:
            return ""
        return self._error or f"has not answered for {_SILENCE_SECONDS:g} s"

    async def go_on(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await self._cluster.version()
            except Forbidden:  # who says no is there
                self._has_answered()
            except (ClusterError, TimeoutError) as error:
                self._error = str(error) or f"did not answer within {_PATIENCE_SECONDS:g} s"
            else:
                self._has_answered()
            await self._clock.sleep(_LOOK_SECONDS)

    def _has_answered(self) -> None:
        self._answered, self._error = self._clock.monotonic(), ""


@asynccontextmanager
async def health_served(health: Health, *, host: str, port: int) -> AsyncIterator[int]:
    """Answer probes while the block runs; gives the port, which the system has chosen where it was 0.

    Raises:
        UsageError: nothing can listen there.
    """

    async def ready(_request: web.Request) -> web.Response:
        return _readiness(health)

    application = web.Application()
    application.add_routes([web.get("/healthz", _alive), web.get("/readyz", ready)])
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await _listen(runner, host, port)
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise UsageError(
            f"can't answer probes on {host}:{port}: {error.strerror or error}",
            hint="name another --health-port or --health-host",
        ) from error


async def _alive(_request: web.Request) -> web.Response:
    return web.json_response({"alive": True})


def _readiness(health: Health) -> web.Response:
    problems = health.problems()
    is_ready = not any(problems.values())
    checks: dict[str, Any] = {
        name: {"ok": not problem, **({"problem": problem} if problem else {})} for name, problem in problems.items()
    }
    return web.json_response({"ready": is_ready, "checks": checks}, status=200 if is_ready else 503)
