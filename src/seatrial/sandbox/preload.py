"""What all machines of a sandbox share in memory: loaded, and run once, before they are forked.

Every node, kubelet and built-in pod is a fork of the launcher, and a page of memory is shared for as long as nobody
writes to it. So the launcher loads what they will need, and answers itself a few requests: the first run of a piece of
Python code writes to it (inline caches, PEP 659), later ones hardly do. The same goes for OpenSSL, which loads its
algorithms when they are first asked for. It costs no time, since the main process is busy with its own start meanwhile,
and saves about three of eleven megabytes in each process.

A container that runs as another user may not be allowed to read where this Python is installed: what a built-in program
loads later than at its start is loaded here for that reason, too.
"""

import asyncio
import contextlib
import gc
import ssl
from typing import Final

from seatrial.sandbox.kubelet import process

_REQUESTS: Final = 10
# What contexts have in common is loaded for the first one, and given back with the last one.
_KEPT: Final[list[ssl.SSLContext]] = []


def preload() -> None:
    """Load the machines' modules and warm them up; leaves neither a thread nor an event loop."""
    from seatrial.sandbox.images import http_echo, nginx, pause  # noqa: F401, PLC0415 -- loaded here for those that are forked
    from seatrial.sandbox.images.busybox import program  # noqa: F401, PLC0415 -- likewise
    from seatrial.sandbox.kubelet import machine  # noqa: F401, PLC0415 -- likewise

    asyncio.run(_draw_heatmap())
    _KEPT.extend(ssl.SSLContext(side) for side in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT))
    asyncio.run(_exchange_requests())
    gc.collect()
    gc.freeze()
    process.return_free_memory()


async def _draw_heatmap() -> None:
    """Draw a picture: Pillow loads its formats and its font for the first one."""
    from seatrial.sandbox.images.goldpinger.heatmap import draw, thresholds  # noqa: PLC0415 -- for those that are forked

    me = {"OK": True, "response-time-ms": 1}
    graph = {"responses": {"pod": {"OK": True, "response": {"podResults": {"pod": me}}}}}
    await draw(graph, limits_ms=thresholds({}), names={})


async def _exchange_requests() -> None:
    import aiohttp  # noqa: PLC0415 -- loaded already, and not needed by whoever imports this module
    from aiohttp import web  # noqa: PLC0415 -- likewise

    from seatrial.sandbox.images.goldpinger.checks import Checks  # noqa: PLC0415 -- likewise
    from seatrial.sandbox.images.goldpinger.metrics import Metrics  # noqa: PLC0415 -- likewise
    from seatrial.sandbox.images.goldpinger.program import application  # noqa: PLC0415 -- likewise
    from seatrial.sandbox.images.goldpinger.settings import Settings  # noqa: PLC0415 -- likewise

    # Compiled once for all kubelets, whose server has this route: `re` remembers it.
    web.Application().router.add_resource("/containerLogs/{namespace}/{pod}/{container}")
    metrics = Metrics("")
    checks = Checks(Settings.read(["goldpinger"], {}), {}, metrics=metrics)
    runner = web.AppRunner(application(checks, metrics=metrics), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        await _ask(f"http://127.0.0.1:{runner.addresses[-1][1]}/ping")
        # Where OpenSSL is not allowed to do this, the sandbox just needs more memory.
        with contextlib.suppress(ssl.SSLError, aiohttp.ClientSSLError):
            server, client = (_anonymous(side) for side in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT))
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server).start()
            await _ask(f"https://127.0.0.1:{runner.addresses[-1][1]}/ping", tls=client)
    finally:
        await runner.cleanup()


async def _ask(url: str, *, tls: ssl.SSLContext | bool = True) -> None:
    import aiohttp  # noqa: PLC0415 -- loaded already, and not needed by whoever imports this module

    async with aiohttp.ClientSession(trust_env=False) as session:
        for _ in range(_REQUESTS):
            async with session.get(url, ssl=tls) as answer:
                await answer.json()


def _anonymous(side: int) -> ssl.SSLContext:
    """TLS without certificates, which don't exist yet: this process talks to itself, about nothing."""
    context = ssl.SSLContext(side)
    if side == ssl.PROTOCOL_TLS_CLIENT:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("aNULL:@SECLEVEL=0")
    return context
