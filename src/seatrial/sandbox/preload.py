"""What all machines of a sandbox share in memory: loaded, and run once, before they are forked.

Every node, kubelet and built-in pod is a fork of the launcher, and a page of memory is shared for as long as nobody
writes to it. So the launcher loads what they will need, and answers itself a few requests: the first run of a piece of
Python code writes to it (inline caches, PEP 659), later ones hardly do. It costs no time, since the main process is
busy with its own start meanwhile, and saves about two of eleven megabytes in each process.
"""

import asyncio
import gc
from typing import Final

_REQUESTS: Final = 10


def preload() -> None:
    """Load the machines' modules and warm them up; leaves neither a thread nor an event loop."""
    from seatrial.sandbox.images import nginx  # noqa: F401, PLC0415 -- loaded here for those that are forked
    from seatrial.sandbox.images.busybox import program  # noqa: F401, PLC0415 -- likewise
    from seatrial.sandbox.kubelet import machine  # noqa: F401, PLC0415 -- likewise

    asyncio.run(_exchange_requests())
    gc.collect()
    gc.freeze()


async def _exchange_requests() -> None:
    import aiohttp  # noqa: PLC0415 -- loaded already, and not needed by whoever imports this module
    from aiohttp import web  # noqa: PLC0415 -- likewise

    from seatrial.sandbox.images.goldpinger.checks import Checks  # noqa: PLC0415 -- likewise
    from seatrial.sandbox.images.goldpinger.metrics import Metrics  # noqa: PLC0415 -- likewise
    from seatrial.sandbox.images.goldpinger.program import application  # noqa: PLC0415 -- likewise
    from seatrial.sandbox.images.goldpinger.settings import Settings  # noqa: PLC0415 -- likewise

    metrics = Metrics("")
    checks = Checks(Settings.read(["goldpinger"], {}), {}, metrics=metrics)
    runner = web.AppRunner(application(checks, metrics=metrics), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        async with aiohttp.ClientSession(trust_env=False) as session:
            for _ in range(_REQUESTS):
                async with session.get(f"http://127.0.0.1:{port}/ping") as answer:
                    await answer.json()
    finally:
        await runner.cleanup()
