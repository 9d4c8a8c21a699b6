"""What all rooms of the tests share: rules for every test, an API server in this process, the tool's client for it."""

import asyncio
import gc
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, settings

from seatrial.kube.client import Client, connect
from seatrial.runtime.context import Context
from seatrial.runtime.events import EventStream, Record
from seatrial.runtime.journal import Journal
from seatrial.runtime.randomness import Randomness
from seatrial.runtime.run_journal import RunJournal
from seatrial.sandbox.apiserver.server import ApiServer, ApiServerConfig, write_kubeconfig
from seatrial.sandbox.pki import Authority
from seatrial.testing import FakeClock
from tests.processes import processes_that_mention, said_of
from tests.programs import stop_server
from tests.time_limits import pytest_runtest_teardown, pytest_timeout_set_timer  # noqa: F401 -- pytest finds them here

# How long an example takes says nothing on a machine that others use too. The examples are the same in every run, so
# that a failure comes from the change at hand; `make test ARGS=--hypothesis-profile=explore` looks for new ones.
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", settings.get_profile("explore"), derandomize=True, database=None)
settings.load_profile("same")

MARKER = "SEATRIAL_TESTS"
"""An environment variable of everything that a test starts without saying otherwise: its run's temporary directory."""


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_left_running(tmp_path_factory):
    """At the end no process is left that a test started or that works in a test's directory, and no pod's orphan."""
    directory = f"{tmp_path_factory.getbasetemp()}/"
    os.environ[MARKER] = directory
    began = time.time()
    yield
    del os.environ[MARKER]
    stop_server()
    # A container's environment is its own; its parents are the node's, as long as there is a node.
    containers = processes_that_mention("SEATRIAL_POD_IP=")
    orphans = [each for each in containers if _is_orphan(each, since=began)]
    # A process that was told to end may take a moment to do so.
    _, left = psutil.wait_procs([*processes_that_mention(directory), *orphans], timeout=10)
    assert [process for process in left if said_of(process)] == []


def _is_orphan(process: psutil.Process, *, since: float) -> bool:
    try:
        return process.ppid() == 1 and process.create_time() > since
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_is_heard():
    """A shell makes its background jobs deaf to SIGINT, and all that they start; the tests send it to programs."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session", autouse=True)
def _no_implicit_event_loop():
    """Looptime asks for the current loop before synchronous tests: that must not make one for good."""
    asyncio.set_event_loop(None)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """What is collected stays: looking through it again and again for garbage is a quarter of the time it takes."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


class Recorder:
    """A context for one step, and what was published in it."""

    def __init__(self, cluster: Client | None = None) -> None:
        self.clock = FakeClock()
        self.records: list[Record] = []
        self.stream = EventStream(self.clock)
        self.stream.subscribe(self.records.append)
        self.journal = Journal.in_memory()
        self.context = Context(
            run_id="run-1",
            cluster=cluster,
            journal=RunJournal(self.journal, "run-1"),
            events=self.stream,
            randomness=Randomness(7),
            clock=self.clock,
        )

    async def events(self) -> Iterable[Any]:
        await self.stream.close()
        return [record.event for record in self.records]

    async def close(self) -> None:
        await self.context.scope.close()
        await self.stream.close()
        await self.journal.close()


@pytest.fixture
async def recorder():
    """A context without a cluster, whose time flies."""
    made = Recorder()
    yield made
    await made.close()


@dataclass(frozen=True)
class Control:
    """An API server without controllers or nodes: its own interface, the tool's client, and a way to make others."""

    server: ApiServer
    authority: Authority
    directory: Path
    cluster: Client

    async def create_pods(self, *names: str, namespace: str = "default", owner: dict[str, Any] | None = None, **labels):
        """Pods that stay unscheduled: deleting one removes it at once."""
        owners = [{**owner, "controller": True}] if owner else []
        return [
            await self.server.api.create(
                "pods",
                {
                    "metadata": {"name": name, "labels": labels, "ownerReferences": owners},
                    "spec": {"containers": [{"name": "c", "image": "busybox"}]},
                },
                namespace,
            )
            for name in names
        ]

    async def pod_names(self, namespace: str | None = "default") -> list[str]:
        listed = await self.server.api.list("pods", namespace)
        return sorted(each["metadata"]["name"] for each in listed.items)

    async def connect_as(self, name: str) -> Client:
        """A client that authenticates as another user, who may nothing unless a role says so."""
        path = self.directory / f"{name}.kubeconfig"
        credential = self.authority.issue_client(name)
        write_kubeconfig(path, server=self.server.url, authority=self.authority, credential=credential)
        return await connect(kubeconfig=path)


@pytest.fixture(scope="session")
def authority(tmp_path_factory) -> Authority:
    """Issues the certificates of all API servers of a run."""
    return Authority.create(tmp_path_factory.mktemp("pki"))


@pytest.fixture
async def control(authority, tmp_path):
    """An API server on a port of its own."""
    config = ApiServerConfig(host="127.0.0.1", port=0, directory=tmp_path, service_cidr="127.255.128.0/17")
    server = ApiServer(config, authority)
    await server.start()
    kubeconfig = tmp_path / "kubeconfig"
    credential = authority.issue_client("admin", ["system:masters"])
    write_kubeconfig(kubeconfig, server=server.url, authority=authority, credential=credential)
    async with await connect(kubeconfig=kubeconfig) as cluster:
        yield Control(server, authority, tmp_path, cluster)
    await server.stop()


@pytest.fixture
async def on_cluster(control):
    """A context on that API server."""
    made = Recorder(control.cluster)
    yield made
    await made.close()
