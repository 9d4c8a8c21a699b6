"""The subresources of pods on a whole cluster: its API server, its kubelet, its containers."""

import asyncio

import aiohttp
import pytest

from seatrial.kube.client import connect
from seatrial.kube.errors import BadRequest, ClusterError, NotFound, PortUnreachable
from seatrial.kube.objects import Pod
from seatrial.kube.resources import PODS
from seatrial.testing import sandbox_cluster

_PODS = {
    "web": {"name": "main", "image": "nginx:1.25"},
    "talk": {"name": "main", "image": "busybox:1.36", "command": ["sh", "-c", "echo started; exec sleep 600"]},
}


@pytest.fixture(scope="module")
def cluster():
    """A sandbox with a pod that serves and one that waits, both Ready."""
    with asyncio.Runner() as runner:
        block = sandbox_cluster(nodes=1)
        sandbox = runner.run(block.__aenter__())
        runner.run(_make_pods(sandbox.kubeconfig))
        yield sandbox
        runner.run(block.__aexit__(None, None, None))


async def _make_pods(kubeconfig):
    async with await connect(kubeconfig=kubeconfig) as client:
        for name, container in _PODS.items():
            await client.create(PODS, {"metadata": {"name": name}, "spec": {"containers": [container]}})
        async with asyncio.timeout(60), client.watch(PODS, namespace="default", type=Pod) as watch:
            ready = {pod.metadata.name for pod in watch.snapshot if pod.is_ready}
            while ready != set(_PODS):
                event = await anext(watch)
                if event.object.is_ready:
                    ready.add(event.object.metadata.name)


@pytest.fixture
async def client(cluster):
    async with await connect(kubeconfig=cluster.kubeconfig) as connected:
        yield connected


async def test_a_command_runs_in_a_container(client):
    """With its outputs, its exit code and its input."""
    script = "cat; echo done >&2; exit 3"
    result = await client.exec("talk", command=["sh", "-c", script], container="main", stdin=b"some words")
    assert (result.exit_code, result.stdout, result.stderr) == (3, b"some words", b"done\n")


async def test_commands_run_side_by_side(client):
    """Each has its own streams."""
    results = await asyncio.gather(*(client.exec("talk", command=["echo", str(number)]) for number in range(8)))
    assert [result.stdout for result in results] == [f"{number}\n".encode() for number in range(8)]


async def test_a_program_that_is_not_there_is_an_error(client):
    """The runtime's own words say which."""
    with pytest.raises(ClusterError, match="nosuch"):
        await client.exec("talk", command=["nosuch"])


async def test_a_pod_or_container_that_is_not_there_is_said(client):
    """In the API server's words, which a WebSocket's refusal brings along."""
    with pytest.raises(NotFound, match='pods "nobody" not found'):
        await client.exec("nobody", command=["true"])
    with pytest.raises(BadRequest, match="container other is not valid for pod talk"):
        await client.exec("talk", command=["true"], container="other")


async def test_a_pods_port_is_reached_through_a_local_one(client):
    """As often as wanted."""
    async with client.port_forward("web", port=80) as forward, aiohttp.ClientSession(trust_env=False) as session:
        for _ in range(3):
            async with session.get(f"http://{forward.host}:{forward.port}/") as answer:
                assert answer.status == 200
                assert b"nginx" in await answer.read()
        assert forward.failure is None


async def test_a_port_tells_whether_it_refuses(client):
    """One that serves does not, one where nothing listens does."""
    await client.try_port("web", port=80, quiet_seconds=0.2)
    with pytest.raises(PortUnreachable, match="connection refused"):
        await client.try_port("web", port=81, quiet_seconds=30)


async def test_logs_are_read(client):
    """What a container wrote; all of it, or a part."""
    assert await client.logs("talk") == "started\n"
    assert await client.logs("talk", tail_lines=0) == ""
    assert await client.logs("talk", most_bytes=4) == "star"


async def test_logs_are_streamed(client):
    """In pieces as they come: to the end of what there is, or on and on until somebody has read enough."""
    async with client.log_stream("talk", tail_lines=5) as pieces:
        assert b"".join([piece async for piece in pieces]) == b"started\n"
    async with asyncio.timeout(60), client.log_stream("talk", follow=True) as pieces:
        assert await anext(pieces) == b"started\n"
    with pytest.raises(NotFound):
        async with client.log_stream("nobody"):
            pass


async def test_an_ephemeral_container_is_added(client):
    """It runs beside the others, and its words are in its log."""
    container = {"name": "guest", "image": "busybox:1.36", "command": ["echo", "hello"], "targetContainerName": "main"}
    async with client.watch(PODS, namespace="default", field_selector="metadata.name=talk") as watch:
        await client.ephemeral_container("talk", container)
        await client.ephemeral_container("talk", container)  # the same once more changes nothing
        async with asyncio.timeout(60):
            while not await _has_ended(watch):
                pass
    pod = await client.get(PODS, "talk")
    assert [each["name"] for each in pod["spec"]["ephemeralContainers"]] == ["guest"]
    assert await client.logs("talk", container="guest") == "hello\n"


async def _has_ended(watch):
    pod = (await anext(watch)).object
    statuses = pod["status"].get("ephemeralContainerStatuses", [])
    return any("terminated" in each["state"] for each in statuses)
