"""A whole machine against a real API server: power cuts, shutdowns, kubelets that die, logs over HTTPS."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import psutil
import pytest

from seatrial.sandbox.apiserver.server import ApiServer, ApiServerConfig
from seatrial.sandbox.kubelet import control
from seatrial.sandbox.kubelet.machine_config import MachineConfig
from seatrial.sandbox.pki import Authority, Credential
from tests.sandbox.kubelet.conftest import Addresses
from tests.sandbox.kubelet.node_under_test import (
    HOST_MOUNT,
    UP,
    History,
    condition,
    container,
    host_directory,
    is_ready,
    make_pod,
)

_MACHINE_PROCESS = Path(__file__).with_name("machine_process.py")
# A shell with a child, so that killing the main process alone would leave something.
_FAMILY = {"command": ["/bin/sh", "-c", "sleep 1001 & setsid -f sleep 1002; > up; wait"], "readinessProbe": UP}


@dataclass
class MachineUnderTest:
    """A machine, its API server, and what was seen of its pods."""

    config: MachineConfig
    server: ApiServer
    history: History
    authority: Authority
    process: subprocess.Popen[bytes] | None = None
    everything: set[psutil.Process] = field(default_factory=set)

    def power_on(self) -> None:
        """Start the machine."""
        argv = [sys.executable, str(_MACHINE_PROCESS), msgspec.json.encode(self.config, enc_hook=str).decode()]
        self.process = subprocess.Popen(argv)

    @property
    def switch(self) -> psutil.Process:
        """The process that the launcher would have."""
        assert self.process is not None
        return psutil.Process(self.process.pid)

    def processes(self) -> list[psutil.Process]:
        """Everything that runs on the machine."""
        return self.switch.children(recursive=True)

    async def ended(self) -> None:
        """Wait for the end of the machine's first process."""
        assert self.process is not None
        await asyncio.to_thread(self.process.wait, 60)

    async def run(self, pod: dict[str, Any]) -> dict[str, Any]:
        """Create a pod and wait until it is ready."""
        await self.server.api.create("pods", pod, "default")
        return await self.history.wait(pod["metadata"]["name"], is_ready)

    async def node(self, holds: Callable[[dict[str, Any]], bool], *, seconds: float = 60) -> dict[str, Any]:
        """The Node as soon as the condition holds."""
        listed = await self.server.api.list("nodes")
        for item in listed.items:
            if holds(item):
                return item
        async with asyncio.timeout(seconds):
            async for event in self.server.api.watch("nodes", resource_version=listed.resource_version):
                if event.type != "BOOKMARK" and holds(event.object):
                    return event.object
        raise AssertionError("the watch ended")

    async def kubelet_is_back(self) -> None:
        """Wait until the API server has heard of the node's kubelet again."""
        before = await self.server.api.get("leases.coordination.k8s.io", "node1", "kube-node-lease")
        version = before["metadata"]["resourceVersion"]
        async with asyncio.timeout(60):
            async for event in self.server.api.watch(
                "leases.coordination.k8s.io", "kube-node-lease", resource_version=version
            ):
                if event.type == "MODIFIED":
                    return


async def let_connections_end() -> None:
    """Some turns of the loop, in which it notices that the peers of its TLS connections are dead."""
    for _ in range(50):
        await asyncio.sleep(0)


@pytest.fixture
async def machine(
    machine_config: MachineConfig, authority: Authority, addresses: Addresses, short_directory: Path
) -> AsyncIterator[MachineUnderTest]:
    """A machine that is on."""
    config = ApiServerConfig(
        host=addresses.api_server,
        port=6443,
        directory=short_directory / "apiserver",
        service_cidr="127.250.128.0/17",
        admin_token="secret",
    )
    server = ApiServer(config, authority)
    await server.start()
    history = History()
    following = asyncio.create_task(history.follow(server.api, (await server.api.list("pods")).resource_version))
    under_test = MachineUnderTest(machine_config, server, history, authority)
    under_test.power_on()
    try:
        yield under_test
    finally:
        following.cancel()
        if under_test.process is not None:
            # A shutdown waits until everything is gone; a power cut takes a moment longer than its first process.
            under_test.process.terminate()
            await under_test.ended()
        await server.stop()
        await let_connections_end()


