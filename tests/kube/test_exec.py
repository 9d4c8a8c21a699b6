import asyncio

import pytest
from aiohttp import WSMsgType, web
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.errors import ClusterError
from seatrial.kube import transport
from seatrial.kube.client import connect
from seatrial.kube.errors import Forbidden, RequestTimeout, ServerError, UnexpectedAnswer, Unreachable
from tests.kube.channels import V4, V5, kubelet, unverified_client
from tests.kube.fake_apiserver import answer, break_off, serving, status
from tests.probes.http_proxy import HttpProxy

_PATH = "/api/v1/namespaces/team/pods/web/exec"


async def test_a_commands_outputs_and_exit_code_come_back(server, client):
    """Both outputs, in pieces, and the exit code of a success, which is 0."""

    async def talk(socket):
        for piece in (b"he", b"", b"llo\n"):
            await socket.send(1, piece)
        await socket.send(2, b"oops\n")
        await socket.conclude()

    server.on("GET", _PATH, kubelet(talk))
    result = await client.exec("web", command=["echo", "hello"])
    assert (result.exit_code, result.stdout, result.stderr, result.truncated) == (0, b"hello\n", b"oops\n", False)


async def test_the_words_of_a_command_are_sent_one_by_one(server, client):
    """There is no shell: each argument arrives as it is, and so does the container's name."""
    asked = []

    async def talk(socket):
        asked.extend(socket.request.query.items())
        await socket.conclude()

    server.on("GET", _PATH, kubelet(talk))
    await client.exec("web", command=["sh", "-c", "a & b; c=d é"], container="main")
    words = [value for key, value in asked if key == "command"]
    assert words == ["sh", "-c", "a & b; c=d é"]
    assert dict(asked)["container"] == "main"
    assert "stdin" not in dict(asked)


@pytest.mark.parametrize("protocols", [(V5, V4), (V4,)])
async def test_an_exit_code_is_read_from_the_status(server, client, protocols):
    """With the newer protocol and with that of the API servers before 1.30."""

    async def talk(socket):
        causes = [{"reason": "ExitCode", "message": "3"}]
        await socket.conclude(status="Failure", reason="NonZeroExitCode", details={"causes": causes})

    server.on("GET", _PATH, kubelet(talk, protocols=protocols))
    assert (await client.exec("web", command=["false"])).exit_code == 3


async def test_a_command_that_can_t_be_started_is_an_error(server, client):
    """What the container runtime says is the message."""

    async def talk(socket):
        await socket.conclude(status="Failure", reason="InternalError", message="no such file: nosuch", code=500)

    server.on("GET", _PATH, kubelet(talk))
    with pytest.raises(ServerError, match="no such file: nosuch"):
        await client.exec("web", command=["nosuch"])


async def test_input_is_sent_and_ended(server, client):
    """All of it, and then its end, so that a command that reads to the end comes to it."""

    async def talk(socket):
        received = bytearray()
        while (message := await socket.receive()) is not None and message[0] == 0:
            received += message[1]
        assert message == (255, b"\x00")
        await socket.send(1, bytes(received))
        await socket.conclude()

    server.on("GET", _PATH, kubelet(talk))
    sent = bytes(range(256)) * 1000
    assert (await client.exec("web", command=["cat"], stdin=sent)).stdout == sent


async def test_input_is_not_sent_to_a_server_that_can_t_end_it(server, client):
    """Before 1.30 a command would wait for more of it for ever: it is not even started."""
    started = []

    async def talk(socket):
        started.append(socket)

    server.on("GET", _PATH, kubelet(talk, protocols=(V4,)))
    with pytest.raises(UnexpectedAnswer, match=r"speaks none of: v5\.channel\.k8s\.io") as caught:
        await client.exec("web", command=["cat"], stdin=b"x")
    assert "Kubernetes 1.30" in caught.value.hint
    assert not started


@pytest.mark.parametrize("code", [500, 502])
async def test_where_the_way_of_the_newer_protocol_is_broken_the_older_one_is_taken(server, client, code):
    """A node's runtime may not speak it, though the API server does: then the command hasn't begun anywhere."""
    offered = []

    async def talk(socket):
        await socket.send(1, b"here\n")
        await socket.conclude()

    async def handle(request):
        offered.append(request.headers["Sec-WebSocket-Protocol"])
        if V5 in offered[-1]:
            return answer(status(code, "InternalError", "server gave HTTP response to HTTPS client"))
        return await kubelet(talk)(request)

    server.on("GET", _PATH, handle)
    assert (await client.exec("web", command=["hostname"])).stdout == b"here\n"
    assert offered == [f"{V5},{V4}", V4]


async def test_a_command_with_input_is_not_sent_by_the_older_protocol(server, client):
    """The failure is told instead."""
    server.on("GET", _PATH, status(500, "InternalError", "error dialing backend"))
    with pytest.raises(ServerError, match="error dialing backend"):
        await client.exec("web", command=["cat"], stdin=b"x")
    assert len(server.sent) == 1


async def test_a_connection_on_which_nothing_is_said_is_kept_open(server, client, monkeypatch):
    """Load balancers cut silent connections: the server is pinged while a command says nothing."""
    monkeypatch.setattr(transport, "PING_SECONDS", 0.01)
    pinged = asyncio.Event()

    async def handle(request):
        socket = web.WebSocketResponse(protocols=(V5,), autoping=False, timeout=0.5)
        await socket.prepare(request)
        while not pinged.is_set():
            if (await socket.receive()).type is WSMsgType.PING:
                pinged.set()
        await socket.send_bytes(b"\x03" + b'{"metadata":{},"status":"Success"}')
        await socket.close()
        return socket

    server.on("GET", _PATH, handle)
    assert (await client.exec("web", command=["sleep", "90"])).exit_code == 0
    assert pinged.is_set()


