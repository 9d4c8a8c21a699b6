"""exec and attach at a kubelet, over WebSocket and SPDY."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import psutil
import pytest
import pytest_asyncio

from seatrial.sandbox.kubelet.machine_config import MachineConfig
from seatrial.sandbox.pki import Authority
from tests.sandbox.kubelet.conftest import free_addresses, node_config, temporary_directory
from tests.sandbox.kubelet.node_under_test import NodeUnderTest, is_ready, make_pod, running_node
from tests.sandbox.kubelet.stream_client import StreamClient, listen, read_all

_BOTH = [("output", "1"), ("error", "1")]
_ALL = [("input", "1"), *_BOTH]
_EXEC = "/exec/default/web/c"


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def config(authority: Authority) -> Iterator[MachineConfig]:
    with free_addresses() as addresses, temporary_directory() as directory:
        yield node_config(addresses, authority, directory)


@pytest.fixture(scope="module")
def client(config: MachineConfig, authority: Authority) -> StreamClient:
    return StreamClient(config, authority)


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def node(config: MachineConfig) -> AsyncIterator[NodeUnderTest]:
    async with running_node(config) as node:
        await node.create(make_pod())
        await node.history.wait("web", is_ready)
        yield node


def _command(*words: str) -> list[tuple[str, str]]:
    return [("command", word) for word in words]


async def test_a_command_writes_to_both_outputs_and_succeeds(client: StreamClient) -> None:
    """Standard output and errors come on channels of their own, then the outcome, then the end."""
    said = await client.talk(_EXEC, [*_BOTH, *_command("sh", "-c", "echo out; echo err >&2")])
    assert (said.channels[1], said.channels[2]) == (b"out\n", b"err\n")
    assert said.status == {"metadata": {}, "status": "Success"}
    assert said.code == 1000


@pytest.mark.parametrize(
    ("protocol", "words"),
    [
        ("v5.channel.k8s.io", "exit code 3"),
        ("v4.channel.k8s.io", "error executing command [sh -c exit 3], exit code 3"),
    ],
)
async def test_an_exit_code_is_told(client: StreamClient, protocol: str, words: str) -> None:
    """A command that fails is a Failure with its exit code as a cause, worded as the protocol's server words it."""
    said = await client.talk(_EXEC, [*_BOTH, *_command("sh", "-c", "exit 3")], protocol=protocol)
    assert said.status["reason"] == "NonZeroExitCode"
    assert said.status["details"] == {"causes": [{"reason": "ExitCode", "message": "3"}]}
    assert said.status["message"].endswith(words)


async def test_a_command_that_is_not_there_is_an_internal_error(client: StreamClient) -> None:
    """What can't be started is told with the container runtime's words."""
    said = await client.talk(_EXEC, [*_BOTH, *_command("nosuch")])
    assert said.status["code"] == 500
    assert said.status["message"].startswith("Internal error occurred: Internal error occurred: error executing")
    assert 'exec: "nosuch": executable file not found in $PATH' in said.status["message"]
    said = await client.talk(_EXEC, _BOTH)
    assert said.status["message"].endswith("OCI runtime exec failed: exec failed: args must not be empty")


async def test_standard_input_ends_with_the_close_signal(client: StreamClient) -> None:
    """From v5 on a message on channel 255 ends standard input."""
    said = await client.talk(_EXEC, [*_ALL, *_command("cat")], messages=[b"\0one ", b"\0two", b"\xff\0"])
    assert said.channels[1] == b"one two"
    assert said.status["status"] == "Success"


async def test_older_protocols_tell_no_success(client: StreamClient) -> None:
    """Before v4 a success is told by the end alone, and a failure in plain words; base64 is text."""
    said = await client.talk(_EXEC, [("output", "1"), *_command("echo", "hi")], protocol="")
    assert said.channels == {1: b"hi\n"}
    said = await client.talk(_EXEC, [("output", "1"), *_command("echo", "hi")], protocol="base64.channel.k8s.io")
    assert said.channels == {ord("1"): b"aGkK"}
    said = await client.talk(_EXEC, [("output", "1"), *_command("sh", "-c", "exit 2")], protocol="channel.k8s.io")
    assert said.channels[3].startswith(b"command terminated with non-zero exit code")


async def test_a_terminal_has_the_clients_size(client: StreamClient) -> None:
    """With a terminal, the command finds the size that the client told, and its changes by SIGWINCH."""
    words = _command("sh", "-c", "stty size; trap 'stty size; exit 0' WINCH; echo set; while :; do sleep 0.05; done")
    query = [("input", "1"), ("output", "1"), ("tty", "1"), *words]
    async with asyncio.timeout(30), client.websocket(_EXEC, query) as socket:
        await socket.send_bytes(b'\x04{"Width":100,"Height":40}')
        said = b""
        while b"set" not in said:
            said += (await socket.receive_bytes())[1:]
        await socket.send_bytes(b'\x04{"Width":80,"Height":24}')
        rest = await listen(socket)
    assert said == b"40 100\r\nset\r\n"
    assert rest.channels[1] == b"24 80\r\n"
    assert rest.status["status"] == "Success"


async def test_spdy_carries_the_same(client: StreamClient) -> None:
    """Over SPDY each stream is one of the connection's, opened by the client and told apart by its `streamtype`."""
    query = [*_ALL, *_command("sh", "-c", "cat; echo err >&2; exit 7")]
    async with asyncio.timeout(30), client.spdy(_EXEC, query, "v4.channel.k8s.io, channel.k8s.io") as connection:
        names = ("error", "stdin", "stdout", "stderr")
        streams = {name: await connection.open({"streamtype": name}) for name in names}
        await streams["stdin"].write(b"through" * 100_000)
        await streams["stdin"].finish()
        said = await asyncio.gather(*(read_all(streams[name]) for name in ("stdout", "stderr", "error")))
    assert said[0] == b"through" * 100_000
    assert said[1] == b"err\n"
    assert json.loads(said[2])["details"]["causes"][0]["message"] == "7"


