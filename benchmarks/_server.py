"""What the benchmarks' own API servers share: a child process that answers until its parent has had enough.

Not a benchmark itself, which the underscore says.
"""

import asyncio
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import web


async def serve_until_input_ends(app: "web.Application", *, shutdown_timeout: float = 60.0) -> None:
    """Print the port, then answer until standard input ends; connections that are busy then have `shutdown_timeout`."""
    from aiohttp import web  # noqa: PLC0415 -- each child loads what it needs, and no more

    runner = web.AppRunner(app, access_log=None, shutdown_timeout=shutdown_timeout)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()