@asynccontextmanager
async def kubelet_session(machine: MachineUnderTest, credential: Credential) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of the kubelet's server."""
    import ssl

    context = ssl.create_default_context(cafile=str(machine.authority.ca_file))
    context.load_cert_chain(str(credential.cert_file), str(credential.key_file))
    base = f"https://{machine.config.address}:{machine.config.kubelet_port}"
    async with aiohttp.ClientSession(base, connector=aiohttp.TCPConnector(ssl=context)) as session:
        yield session


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that are still there after some time."""
    return list(psutil.wait_procs(processes, timeout=30)[1])


async def test_a_machine_registers_its_node_and_runs_pods(machine: MachineUnderTest) -> None:
    """From power on to a ready node and a ready pod."""
    node = await machine.node(lambda node: condition(node, "Ready").get("status") == "True")
    assert node["metadata"]["labels"]["topology.kubernetes.io/region"] == "west"
    pod = await machine.run(make_pod())
    assert pod["status"]["hostIP"] == machine.config.address


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_nothing_is_left_of_a_machine_that_is_switched_off(
    machine: MachineUnderTest, number: signal.Signals
) -> None:
    """A power cut and a shutdown take kubelet, containers and their daemons along."""
    await machine.run(make_pod(container=_FAMILY))
    processes = machine.processes()
    names = {" ".join(process.cmdline()[:2]) for process in processes}
    assert {"sleep 1001", "sleep 1002"} <= names
    machine.switch.send_signal(number)
    await machine.ended()
    assert await asyncio.to_thread(alive, processes) == []


async def test_nothing_is_left_when_the_machine_itself_is_killed(machine: MachineUnderTest) -> None:
    """The process below the power switch, too, takes everything along."""
    await machine.run(make_pod(container=_FAMILY))
    processes = machine.processes()
    machine.switch.children()[0].kill()
    await machine.ended()
    assert await asyncio.to_thread(alive, processes) == []


async def test_pods_survive_their_kubelet(machine: MachineUnderTest) -> None:
    """It is restarted, takes them over without a restart, and sees their end."""
    await machine.run(
        make_pod(container={"command": ["/bin/sh", "-c", "echo $$ > up; exec sleep 1000"], "readinessProbe": UP})
    )
    before = await asyncio.to_thread(control.request, machine.config.directory, {"status": {}})
    os.kill(before["kubelet"]["pid"], signal.SIGKILL)
    await machine.kubelet_is_back()
    after = await asyncio.to_thread(control.request, machine.config.directory, {"status": {}})
    assert after["containers"] == before["containers"]
    assert after["kubelet"]["pid"] != before["kubelet"]["pid"]
    os.kill(after["containers"][0]["pid"], signal.SIGKILL)
    await machine.history.wait("web", lambda pod: container(pod)["restartCount"] == 1)
    versions = machine.history.of("web")
    first_ready = next(index for index, pod in enumerate(versions) if is_ready(pod))
    ended = next(index for index, pod in enumerate(versions) if "terminated" in container(pod)["state"])
    assert all(is_ready(pod) for pod in versions[first_ready:ended])


async def test_a_new_kubelet_leaves_what_is_done_alone(machine: MachineUnderTest) -> None:
    """A container that has completed is not run again because the kubelet was."""
    pod = make_pod(restartPolicy="OnFailure")
    pod["spec"]["containers"].append({"name": "done", "image": "busybox:1.36", "command": ["/bin/true"]})
    await machine.server.api.create("pods", pod, "default")
    await machine.history.wait(
        "web", lambda pod: "terminated" in container(pod, "done")["state"] and "running" in container(pod)["state"]
    )
    status = await asyncio.to_thread(control.request, machine.config.directory, {"status": {}})
    os.kill(status["kubelet"]["pid"], signal.SIGKILL)
    await machine.kubelet_is_back()
    os.kill(next(c["pid"] for c in status["containers"] if c["name"] == "c"), signal.SIGKILL)
    again = await machine.history.wait("web", lambda pod: container(pod)["restartCount"] == 1)
    assert container(again, "done")["restartCount"] == 0


async def test_init_containers_run_again_after_a_power_cut(machine: MachineUnderTest) -> None:
    """What they prepared is gone with the machine."""
    init = {"name": "prepare", "image": "busybox:1.36", "command": ["/bin/true"]}
    await machine.run(make_pod(init=(init,)))
    machine.switch.kill()
    await machine.ended()
    machine.power_on()
    again = await machine.history.wait("web", lambda pod: container(pod)["restartCount"] == 1 and is_ready(pod))
    assert container(again, "prepare")["restartCount"] == 1


async def test_a_stopped_kubelet_stays_stopped_while_pods_live(machine: MachineUnderTest) -> None:
    """Over the control socket; what ends meanwhile is known to the next kubelet."""
    # Ready when its trap is set: the kernel keeps from a container's first process what it has no handler for.
    heedful = "trap 'exit 143' TERM; > up; sleep 1000 & wait"
    spec = {"command": ["/bin/sh", "-c", heedful], "readinessProbe": UP}
    await machine.run(make_pod(container=spec, restartPolicy="Never"))
    stopped = await asyncio.to_thread(control.request, machine.config.directory, {"stop": "kubelet"})
    (running,) = stopped["containers"]
    os.kill(running["pid"], signal.SIGTERM)
    status = await asyncio.to_thread(control.request, machine.config.directory, {"status": {}})
    while status["containers"][0]["running"] or status["kubelet"]["state"] != "stopped":
        status = await asyncio.to_thread(control.request, machine.config.directory, {"status": {}})
    assert status["kubelet"]["restarts"] == 0
    await asyncio.to_thread(control.request, machine.config.directory, {"start": "kubelet"})
    pod = await machine.history.wait("web", lambda pod: pod["status"]["phase"] == "Failed")
    assert container(pod)["state"]["terminated"]["exitCode"] == 143


async def test_after_a_power_cut_pods_start_again(machine: MachineUnderTest) -> None:
    """Their containers are lost (255, Unknown) and restarted, with another address and an event."""
    first = await machine.run(make_pod())
    machine.switch.kill()
    await machine.ended()
    machine.power_on()
    again = await machine.history.wait("web", lambda pod: container(pod)["restartCount"] == 1 and is_ready(pod))
    lost = container(again)["lastState"]["terminated"]
    assert (lost["exitCode"], lost["reason"]) == (255, "Unknown")
    assert lost["containerID"] == container(first)["containerID"]
    events = (await machine.server.api.list("events", "default")).items
    assert "SandboxChanged" in {event["reason"] for event in events}


async def test_a_pod_that_was_deleted_while_its_machine_was_off_is_finished(machine: MachineUnderTest) -> None:
    """It hangs in Terminating until the machine is back."""
    await machine.run(make_pod())
    machine.switch.kill()
    await machine.ended()
    await machine.server.api.delete("pods", "web", "default")
    machine.power_on()
    await machine.history.wait_gone("web")


async def test_containers_of_pods_that_vanished_meanwhile_are_killed(machine: MachineUnderTest) -> None:
    """A force-deleted pod must not live on because no kubelet was there to hear of it."""
    await machine.run(make_pod())
    status = await asyncio.to_thread(control.request, machine.config.directory, {"stop": "kubelet"})
    await machine.server.api.delete("pods", "web", "default", grace_period_seconds=0)
    (running,) = status["containers"]
    process = psutil.Process(running["pid"])
    await asyncio.to_thread(control.request, machine.config.directory, {"start": "kubelet"})
    assert await asyncio.to_thread(alive, [process]) == []


async def test_the_control_socket_is_for_its_owner_alone(machine: MachineUnderTest) -> None:
    """Mode 0600; nonsense is answered with an error."""
    await machine.run(make_pod())
    mode = (machine.config.directory / control.SOCKET_NAME).stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    answer = await asyncio.to_thread(control.request, machine.config.directory, {"explode": "now"})
    assert "a request is" in answer["error"]


async def test_logs_are_served_to_the_api_server_alone(machine: MachineUnderTest) -> None:
    """Text without the CRI's fields; tail and timestamps; nothing for a node or an unknown container."""
    script = "echo one; echo two; > up; exec sleep 1000"
    await machine.run(make_pod(container={"command": ["/bin/sh", "-c", script], "readinessProbe": UP}))
    path = "/containerLogs/default/web/c"
    async with kubelet_session(machine, machine.authority.issue_client("admin", ["system:masters"])) as admin:
        async with admin.get(path) as response:
            assert await response.text() == "one\ntwo\n"
        async with admin.get(path, params={"tailLines": "1", "timestamps": "true"}) as response:
            (stamp, text) = (await response.text()).split(" ")
            assert (len(stamp), text) == (30, "two\n")
        async with admin.get("/containerLogs/default/web/nope") as response:
            assert response.status == 400
        async with admin.get("/healthz") as response:
            assert await response.text() == "ok"
    async with (
        kubelet_session(machine, machine.authority.issue_client("system:node:node2", ["system:nodes"])) as node,
        node.get(path) as response,
    ):
        assert response.status == 403


