import asyncio
import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.errors import ClusterError
from seatrial.kube.errors import Forbidden, PortUnreachable, UnexpectedAnswer
from tests.kube.channels import V4, V5, kubelet, unverified_client
from tests.kube.fake_apiserver import serving, status

_PATH = "/api/v1/namespaces/team/pods/web/portforward"


async def greet(socket, port=8080):
    """As the kubelet does: each channel begins with the port."""
    for channel in (0, 1):
        await socket.send(channel, port.to_bytes(2, "little"))


async def echo(socket):
    await greet(socket)
    while (message := await socket.receive()) is not None:
        await socket.send(0, message[1].upper())


async def closed_port(socket):
    await greet(socket)
    await socket.send(1, b"dial tcp4 127.0.0.1:8080: connect: connection refused")


async def exchange(forward, sent):
    """Send something to the local port and read as much."""
    reader, writer = await asyncio.open_connection(forward.host, forward.port)
    try:
        writer.write(sent)
        return await asyncio.wait_for(reader.readexactly(len(sent)), 20)
    finally:
        writer.close()


async def test_bytes_go_to_the_pods_port_and_back(server, client):
    """All of them, whatever their number."""
    server.on("GET", _PATH, kubelet(echo, protocols=(V4,)))
    sent = b"abc" * 100_000
    async with client.port_forward("web", port=8080) as forward:
        assert await exchange(forward, sent) == sent.upper()
    [asked] = server.seen("GET", _PATH)
    assert asked.query == {"ports": "8080"}


async def test_connections_are_apart(server, client):
    """Each local connection has one of its own to the pod."""
    server.on("GET", _PATH, kubelet(echo, protocols=(V4,)))
    async with client.port_forward("web", port=8080) as forward:
        answers = await asyncio.gather(*(exchange(forward, f"call {number}".encode()) for number in range(5)))
    assert answers == [f"CALL {number}".encode() for number in range(5)]
    assert len(server.seen("GET", _PATH)) == 5


async def test_nothing_is_sent_before_somebody_connects(server, client):
    """A forward that is not used asks nothing of the cluster."""
    server.on("GET", _PATH, kubelet(echo, protocols=(V4,)))
    async with client.port_forward("web", port=8080):
        pass
    assert not server.seen("GET", _PATH)


async def failed_exchange(forward):
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await exchange(forward, b"anybody?")


async def test_a_port_where_nothing_listens_ends_the_connection(server, client):
    """The reason, which only the node knows, is kept."""
    server.on("GET", _PATH, kubelet(closed_port, protocols=(V4,)))
    async with client.port_forward("web", port=8080) as forward:
        await failed_exchange(forward)
        assert isinstance(forward.failure, PortUnreachable)
        assert "connection refused" in forward.failure.message


async def test_a_refusal_of_the_api_server_is_kept(server, client):
    """A connection that is not allowed ends, and why is an error of the API server."""
    server.on("GET", _PATH, status(403, "Forbidden", "no"))
    async with client.port_forward("web", port=8080) as forward:
        await failed_exchange(forward)
        assert isinstance(forward.failure, Forbidden)


async def test_the_end_of_the_block_ends_all_connections(server, client):
    """Nothing listens and no connection stands after it."""
    server.on("GET", _PATH, kubelet(echo, protocols=(V4,)))
    async with client.port_forward("web", port=8080) as forward:
        reader, writer = await asyncio.open_connection(forward.host, forward.port)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"HELLO"
    left = await asyncio.wait_for(asyncio.gather(reader.read(), return_exceptions=True), 20)
    assert left == [b""] or isinstance(left[0], ConnectionError)
    writer.close()
    with pytest.raises(OSError):  # noqa: PT011 -- refused, whatever the system calls it
        await asyncio.open_connection(forward.host, forward.port)


async def test_the_pods_end_of_a_connection_ends_the_local_one(server, client):
    """What the pod wrote before it hung up is delivered."""

    async def says_goodbye(socket):
        await greet(socket)
        await socket.send(0, b"goodbye")

    server.on("GET", _PATH, kubelet(says_goodbye, protocols=(V4,)))
    async with client.port_forward("web", port=8080) as forward:
        reader, writer = await asyncio.open_connection(forward.host, forward.port)
        assert await asyncio.wait_for(reader.read(), 20) == b"goodbye"
        writer.close()
        assert forward.failure is None


async def test_a_server_that_speaks_another_protocol_is_told(server, client):
    """No protocol in common: an error that says so, not one about permissions."""
    server.on("GET", _PATH, kubelet(echo, protocols=(V5,)))
    async with client.port_forward("web", port=8080) as forward:
        await failed_exchange(forward)
        assert isinstance(forward.failure, UnexpectedAnswer)
        assert V4 in forward.failure.message


async def test_a_port_that_does_not_refuse_counts_as_connected(server, client):
    """The protocol doesn't tell of success; quiet is taken for it."""

    async def quiet(socket):
        await greet(socket)
        await socket.receive()

    server.on("GET", _PATH, kubelet(quiet, protocols=(V4,)))
    await client.try_port("web", port=8080, quiet_seconds=0.05)


async def test_a_port_that_refuses_is_unreachable(server, client):
    """The node's words are the message."""
    server.on("GET", _PATH, kubelet(closed_port, protocols=(V4,)))
    with pytest.raises(PortUnreachable, match="connection refused"):
        await client.try_port("web", port=8080, quiet_seconds=30)


@settings(max_examples=40)
@given(messages=st.lists(st.binary(max_size=20), max_size=6))
def test_garbage_in_the_stream_is_an_error_or_ignored(messages):
    """Whatever the messages hold, the outcome is a connection or an error of ours, never another exception."""

    async def talk(socket):
        for message in messages:
            await socket.socket.send_bytes(message)

    async def attempt():
        async with serving() as server, unverified_client(server) as client:
            server.on("GET", _PATH, kubelet(talk, protocols=(V4,)))
            with contextlib.suppress(ClusterError):
                await client.try_port("web", port=8080, quiet_seconds=5)

    asyncio.run(attempt())
