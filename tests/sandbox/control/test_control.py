"""Breaking a whole sandbox on purpose: machines, components, partitions, the API server."""

import asyncio
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from seatrial.sandbox.client import SandboxClient
from seatrial.sandbox.cluster_config import ClusterConfig
from seatrial.sandbox.leftovers import processes_of
from seatrial.sandbox.owner import Sandbox, start_sandbox
from seatrial.sandbox.timing import SANDBOX
from tests.programs import Process
from tests.sandbox.cluster.sandboxes import Kubectl, assert_nothing_left

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      topologySpreadConstraints:
      - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule,
         labelSelector: {matchLabels: {app: web}}}
      containers: [{name: web, image: nginx, ports: [{containerPort: 8080}]}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 8080}]}
"""


class Box:
    """A sandbox of four nodes in four zones, whose dead nodes are noticed in a second, and its commands."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.kubectl = Kubectl(sandbox)

    def __call__(self, *arguments: str) -> str:
        """Run `seatrial sandbox ...` and answer what it prints."""
        state = self.sandbox.directory.parent.parent
        command = ["sandbox", *arguments, "--name", "box", "--state-dir", str(state)]
        with Process(command, environ=os.environ) as process:
            output, errors = process.communicate(timeout=60)
            assert process.wait() == 0, errors
        return output

    def states(self) -> dict[str, str]:
        """The state of each machine."""
        return {each["name"]: each["state"] for each in json.loads(self("machine", "list", "-o", "json"))}

    def wait(self, condition: str, *what: str) -> None:
        """Wait for a condition of an object."""
        self.kubectl("wait", f"--for={condition}", *what, "--timeout=50s")

    def pods(self, **fields: str) -> list[str]:
        """The names of the pods of `web` with these fields."""
        selector = ",".join(f"{key.replace('_', '.')}={value}" for key, value in fields.items())
        return self.kubectl("get", "pods", "-l", "app=web", "--field-selector", selector, "-o", "name").split()

    def processes_on(self, node: str) -> list[int]:
        """The processes of a machine."""
        machine = str(self.sandbox.directory / "machines" / node)
        return [pid for pid in processes_of(self.sandbox.record.sandbox_id) if machine in _files_of(pid)]


def _files_of(pid: int) -> str:
    try:
        environ = Path(f"/proc/{pid}/environ").read_text(errors="replace")
        return environ + Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """The sandbox, with a Deployment of one pod on each node."""
    directory = tmp_path_factory.mktemp("state") / "sandboxes" / "box"
    owned = start_sandbox(ClusterConfig(name="box", directory=directory, timing=SANDBOX.scaled(0.1)))
    box = Box(owned.sandbox)
    box.kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    box.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    yield box
    owned.close()
    assert_nothing_left(owned.sandbox.record.sandbox_id, server=owned.sandbox.record.server, directory=directory)


@pytest.fixture(autouse=True)
def mended(box: Box) -> Iterator[None]:
    """Everything works again after each test."""
    yield
    asyncio.run(_mend(box.sandbox))
    box.wait("condition=Ready", "nodes", "--all")
    box.kubectl("rollout", "status", "deployment/web", "--timeout=30s")


async def _mend(sandbox: Sandbox) -> None:
    async with SandboxClient(sandbox.kubeconfig) as client:
        await client.ask("PUT", "/sandbox/v1/disturbance", {})
        await client.ask("DELETE", "/sandbox/v1/partitions")
        for node in ("node1", "node2", "node3", "node4"):
            await client.ask("POST", f"/sandbox/v1/machines/{node}/start")
        for part in ("controller-manager", "scheduler", "kube-proxy", "kubelet:node2"):
            await client.ask("POST", f"/sandbox/v1/components/{part}/start")


def test_a_stopped_machine_is_gone_with_all_on_it(box: Box) -> None:
    """Its node is NotReady after the grace period and its pod is replaced; started, it is Ready again."""
    (pod,) = box.pods(spec_nodeName="node2")
    with ThreadPoolExecutor() as pool:
        # Watched from before the fault on: where programs start slowly, it has been evicted before the next one does.
        unready = pool.submit(box.wait, "condition=Ready=False", pod)
        assert box("machine", "stop", "node2") == "node2 is stopped\n"
        unready.result()
    assert box.states() == {"node1": "running", "node2": "stopped", "node3": "running", "node4": "running"}
    box.wait("condition=Ready=Unknown", "node/node2")
    assert box("machine", "start", "node2") == "node2 is running\n"
    box.wait("condition=Ready", "node/node2")


def test_a_machine_comes_back_with_its_pods(box: Box) -> None:
    """A reboot shorter than the grace period starts the containers anew: the pod stays, restarted."""
    (pod,) = box.pods(spec_nodeName="node3")
    box("machine", "reboot", "node3")
    box.wait("jsonpath={.status.containerStatuses[0].restartCount}=1", pod)
    box.wait("condition=Ready", pod)


