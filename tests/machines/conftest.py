"""Amazon in this process, and drivers that reach it."""

import pytest

from tests.machines.aws_server import Amazon


@pytest.fixture(scope="session")
def moto_server():
    """Moto's server: one for all tests, emptied after each."""
    from moto.server import ThreadedMotoServer

    with pytest.MonkeyPatch.context() as environ:
        # No test asks for images, and reading them for each region is most of what emptying it takes.
        environ.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
        server.stop()


@pytest.fixture
async def amazon(moto_server, monkeypatch, tmp_path):
    """Amazon, as the environment leads boto3 to it."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    async with Amazon.running(moto_server) as there:
        for name, value in there.variables(tmp_path).items():
            monkeypatch.setenv(name, value)
        yield there
