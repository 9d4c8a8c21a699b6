"""Commands on machines through pods, by the whole program on a sandbox: nothing is left, whatever becomes of it."""

import asyncio
import json
import signal

import pytest

from seatrial.kube.client import connect
from seatrial.kube.objects import Pod
from seatrial.kube.resources import PODS
from seatrial.remote.sandbox import SandboxExecutor
from seatrial.testing import sandbox_cluster
from tests.e2e.conftest import EXAMPLES, events

SHELL_PODS = "app.kubernetes.io/component=node-shell"


@pytest.fixture(scope="module")
def runner():
    """A loop for what the tests ask the cluster by themselves."""
    with asyncio.Runner() as made:
        yield made


@pytest.fixture(scope="module")
def cluster(runner):
    """Four machines, of which one is in the zone of the example."""
    block = sandbox_cluster()
    yield runner.run(block.__aenter__())
    runner.run(block.__aexit__(None, None, None))


class There:
    """What is on the cluster and its machines, seen by another way than Seatrial's run takes."""

    def __init__(self, runner, kubeconfig):
        self._runner = runner
        self._kubeconfig = kubeconfig

    def pods(self):
        return self._runner.run(self._pods())

    def delete_pods(self):
        self._runner.run(self._pods(delete=True))

    def run(self, command):
        return self._runner.run(self._run(command))

    async def _pods(self, *, delete=False):
        async with await connect(kubeconfig=self._kubeconfig) as client:
            listed = await client.list(PODS, namespace="kube-system", label_selector=SHELL_PODS, type=Pod)
            for pod in listed.items if delete else ():
                await client.delete(PODS, pod.metadata.name, namespace="kube-system", grace_period_seconds=0)
            return [pod.spec.node_name for pod in listed.items]

    async def _run(self, command):
        async with await connect(kubeconfig=self._kubeconfig) as client:
            return (await SandboxExecutor(client).run("node1", command, timeout_seconds=100)).output


@pytest.fixture
def there(runner, cluster):
    return There(runner, cluster.kubeconfig)


@pytest.fixture
def killed(on_cluster, there, tmp_path):
    """A run that was killed when its command had made a file on node1's machine."""

    def of(**given):
        mend = "rm -f broken; echo mended >> broken.log"
        action = {"execute": {"cmd": "touch broken", "undo": mend, **given}}
        matches = [{"property": {"name": "name", "value": "node1$"}}]
        steps = [{"nodeAction": {"matches": matches, "actions": [action]}}, {"wait": {"seconds": 3600}}]
        policy = tmp_path / "policy.yml"
        scenarios = [{"name": "a fault", "steps": steps}]
        policy.write_text(json.dumps({"config": {"runStrategy": {"runs": 1}}, "scenarios": scenarios}))
        options = ("--execution-mode", "node-shell", "--log-format", "json")
        started = on_cluster.start("autonomous", "--policy-file", policy, *options)
        assert any(event["event"] == "command_executed" and event["exit_code"] == 0 for event in events(started))
        started.send_signal(signal.SIGKILL)
        started.wait(timeout=60)
        assert there.pods() == ["node1"]

    yield of
    there.run("rm -f broken broken.log")


def test_a_run_leaves_no_pod_behind(on_cluster, there):
    """The pod is deleted after the undos that needed it."""
    options = ("--execution-mode", "node-shell", "--log-format", "json")
    done = on_cluster.run("autonomous", "--policy-file", EXAMPLES / "node-command.yml", *options)
    assert done.returncode == 0, done.stderr
    logged = [json.loads(line) for line in done.stderr.splitlines()]
    undone = [event["description"] for event in logged if event["event"] == "undo_done"]
    assert [text.partition(" node")[0] for text in undone] == ["run on", "delete the pod for commands on"]
    assert there.pods() == []


def test_recovery_uses_the_pod_of_the_run_that_died_and_deletes_it(on_cluster, there, killed):
    """It runs what undoes the fault, and nothing is left of either."""
    killed()
    assert there.run("ls broken") == "broken\n"
    recovered = on_cluster.run("recover")
    assert recovered.returncode == 0, recovered.stdout + recovered.stderr
    assert there.run("cat broken.log; ls broken 2>&1").startswith("mended\nls: ")
    assert there.pods() == []


def test_recovery_makes_a_pod_anew_where_it_is_gone(on_cluster, there, killed):
    """Its end had come, or somebody deleted it; the new one does not stay, either."""
    killed()
    there.delete_pods()
    recovered = on_cluster.run("recover")
    assert recovered.returncode == 0, recovered.stdout + recovered.stderr
    assert there.run("cat broken.log; ls broken 2>&1").startswith("mended\nls: ")
    assert there.pods() == []


def test_a_timer_outlives_seatrial_and_the_pod(on_cluster, there, killed):
    """The fault ends by itself, where nothing is left that could end it."""
    killed(expiresAfter=4)
    there.delete_pods()
    assert there.run("until [ -e broken.log ]; do sleep 0.1; done; cat broken.log") == "mended\n"
    recovered = on_cluster.run("recover")
    assert recovered.returncode == 0, recovered.stdout + recovered.stderr
    assert there.pods() == []


def test_a_plan_names_the_pods(on_cluster, there):
    """A privileged pod is no small thing; planning makes none."""
    planned = on_cluster.run("plan", EXAMPLES / "node-command.yml", "--execution-mode", "node-shell")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    said = " ".join(planned.stdout.split())
    assert "make a privileged pod on node node3 for commands, and delete it at clean-up" in said
    assert there.pods() == []


def test_a_plan_says_what_keeps_commands_from_machines(on_cluster):
    """A namespace that is not there, before anything is touched; the flags say which, and name the way."""
    options = ("--execution-mode", "node-shell", "--node-shell-namespace", "shells")
    planned = on_cluster.run("plan", EXAMPLES / "node-command.yml", *options)
    assert planned.returncode == 3, planned.stdout + planned.stderr
    assert 'namespaces "shells" not found' in " ".join(planned.stdout.split())
