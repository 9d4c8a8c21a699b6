"""Amazon in this process, and drivers that reach it."""

import aiohttp
import pytest
from aiohttp import web

from tests.machines.aws_server import Amazon


@pytest.fixture(scope="module")
def moto_server():
    """Moto's server: one for all tests of a file, emptied after each."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
async def amazon(moto_server, monkeypatch):
    """Amazon, as the environment leads boto3 to it."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDTEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent/config")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    async with aiohttp.ClientSession() as http:
        there = Amazon(url="", moto=moto_server, http=http)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", there.handle)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        there.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL", there.url)
        yield there
        async with http.post(f"{moto_server}/moto-api/reset", raise_for_status=True):
            pass
        await runner.cleanup()
