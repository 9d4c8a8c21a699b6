"""From a pod to its machine, as people do it with kubectl: never to the computer that the sandbox runs on."""

import asyncio
import subprocess

import pytest
import yaml

from seatrial.kube.client import connect
from seatrial.remote.node_shell import NodeShell
from seatrial.remote.node_shell_pod import ShellSettings
from seatrial.sandbox.owner import Sandbox
from tests.kubectls import kubectls
from tests.sandbox.cluster.sandboxes import Kubectl

ENTER = ("nsenter", "-t", "1", "-m", "-u", "-i", "-n", "-p", "--")


def pod(name, *, host_pid=True, privileged=True, image="busybox:1.36", command=("sleep", "3600")):
    container = {
        "name": "c",
        "image": image,
        "command": list(command),
        "securityContext": {"privileged": privileged},
    }
    spec = {
        "nodeName": "node2", "hostPID": host_pid, "terminationGracePeriodSeconds": 0, "restartPolicy": "Never",
        "containers": [container],
    }  # fmt: skip
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


@pytest.fixture(scope="module", autouse=True)
def pods(kubectl: Kubectl) -> None:
    """The pods of these tests, on node2."""
    made = [
        pod("door"),
        pod("no-host-pids", host_pid=False),
        pod("no-privilege", privileged=False),
        pod("went", command=(*ENTER, "sh", "-c", 'echo "on $NODE_NAME"; sleep 3600')),
    ]
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(made))
    kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=60s")


def run(kubectl, name, *words):
    """Exit code and both outputs of a command in a pod."""
    done = subprocess.run(
        [*kubectl._command, "exec", name, "--", *words], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_exec_leads_to_the_pods_machine(kubectl):
    """It is one of the machine's commands, in the machine's directory, and its exit code comes back."""
    code, output, _ = run(kubectl, "door", *ENTER, "sh", "-c", 'echo "$NODE_NAME $(basename "$PWD")"; exit 3')
    assert (code, output) == (3, "node2 node2\n")


def test_a_container_may_go_there_as_a_whole(kubectl):
    """By its own command; what is run in it then is there, too."""
    assert kubectl("logs", "went") == "on node2\n"
    assert run(kubectl, "went", "sh", "-c", "echo $NODE_NAME")[:2] == (0, "node2\n")


@pytest.mark.parametrize("name", ["no-host-pids", "no-privilege"])
def test_it_takes_privilege_and_the_nodes_processes(kubectl, name):
    """As on a node; the refusal says what leads there."""
    code, output, errors = run(kubectl, name, *ENTER, "true")
    assert (code, output) == (1, "")
    assert "nsenter: refused: in a sandbox it leads from a privileged pod with hostPID" in errors


@pytest.mark.parametrize("words", [("nsenter", "-t", "1", "-n", "true"), ("nsenter", "-t", "7", "-m", "true")])
def test_other_namespaces_and_processes_are_refused(kubectl, words):
    """They are those of the computer."""
    code, _, errors = run(kubectl, "door", *words)
    assert code == 1
    assert "refused" in errors


def test_the_computers_own_nsenter_is_out_of_reach(kubectl):
    """A script that calls it would enter the computer, where the sandbox runs as root."""
    code, output, _ = run(kubectl, "door", "sh", "-c", "nsenter -t 1 -m -- echo entered; echo $?")
    assert code == 0
    assert "entered" not in output
    assert output.strip() in {"1", "126", "127"}


def test_what_a_person_is_told_to_do_works(cluster: Sandbox, kubectl: Kubectl):
    """`kubectl debug` with a privileged profile, as the executor words it."""
    program = next((program for version, program in kubectls().items() if version >= "1.30"), None)
    if program is None:
        pytest.skip("there is no kubectl of 1.30 or later on this machine")

    async def by_hand():
        async with await connect(kubeconfig=cluster.kubeconfig) as client:
            return await NodeShell(client, ShellSettings()).by_hand("node2", 'echo "on  $NODE_NAME"')

    command = asyncio.run(by_hand()).replace("kubectl", f"{program} --kubeconfig {cluster.kubeconfig}", 1)
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "on  node2" in done.stdout
