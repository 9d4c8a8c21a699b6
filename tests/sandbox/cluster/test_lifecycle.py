"""Sandboxes come and go: whatever ends them, nothing is left."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seatrial.errors import SandboxError
from seatrial.sandbox.cluster_config import ClusterConfig
from seatrial.sandbox.ephemeral import ephemeral_sandbox
from seatrial.sandbox.home import Home
from seatrial.sandbox.leftovers import processes_of
from seatrial.sandbox.owner import OwnedSandbox, Sandbox, find_sandbox, start_sandbox, stop_sandbox
from seatrial.testing import sandbox_cluster
from tests.processes import wait_for_end
from tests.sandbox.cluster.sandboxes import (
    EXAMPLES,
    Kubectl,
    assert_nothing_left,
    block_of,
    listeners_of,
)

_OWNER = """
import asyncio, json, sys
from pathlib import Path
from seatrial.sandbox.ephemeral import ephemeral_sandbox


async def main():
    async with ephemeral_sandbox(nodes=1, state=Path(sys.argv[1])) as sandbox:
        record = sandbox.record
        print(json.dumps([record.sandbox_id, record.server, str(sandbox.directory), record.pid]), flush=True)
        await asyncio.Event().wait()


asyncio.run(main())
"""


Start = Callable[..., OwnedSandbox]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts small sandboxes in the test's directory; closes them at the end."""
    started = []

    def start(*, detach: bool = False, directory: Path = tmp_path) -> OwnedSandbox:
        owned = start_sandbox(ClusterConfig(name="box", directory=directory / "box", nodes=1), detach=detach)
        started.append(owned)
        return owned

    yield start
    for owned in started:
        stop_sandbox(owned.sandbox.home)
        owned.close()


def assert_gone(sandbox: Sandbox) -> None:
    """Nothing of the sandbox is left."""
    record = sandbox.record
    assert_nothing_left(record.sandbox_id, server=record.server, directory=sandbox.directory)


def test_closing_leaves_nothing(start: Start) -> None:
    """While it runs it has processes, listeners and files for its user alone; after closing it has none."""
    owned = start()
    sandbox = owned.sandbox
    assert len(list(processes_of(sandbox.record.sandbox_id))) >= 4
    listeners = listeners_of(sandbox.record.sandbox_id, sandbox.record.server)
    assert (block_of(sandbox.record.server) + "0.1", 6443) in listeners
    assert sandbox.kubeconfig.stat().st_mode & 0o777 == 0o600
    assert sandbox.directory.stat().st_mode & 0o777 == 0o700
    owned.close()
    assert_gone(sandbox)


def test_killing_the_main_process_leaves_nothing(start: Start) -> None:
    """SIGKILL of the main process takes its pods, machines, listeners and files with it."""
    owned = start()
    sandbox = owned.sandbox
    kubectl = Kubectl(sandbox)
    kubectl("run", "web", "--image=nginx")
    kubectl("wait", "pod/web", "--for=condition=Ready", "--timeout=30s")
    os.kill(sandbox.record.pid, signal.SIGKILL)
    owned.process.wait()
    wait_for_end(sandbox.record.launcher_pid)
    assert_gone(sandbox)