def test_a_zone_is_stopped_as_a_whole(box: Box) -> None:
    """All machines of the zone, and no other."""
    box("machine", "stop", "--zone", "west-2")
    assert [name for name, state in box.states().items() if state == "stopped"] == ["node2"]


def test_a_paused_machine_looks_gone_and_comes_back_with_stale_pods(box: Box) -> None:
    """Its heartbeats end and its processes stand still; when it goes on, they go on where they were."""
    assert box("machine", "pause", "node4") == "node4 is paused\n"
    box.wait("condition=Ready=Unknown", "node/node4")
    assert box.states()["node4"] == "paused"
    box("machine", "start", "node4")
    box.wait("condition=Ready", "node/node4")


def test_a_paused_machine_can_be_stopped(box: Box) -> None:
    """Nothing of it is left, though it was frozen."""
    box("machine", "pause", "node4")
    box("machine", "stop", "node4")
    assert box.states()["node4"] == "stopped"
    assert box.processes_on("node4") == []


def test_without_the_controller_manager_nothing_is_replaced(box: Box) -> None:
    """A deleted pod is missed until it runs again."""
    box("component", "stop", "controller-manager")
    before = box.pods()
    box.kubectl("delete", before[0], "--force", "--grace-period=0")
    box.kubectl("scale", "deployment/web", "--replicas=4")
    assert set(box.pods()) == set(before[1:])
    box("component", "start", "controller-manager")
    box.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    box.wait("jsonpath={.status.readyReplicas}=4", "deployment/web")


def test_without_the_scheduler_nothing_is_placed(box: Box) -> None:
    """A new pod stays Pending, without a node."""
    box("component", "stop", "scheduler")
    box.kubectl("run", "unplaced", "--image=nginx")
    box.wait("jsonpath={.status.phase}=Pending", "pod/unplaced")
    assert box.kubectl("get", "pod", "unplaced", "-o", "jsonpath={.spec.nodeName}") == ""
    box("component", "start", "scheduler")
    box.wait("condition=Ready", "pod/unplaced")
    box.kubectl("delete", "pod", "unplaced", "--now")


def test_a_stopped_kubelet_leaves_its_containers_running(box: Box) -> None:
    """The node falls silent; the pod's process is the same when the kubelet is back."""
    (pod,) = box.pods(spec_nodeName="node2")
    before = box.kubectl("get", pod, "-o", "jsonpath={.status.containerStatuses[0].containerID}")
    box("component", "stop", "kubelet:node2")
    assert "kubelet:node2        stopped" in box("component", "list")
    box.wait("condition=Ready=Unknown", "node/node2")
    box("component", "start", "kubelet:node2")
    box.wait("condition=Ready", "node/node2")
    names = box.pods(spec_nodeName="node2")
    if pod in names:
        assert box.kubectl("get", pod, "-o", "jsonpath={.status.containerStatuses[0].containerID}") == before


def test_nodes_parted_from_the_control_plane_are_not_heard(box: Box) -> None:
    """The control plane stands in the first zone: the other zone's node is NotReady until the network is healed."""
    said = box("partition", "--zone", "west-1", "--from", "east-1")
    assert said == "west-1 can't reach east-1\nThe control plane stands in west-1.\n"
    box.wait("condition=Ready=Unknown", "node/node3")
    assert box.kubectl("get", "node", "node4", "-o", "jsonpath={.status.conditions[?(@.type=='Ready')].status}") == (
        "True"
    )
    assert box("partition", "--heal") == "healed: west-1 can't reach east-1\n"
    box.wait("condition=Ready", "node/node3")


def test_pods_of_parted_zones_do_not_hear_each_other(box: Box) -> None:
    """By a pod's address and through the Service's: silence, as if what is sent were lost; others are reached."""
    pods = {pod["spec"]["nodeName"]: pod for pod in box.kubectl.json("get", "pods", "-l", "app=web")["items"]}
    caller = pods["node2"]["metadata"]["name"]

    def call(node: str) -> bool:
        address = pods[node]["status"]["podIP"]
        done = box.kubectl.start("exec", caller, "--", "wget", "-T", "1", "-qO-", f"http://{address}/")
        return "nginx" in done.communicate(timeout=30)[0]

    assert call("node3")
    box("partition", "--zone", "west-2", "--from", "east-1")
    assert not call("node3")
    assert call("node4")
    box("partition", "--heal", "--zone", "east-1")
    assert call("node3")


def test_requests_are_slowed(box: Box) -> None:
    """Each request takes the latency; the control's own don't."""
    box("api", "--latency", "400ms")
    began = time.monotonic()
    box.kubectl("get", "--raw", "/version")
    assert time.monotonic() - began > 0.4
    assert box("api") == "Requests: 400 ms of latency.\n"
    assert box("api", "--clear") == "Requests are left alone.\n"


def test_requests_fail(box: Box) -> None:
    """Those that fail are answered as asked."""
    box("api", "--error-rate", "1", "--error-status", "503")
    with pytest.raises(AssertionError, match="unable to handle the request"):
        box.kubectl("get", "--raw", "/version")