async def test_a_command_that_does_not_read_its_input_still_ends(server, client):
    """The kubelet stops listening: that is no error."""

    async def talk(socket):
        await socket.conclude()

    server.on("GET", _PATH, kubelet(talk))
    assert (await client.exec("web", command=["true"], stdin=b"x" * 5_000_000)).exit_code == 0


async def test_output_is_bounded(server, client):
    """The first MiB of each output is kept, and that there was more is said."""

    async def talk(socket):
        for number in range(40):
            await socket.send(1, bytes([number]) * 32 * 1024)
        await socket.conclude()

    server.on("GET", _PATH, kubelet(talk))
    result = await client.exec("web", command=["yes"])
    assert len(result.stdout) == 1024 * 1024
    assert result.stdout[0] == 0
    assert result.truncated


async def test_a_command_that_takes_too_long_is_left(server, client):
    """The client gives up, and says that the command may go on."""

    async def talk(socket):
        await socket.receive()

    server.on("GET", _PATH, kubelet(talk))
    with pytest.raises(RequestTimeout, match=r"'sleep' did not end within 0\.2 s") as caught:
        await client.exec("web", command=["sleep", "secret"], timeout_seconds=0.2)
    assert "may still run" in caught.value.hint
    assert "secret" not in str(caught.value)


async def test_a_connection_that_ends_without_a_status_is_an_error(server, client):
    """It is not known what became of the command: never taken for a success."""

    async def talk(socket):
        await socket.send(1, b"half")

    server.on("GET", _PATH, kubelet(talk))
    with pytest.raises(UnexpectedAnswer, match="ended before the command did"):
        await client.exec("web", command=["true"])


async def test_a_connection_that_breaks_is_an_error(server, client):
    """A reset in the middle is told in the words of the network, or as an end before the command's."""

    async def talk(socket):
        await socket.send(1, b"half")
        socket.request.transport.abort()
        await asyncio.sleep(0)

    server.on("GET", _PATH, kubelet(talk))
    with pytest.raises((Unreachable, UnexpectedAnswer)):
        await client.exec("web", command=["true"])


async def test_a_refusal_is_told_in_the_api_servers_words(server, client):
    """Who may not run commands learns which permission is missing."""
    message = (
        'pods "web" is forbidden: User "jane" cannot get resource "pods/exec" in API group "" in the namespace "t"'
    )
    server.on("GET", _PATH, status(403, "Forbidden", message))
    with pytest.raises(Forbidden) as caught:
        await client.exec("web", command=["true"])
    assert (caught.value.user, caught.value.resource) == ("jane", "pods/exec")


async def test_a_proxy_that_lets_no_websocket_through_is_recognized(server, client):
    """An ordinary answer where an upgrade was asked for."""
    server.on("GET", _PATH, answer({"kind": "Pod"}))
    with pytest.raises(UnexpectedAnswer, match="answered 200 where a WebSocket was asked for"):
        await client.exec("web", command=["true"])


async def test_a_server_that_hangs_up_is_unreachable(server, client):
    """The connection is cut before the upgrade."""
    server.on("GET", _PATH, break_off)
    with pytest.raises(Unreachable):
        await client.exec("web", command=["true"])


async def test_credentials_are_renewed_once_after_a_401(server, tmp_path, write_kubeconfig):
    """A token file that was rotated meanwhile is read again, as for any other request."""
    token = tmp_path / "token"
    token.write_text("old")
    seen = []

    async def talk(socket):
        await socket.conclude()

    async def guard(request):
        seen.append(request.headers["Authorization"])
        if seen[-1] != "Bearer rotated":
            token.write_text("rotated")
            return answer(status(401, "Unauthorized"))
        return await kubelet(talk)(request)

    server.on("GET", _PATH, guard)
    async with await connect(kubeconfig=write_kubeconfig(server, user={"tokenFile": str(token)})) as client:
        assert (await client.exec("web", command=["true"])).exit_code == 0
    assert seen == ["Bearer old", "Bearer rotated"]


async def test_a_command_goes_by_way_of_a_proxy(server, write_kubeconfig):
    """The one that the kubeconfig names, as every other request."""

    async def talk(socket):
        await socket.conclude()

    server.on("GET", _PATH, kubelet(talk))
    async with (
        HttpProxy() as proxy,
        await connect(kubeconfig=write_kubeconfig(server, cluster={"proxy-url": proxy.url})) as client,
    ):
        assert (await client.exec("web", command=["true"])).exit_code == 0
        assert proxy.asked == [f"CONNECT {server.address}:{server.port} HTTP/1.1"]


@settings(max_examples=40)
@given(messages=st.lists(st.binary(max_size=40), max_size=8))
def test_garbage_in_the_stream_is_an_error_or_ignored(messages):
    """Whatever the messages hold, the outcome is an exit code or an error of ours, never another exception."""

    async def talk(socket):
        for message in messages:
            await socket.socket.send_bytes(message)

    async def attempt():
        async with serving() as server:
            server.on("GET", _PATH, kubelet(talk))
            async with unverified_client(server) as client:
                return await client.exec("web", command=["x"], timeout_seconds=5)

    try:
        result = asyncio.run(attempt())
    except ClusterError:
        return
    assert isinstance(result.exit_code, int)