def test_killing_the_owner_leaves_nothing(tmp_path: Path) -> None:
    """A sandbox for the length of a block goes when its owner is killed by SIGKILL."""
    with subprocess.Popen([sys.executable, "-c", _OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        sandbox_id, server, directory, pid = json.loads(owner.stdout.readline())
        owner.kill()
    wait_for_end(pid)
    assert_nothing_left(sandbox_id, server=server, directory=Path(directory))


def test_killing_main_process_and_launcher(start: Start) -> None:
    """When even the launcher was killed, the next look at the sandbox sweeps up, and its name is free again."""
    owned = start(detach=True)
    sandbox = owned.sandbox
    for pid in (sandbox.record.launcher_pid, sandbox.record.pid):
        os.kill(pid, signal.SIGKILL)
    owned.process.wait()
    wait_for_end(sandbox.record.launcher_pid)
    owned.close()
    assert find_sandbox(sandbox.home) is None
    assert_gone(sandbox)


def test_a_killed_launcher_ends_the_sandbox(start: Start) -> None:
    """Without its launcher a sandbox has no machines: the main process says so and ends."""
    owned = start()
    os.kill(owned.sandbox.record.launcher_pid, signal.SIGKILL)
    with pytest.raises(SandboxError, match="launcher process died"):
        owned.wait()
    owned.close()
    assert_gone(owned.sandbox)


def test_detached(start: Start, tmp_path: Path) -> None:
    """A detached sandbox is found by its directory and stopped by whoever wants; stopping twice is no error."""
    owned = start(detach=True)
    home = Home(tmp_path / "box")
    found = find_sandbox(home)
    assert found == owned.sandbox
    assert stop_sandbox(home)
    owned.close()
    assert_gone(owned.sandbox)
    assert not stop_sandbox(home)
    assert find_sandbox(home) is None


def test_a_name_is_taken_once(start: Start, tmp_path: Path) -> None:
    """A second sandbox in the same directory is refused, and the first doesn't notice."""
    owned = start()
    with pytest.raises(SandboxError, match="'box' is running already"):
        start()
    assert find_sandbox(Home(tmp_path / "box")) is not None
    assert Kubectl(owned.sandbox)("get", "nodes", "--no-headers").split()[:2] == ["node1", "Ready"]


def test_a_directory_that_can_not_be_made(start: Start, tmp_path: Path) -> None:
    """Where the directory can't be made the error says so, and no process stays behind."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Exception, match="can't write to") as caught:
        start(directory=tmp_path / "file")
    assert type(caught.value).__name__ == "StateError"


async def test_two_sandboxes_at_once(tmp_path: Path) -> None:
    """Two sandboxes run side by side in blocks of their own, and neither sees the other's pods."""
    async with (
        ephemeral_sandbox(nodes=1, state=tmp_path) as one,
        ephemeral_sandbox(nodes=2, state=tmp_path) as two,
    ):
        assert block_of(one.record.server) != block_of(two.record.server)
        first, second = Kubectl(one), Kubectl(two)
        text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: only-here}\n"
        await asyncio.to_thread(first, "apply", "-f", "-", stdin=text)
        assert "only-here" not in await asyncio.to_thread(second, "get", "configmaps")
        assert (await asyncio.to_thread(second, "get", "nodes", "--no-headers")).count("Ready") == 2
    assert_gone(one)


async def test_a_cancelled_block_leaves_nothing(tmp_path: Path) -> None:
    """Cancelling the task while the block runs still takes the sandbox down."""
    running: asyncio.Queue[Sandbox] = asyncio.Queue()

    async def use() -> None:
        async with ephemeral_sandbox(nodes=1, state=tmp_path) as sandbox:
            running.put_nowait(sandbox)
            await asyncio.Event().wait()

    task = asyncio.create_task(use())
    sandbox = await running.get()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert_gone(sandbox)


async def test_cancelled_while_starting(tmp_path: Path) -> None:
    """Cancelling before the sandbox is ready leaves nothing either."""
    block = ephemeral_sandbox(nodes=1, state=tmp_path)
    task = asyncio.create_task(block.__aenter__())
    while not list(tmp_path.glob("sandboxes/*/pki")):
        await asyncio.sleep(0.01)
        assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list((tmp_path / "sandboxes").iterdir()) == []


async def test_public_test_cluster() -> None:
    """`seatrial.testing.sandbox_cluster` gives a cluster with manifests loaded and images of one's own."""
    images = {"me/app": ["sh", "-c", "exec sleep 600"]}
    async with sandbox_cluster(nodes=1, images=images, load=[EXAMPLES / "manifests" / "goldpinger.yml"]) as cluster:
        kubectl = Kubectl(cluster)
        assert "goldpinger" in await asyncio.to_thread(kubectl, "get", "deployments", "-o", "name")
        await asyncio.to_thread(kubectl, "run", "mine", "--image=me/app")
        await asyncio.to_thread(kubectl, "wait", "pod/mine", "--for=condition=Ready", "--timeout=30s")
