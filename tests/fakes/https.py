"""Serving over HTTPS on loopback, with an authority that whoever asks has to trust."""

import asyncio
import ssl
from contextlib import asynccontextmanager

import trustme
from aiohttp import web


@asynccontextmanager
async def serving(app, directory):
    """The URL of a running server; the certificate of its authority is `ca.pem` in that directory."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        # Who hung up without TLS's farewell would be waited for longer than the loop lives.
        for connection in runner.server.connections:
            if connection.transport is not None:
                connection.transport.abort()
        await runner.cleanup()
        await asyncio.sleep(0)
