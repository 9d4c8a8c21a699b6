"""Serving HTTP from a pod: what the built-in servers have in common.

A container that binds 0.0.0.0 listens on its pod's addresses, not on the machine's. In the sandbox all pods share the
machine, so `listen_address` is the one place that turns "everywhere" into the pod's own address.
"""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from seatrial.sandbox.network.low_ports import bindable
from seatrial.sandbox.network.reachability import REACHABILITY

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.typedefs import Handler, Middleware

_EVERYWHERE = frozenset({"", "0.0.0.0", "::", "[::]", "*"})
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def listen_address(host: str, environ: Mapping[str, str]) -> str:
    """The address to bind where a program was told `host`."""
    return pod_address(environ) if host in _EVERYWHERE else host


def pod_address(environ: Mapping[str, str]) -> str:
    """The pod's own address."""
    return environ.get("SEATRIAL_POD_IP") or "127.0.0.1"


def say(line: str) -> None:
    """Write one line of a container's log, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def complain(line: str) -> None:
    """Write one line to a container's standard error."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def serve(
    app: "web.Application",
    *,
    address: str,
    port: int,
    stop_signals: Sequence[signal.Signals] = STOP_SIGNALS,
    background: Callable[[], Awaitable[None]] | None = None,
    before: Callable[[], Awaitable[None]] | None = None,
) -> int:
    """Serve until a stop signal comes; answer the exit code.

    Args:
        app: the application.
        address: where to listen, see `listen_address`.
        port: as the pod knows it; a low one may be shifted, see `low_ports`.
        stop_signals: those that end the server with exit code 0.
        background: a coroutine function that runs as long as the server does.
        before: a coroutine function that ends before the server listens.
    """
    return asyncio.run(_serve(app, address, port, stop_signals, background, before))


def _silent_where_cut(address: str) -> "Middleware":
    """Requests from where the network is cut wait, as if they were lost on the way."""
    from aiohttp import web  # noqa: PLC0415 -- heavy: only servers pay for it

    @web.middleware
    async def wait(request: web.Request, handler: "Handler") -> web.StreamResponse:
        await REACHABILITY.passage(request.remote or "", address)
        return await handler(request)

    return wait


async def _serve(
    app: "web.Application",
    address: str,
    port: int,
    stop_signals: Sequence[signal.Signals],
    background: Callable[[], Awaitable[None]] | None,
    before: Callable[[], Awaitable[None]] | None,
) -> int:
    from aiohttp import web  # noqa: PLC0415 -- heavy: only servers pay for it

    stopped = asyncio.Event()
    for number in stop_signals:
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    app.middlewares.insert(0, _silent_where_cut(address))
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1)
    await runner.setup()
    beside = None
    try:
        if before is not None and await _is_stopped(stopped, before()):
            return 0
        await web.TCPSite(runner, address, bindable(port)).start()
        if background is not None:
            beside = asyncio.ensure_future(background())
        await stopped.wait()
    except OSError as error:
        complain(f"bind to {address}:{port} failed: {error.strerror or error}")
        return 1
    finally:
        if beside is not None:
            beside.cancel()
            await asyncio.gather(beside, return_exceptions=True)
        await runner.cleanup()
    return 0


async def _is_stopped(stopped: asyncio.Event, work: Awaitable[None]) -> bool:
    """Wait for the work, or until somebody stops the server; tells whether that is what came first."""
    working = asyncio.ensure_future(work)
    stopping = asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)
    return stopped.is_set()