async def test_an_unknown_protocol_is_refused(client: StreamClient) -> None:
    """Who offers no known protocol gets a 403 and, over SPDY, the list of those that are known."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await client.talk(_EXEC, [*_BOTH, *_command("true")], protocol="v9.channel.k8s.io")
    assert refused.value.status == 403
    with pytest.raises(ConnectionError, match=r"X-Accepted-Stream-Protocol-Versions: v4\.channel"):
        async with client.spdy(_EXEC, [*_BOTH, *_command("true")], "v9.channel.k8s.io"):
            pass


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/exec/default/nosuch/c", 404, "pod does not exist"),
        ("/exec/default/web/nosuch", 500, 'container not found ("nosuch")'),
        ("/attach/default/web/nosuch", 500, "container nosuch not found in pod web_default"),
    ],
)
async def test_what_does_not_run_is_refused_before_the_upgrade(
    client: StreamClient, path: str, status: int, text: str
) -> None:
    """A pod or container that isn't there is an ordinary HTTP answer in plain text."""
    async with aiohttp.ClientSession() as session, session.post(client.url(path, _BOTH), ssl=client.tls) as answer:
        assert (answer.status, await answer.text()) == (status, text)


async def test_a_client_without_streams_is_refused(client: StreamClient) -> None:
    """At least one of the streams must be asked for."""
    async with aiohttp.ClientSession() as session, session.post(client.url(_EXEC), ssl=client.tls) as answer:
        assert answer.status == 400
        assert await answer.text() == "you must specify at least 1 of stdin, stdout, stderr"


async def test_a_command_outlives_its_client_but_not_its_container(node: NodeUnderTest, client: StreamClient) -> None:
    """When the client goes its command runs on, without anybody reading it, until the container ends."""
    await node.create(make_pod("brief"))
    await node.history.wait("brief", is_ready)
    async with client.websocket(
        "/exec/default/brief/c", [("output", "1"), *_command("sh", "-c", "echo $$; exec sleep 987")]
    ) as socket:
        while not (await socket.receive_bytes())[1:]:
            pass
    [found] = _sleepers()
    await node.api.delete("pods", "brief", "default", grace_period_seconds=0)
    await node.history.wait_gone("brief")
    await asyncio.to_thread(psutil.Process(found).wait, 10) if psutil.pid_exists(found) else None


def _sleepers() -> list[int]:
    return [process.pid for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"] == ["sleep", "987"]]


async def test_nothing_is_left_of_fifty_clients(client: StreamClient) -> None:
    """Clients that come at once are all served, and leave no descriptor and no task behind."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    said = await asyncio.gather(
        *(client.talk(_EXEC, [("output", "1"), *_command("sh", "-c", f"echo {n}")]) for n in range(50))
    )
    assert [talk.channels[1] for talk in said] == [f"{n}\n".encode() for n in range(50)]
    for _ in range(1000):
        if len(list(Path("/proc/self/fd").iterdir())) <= before + 2:
            break
        await asyncio.sleep(0.01)
    else:
        raise AssertionError("descriptors are left")
    assert not [task for task in asyncio.all_tasks() if "remote_" in repr(task.get_coro())]


async def test_a_client_that_does_not_read_holds_the_command_up(client: StreamClient) -> None:
    """Output that nobody reads stays with the command, not in memory; read, it is complete."""
    words = _command("sh", "-c", "head -c 30000000 /dev/zero")
    async with asyncio.timeout(60), client.spdy(_EXEC, [("output", "1"), *words], "v4.channel.k8s.io") as connection:
        error = await connection.open({"streamtype": "error"})
        out = await connection.open({"streamtype": "stdout"})
        await asyncio.sleep(0.3)
        assert sum(map(len, out._chunks)) < 1_000_000
        got = 0
        while data := await out.read():
            got += len(data)
        assert got == 30_000_000
        assert json.loads(await read_all(error))["status"] == "Success"


async def test_attach_shows_what_is_written_from_then_on(node: NodeUnderTest, client: StreamClient) -> None:
    """Who attaches sees output as it comes and can type; standard input asked for once ends with its client."""
    script = "echo before; while read line; do echo got $line; done; echo end"
    spec = {"command": ["sh", "-c", script], "stdin": True, "stdinOnce": True}
    await node.create(make_pod("once", container=spec, restartPolicy="Never"))
    await node.history.wait("once", is_ready)
    said = await client.talk("/attach/default/once/c", _ALL, messages=[b"\0one\n", b"\0two\n", b"\xff\0"])
    assert said.channels[1].endswith(b"got one\ngot two\nend\n")
    assert said.status["status"] == "Success"
    await node.history.wait("once", lambda pod: pod["status"]["phase"] == "Succeeded")
    assert b"got two" in await node.log("once")


async def test_attach_to_a_terminal(node: NodeUnderTest, client: StreamClient) -> None:
    """A container with a terminal echoes what is typed, and goes on when its client goes."""
    await node.create(make_pod("shell", container={"command": ["sh"], "stdin": True, "tty": True}))
    await node.history.wait("shell", is_ready)
    for word in ("one", "two"):
        async with asyncio.timeout(30), client.websocket("/attach/default/shell/c", _ALL) as socket:
            await socket.send_bytes(f"\0echo {word}$((6 * 7))\n".encode())
            said = b""
            while f"{word}42\r\n".encode() not in said:
                said += (await socket.receive_bytes())[1:]
