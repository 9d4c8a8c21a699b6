"""Each process of a running sandbox is killed or stopped in its turn: what Kubernetes would make of it happens."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from seatrial.sandbox.client import SandboxClient
from tests.faults.sandbox.bodies import Body, stopped, until

pytestmark = pytest.mark.timeout(180)

_LONGER_THAN_GRACE_SECONDS = 4
_PODS = """
apiVersion: v1
kind: Pod
metadata: {name: pair}
spec:
  nodeName: node1
  terminationGracePeriodSeconds: 0
  tolerations: [{operator: Exists}]
  containers:
  - {name: first, image: busybox, command: [sh, -c, "sleep 1000 & while true; do wait; sleep 1; done"]}
  - {name: second, image: busybox, command: [sleep, "1000"]}
---
apiVersion: v1
kind: Pod
metadata: {name: probed}
spec:
  nodeName: node1
  terminationGracePeriodSeconds: 0
  tolerations: [{operator: Exists}]
  containers:
  - name: web
    image: nginx
    ports: [{containerPort: 8080}]
    livenessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 2}
---
apiVersion: v1
kind: Pod
metadata: {name: distant}
spec:
  nodeName: node2
  tolerations: [{operator: Exists}]
  containers: [{name: c, image: busybox, command: [sleep, "1000"]}]
"""


@pytest.fixture(autouse=True)
def pods(body: Body) -> Iterator[None]:
    """Pods to be hurt; everything works again afterwards."""
    body.kubectl("apply", "-f", "-", stdin=_PODS)
    body.wait("condition=Ready", "pod/pair", "pod/probed", "pod/distant")
    yield
    asyncio.run(_start_machines(body))
    body.wait("condition=Ready", "nodes", "--all")
    body.kubectl("delete", "pods", "--all", "--grace-period=0", "--force")


async def _start_machines(body: Body) -> None:
    async with SandboxClient(body.sandbox.kubeconfig) as client:
        for node in ("node1", "node2"):
            await client.ask("POST", f"/sandbox/v1/machines/{node}/start")


def _statuses(body: Body, pod: str) -> dict[str, Any]:
    found = body.kubectl.json("get", "pod", pod)["status"]["containerStatuses"]
    return {each["name"]: each for each in found}


def test_a_killed_kubelet_comes_back_and_its_pods_do_not_notice(body: Body) -> None:
    """A kubelet that is killed is started again by its machine; the containers go on as the same processes."""
    before, container = body.kubelet("node1"), body.container("pair", "first")
    os.kill(before, signal.SIGKILL)
    assert until(lambda: (pid := body.kubelet("node1")) != before and pid)
    body.wait("condition=Ready", "node/node1")
    assert body.container("pair", "first") == container
    assert _statuses(body, "pair")["first"]["restartCount"] == 0
    assert body.kubectl("exec", "pair", "-c", "second", "--", "echo", "here") == "here\n"


def test_all_kubelets_killed_at_once_come_back(body: Body) -> None:
    """Kubelets that are killed again and again, all at once, are back afterwards, and so is exec."""
    for _ in range(3):
        for node in ("node1", "node2"):
            with contextlib.suppress(ProcessLookupError):  # the one that was killed before may still be named
                os.kill(body.kubelet(node), signal.SIGKILL)
    body.wait("condition=Ready", "nodes", "--all")
    for pod in ("pair", "distant"):
        assert until(lambda name=pod: body.kubectl("exec", name, "--", "echo", "here")) == "here\n"


def test_a_killed_container_is_restarted_alone(body: Body) -> None:
    """A container whose main process is killed ended with 137 and runs again; the other one of its pod goes on."""
    other = body.container("pair", "second")
    os.kill(body.container("pair", "first"), signal.SIGKILL)
    status = until(lambda: (found := _statuses(body, "pair")["first"])["restartCount"] == 1 and found)
    assert status["lastState"]["terminated"]["exitCode"] == 137
    assert body.container("pair", "second") == other


def test_a_killed_child_is_its_containers_own_affair(body: Body) -> None:
    """A child of a container's main process may be killed: the container runs on, and was not restarted."""
    main = psutil.Process(body.container("pair", "first"))
    child = until(main.children)[0]
    child.kill()
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    assert main.is_running()
    assert body.kubectl("exec", "pair", "-c", "first", "--", "echo", "here") == "here\n"
    assert body.restarts("pair") == 0


def test_a_stopped_container_fails_its_liveness_probe(body: Body) -> None:
    """A main process that is stopped answers no probe: its container is killed and started again."""
    with stopped(body.container("probed")):
        until(lambda: body.restarts("probed") >= 1)
    body.wait("condition=Ready", "pod/probed")


def test_a_killed_machine_is_a_dead_node(body: Body) -> None:
    """Whichever of a machine's two processes is killed, all on it is gone and its node unreachable until it starts."""
    for find in (body.machine, body.switch):
        doomed = [psutil.Process(each) for each in (body.kubelet("node2"), body.container("distant"))]
        os.kill(find("node2"), signal.SIGKILL)
        assert psutil.wait_procs(doomed, timeout=30)[1] == []
        body.wait("condition=Ready=Unknown", "node/node2")
        asyncio.run(_start_machines(body))
        body.wait("condition=Ready", "node/node2")
        body.wait("condition=Ready", "pod/distant")


def test_a_stopped_kubelet_is_a_silent_node(body: Body) -> None:
    """A kubelet that is stopped lets its node become unreachable while its containers run; it comes back by itself."""
    container = body.container("distant")
    with stopped(body.kubelet("node2")):
        body.wait("condition=Ready=Unknown", "node/node2")
        assert psutil.Process(container).is_running()
    body.wait("condition=Ready", "node/node2")
    assert body.container("distant") == container


def test_a_stopped_machine_catches_up(body: Body) -> None:
    """A machine whose runtime is stopped for a while still reaps, restarts and answers when it runs again."""
    container = body.container("distant")
    with stopped(body.machine("node2")):
        os.kill(container, signal.SIGKILL)
        body.kubectl("annotate", "pod", "distant", "meanwhile=yes", "--overwrite")
    until(lambda: body.restarts("distant") == 1)
    assert body.kubectl("exec", "distant", "--", "echo", "here") == "here\n"


def test_a_stopped_launcher_holds_up_nobody(body: Body) -> None:
    """While the launcher is stopped the cluster goes on; it hears of what was asked for when it runs again."""
    with stopped(body.launcher):
        os.kill(body.container("pair", "first"), signal.SIGKILL)
        until(lambda: body.restarts("pair") == 1)


def test_a_stopped_main_process_comes_back_as_it_was(body: Body) -> None:
    """A main process that is stopped for longer than nodes may be silent loses no pod and no machine."""
    container = body.container("distant")
    with stopped(body.main):
        time.sleep(_LONGER_THAN_GRACE_SECONDS)  # whoever could tell is stopped
    body.wait("condition=Ready", "nodes", "--all")
    body.wait("condition=Ready", "pod/distant")
    assert body.container("distant") == container
