"""Many at once, and few descriptors: a whole sandbox under clients that want more than there is."""

import asyncio
import os
import resource
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import yaml

from seatrial.sandbox.cluster_config import ClusterConfig
from seatrial.sandbox.owner import Sandbox, start_sandbox
from tests.faults.sandbox.bodies import Body, descriptors, limited, until
from tests.sandbox.cluster.sandboxes import assert_nothing_left

pytestmark = pytest.mark.timeout(180)

_POD = """
apiVersion: v1
kind: Pod
metadata: {name: host}
spec:
  nodeName: node1
  terminationGracePeriodSeconds: 0
  tolerations: [{operator: Exists}] # a node that is kept this busy may be late with its heartbeats: no eviction
  containers: [{name: c, image: busybox, command: [sh, -c, "while true; do echo line; sleep 0.1; done"]}]
"""
_HERE = b"here\n", b'{"metadata":{},"status":"Success"}'
_EXEC = "/api/v1/namespaces/default/pods/host/exec?command=echo&command=here&stdout=1&stderr=1"


@asynccontextmanager
async def _session(sandbox: Sandbox) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of as many connections as it likes; they have ended when the block has."""
    user = yaml.safe_load(sandbox.kubeconfig.read_text())["users"][0]["user"]
    tls = ssl.create_default_context(cafile=str(sandbox.directory / "pki" / "ca.crt"))
    before = descriptors(os.getpid())
    async with aiohttp.ClientSession(
        sandbox.record.server,
        connector=aiohttp.TCPConnector(ssl=tls, limit=0),
        headers={"Authorization": f"Bearer {user['token']}"},
        timeout=aiohttp.ClientTimeout(total=100),
    ) as session:
        yield session
    # The two ends of a TLS connection agree upon its end, which aiohttp doesn't wait for.
    await asyncio.to_thread(until, lambda: descriptors(os.getpid()) <= before)


async def _exec(session: aiohttp.ClientSession) -> tuple[bytes, bytes]:
    """What `echo here` in the pod says, and what became of it."""
    said = {1: b"", 3: b""}
    async with session.ws_connect(_EXEC, protocols=("v5.channel.k8s.io",)) as socket:
        async for message in socket:
            assert message.type is aiohttp.WSMsgType.BINARY
            said[message.data[0]] += message.data[1:]
    return said[1], said[3]


async def test_two_hundred_execs_at_once(body: Body) -> None:
    """Two hundred commands at once all say what they have to, and leave neither process nor descriptor."""
    body.kubectl("apply", "-f", "-", stdin=_POD)
    body.wait("condition=Ready", "pod/host")
    kubelet, machine = body.kubelet("node1"), body.machine("node1")
    async with _session(body.sandbox) as session:
        assert await _exec(session) == _HERE
        before = descriptors(kubelet), descriptors(machine), descriptors(body.main)
        said = await asyncio.gather(*(_exec(session) for _ in range(200)))
    assert set(said) == {_HERE}, Counter(said)
    assert until(lambda: all(a <= b + 3 for a, b in zip(_open(body, kubelet, machine), before, strict=True)))


def _open(body: Body, kubelet: int, machine: int) -> tuple[int, int, int]:
    return descriptors(kubelet), descriptors(machine), descriptors(body.main)


async def test_readers_that_stop(body: Body) -> None:
    """Logs that are followed and never read cost the sandbox nothing more than their connections."""
    body.kubectl("apply", "-f", "-", stdin=_POD)
    body.wait("condition=Ready", "pod/host")
    async with _session(body.sandbox) as session:
        path = "/api/v1/namespaces/default/pods/host/log?follow=true"
        answers = [await session.get(path) for _ in range(50)]
        assert {answer.status for answer in answers} == {200}
        assert await _exec(session) == _HERE
        before = descriptors(body.main)
        for answer in answers:
            answer.close()
        assert await asyncio.to_thread(until, lambda: descriptors(body.main) <= before - 80)


def test_few_descriptors(tmp_path: Path) -> None:
    """A sandbox that may open few files refuses connections for a while, and serves again once others have gone."""
    with limited(resource.RLIMIT_NOFILE, 200):
        owned = start_sandbox(ClusterConfig(name="box", directory=tmp_path / "state" / "box", nodes=1))
    body = Body(owned.sandbox)
    try:
        asyncio.run(_crowd(owned.sandbox))
        assert until(lambda: body.kubectl("get", "nodes", "--no-headers")).split()[1] == "Ready"
        body.kubectl("apply", "-f", "-", stdin=_POD)
        body.wait("condition=Ready", "pod/host")
    finally:
        owned.close()
    record = owned.sandbox.record
    assert_nothing_left(record.sandbox_id, server=record.server, directory=owned.sandbox.directory)


async def _crowd(sandbox: Sandbox) -> None:
    """Three hundred clients connect and hold on for two seconds."""
    host, _, port = sandbox.record.server.removeprefix("https://").partition(":")
    opened = await asyncio.gather(*(asyncio.open_connection(host, int(port)) for _ in range(300)))
    await asyncio.sleep(2)
    for _, writer in opened:
        writer.close()