async def test_a_followed_log_ends_with_its_container(machine: MachineUnderTest) -> None:
    """Lines arrive as they are written, the answer ends when the container does."""
    script = 'echo one; > up; until test -e "$SEATRIAL_ROOTFS/host/go"; do sleep 0.01; done; echo two'
    spec = {"command": ["/bin/sh", "-c", script], "readinessProbe": UP, **HOST_MOUNT}
    directory = machine.config.directory / "host"
    await machine.run(make_pod(container=spec, restartPolicy="Never", **host_directory(directory)))
    path = "/containerLogs/default/web/c"
    async with (
        kubelet_session(machine, machine.authority.issue_client("admin", ["system:masters"])) as admin,
        admin.get(path, params={"follow": "true"}) as response,
    ):
        assert await response.content.readline() == b"one\n"
        (directory / "go").touch()
        async with asyncio.timeout(60):
            assert await response.content.read() == b"two\n"


async def test_the_log_of_the_life_before_can_be_read(machine: MachineUnderTest) -> None:
    """`kubectl logs --previous`."""
    script = 'again="$SEATRIAL_ROOTFS/host/again"; test -e "$again" && { echo second; > up; exec sleep 1000; }; '
    script += '> "$again"; echo first; exit 1'
    spec = {"command": ["/bin/sh", "-c", script], "readinessProbe": UP, **HOST_MOUNT}
    await machine.run(make_pod(container=spec, **host_directory(machine.config.directory / "host")))
    async with kubelet_session(machine, machine.authority.issue_client("admin", ["system:masters"])) as admin:
        async with admin.get("/containerLogs/default/web/c", params={"previous": "true"}) as response:
            assert await response.text() == "first\n"
        async with admin.get("/containerLogs/default/web/c") as response:
            assert await response.text() == "second\n"
