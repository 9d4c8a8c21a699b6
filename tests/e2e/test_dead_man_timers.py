"""Faults end by themselves after Seatrial was killed, in pods and on machines; before that, clean-up ends them."""

import asyncio
import json
import signal

import pytest

from seatrial.kube.client import connect
from seatrial.remote.sandbox import SandboxExecutor
from seatrial.sandbox.leftovers import MARKER
from seatrial.testing import sandbox_cluster
from tests.e2e.conftest import EXAMPLES, events
from tests.processes import processes_that_mention, said_of

SECONDS = 2
MEND = "rm -f {mark}; echo mended >> {mark}.log"
UNTIL_MENDED = "until [ -e {mark}.log ]; do sleep 0.2; done; cat {mark}.log; ls {mark}"


@pytest.fixture(scope="module")
def runner():
    """A loop for what the tests ask the cluster by themselves."""
    with asyncio.Runner() as made:
        yield made


@pytest.fixture(scope="module")
def cluster(runner):
    """A sandbox of one machine and one pod."""
    block = sandbox_cluster(nodes=1, load=[EXAMPLES / "manifests" / "notes.yml"])
    yield runner.run(block.__aenter__())
    runner.run(block.__aexit__(None, None, None))


@pytest.fixture(params=["exec", "execute"])
def place(request, cluster, runner):
    """Where a fault is: in a pod, or on a machine."""
    return Place(request.param, cluster.kubeconfig, runner)


class Place:
    def __init__(self, action, kubeconfig, runner):
        self.action = action
        self.mark = "/tmp/broken" if action == "exec" else "broken"
        self._kubeconfig = kubeconfig
        self._runner = runner

    def policy(self, path, *, expires_after):
        """A policy with the fault, and then a long wait."""
        mend = MEND.format(mark=self.mark)
        said = {"expiresAfter": expires_after}
        if self.action == "exec":
            action = {"exec": {"command": ["touch", self.mark], "undo": ["sh", "-c", mend], **said}}
            matches = [{"statefulSet": {"name": "notes", "namespace": "default"}}]
            step = {"podAction": {"matches": matches, "actions": [action]}}
        else:
            action = {"execute": {"cmd": f"touch {self.mark}", "undo": mend, **said}}
            matches = [{"property": {"name": "name", "value": "node1$"}}]
            step = {"nodeAction": {"matches": matches, "actions": [action]}}
        scenario = {"name": "a fault", "steps": [step, {"wait": {"seconds": 3600}}]}
        path.write_text(json.dumps({"config": {"runStrategy": {"runs": 1}}, "scenarios": [scenario]}))
        return path

    def run(self, command):
        """Run a shell command there by a connection of its own; answers what it printed."""
        return self._runner.run(self._run(command))

    async def _run(self, command):
        async with await connect(kubeconfig=self._kubeconfig) as client:
            if self.action == "execute":
                return (await SandboxExecutor(client).run("node1", command, timeout_seconds=100)).output
            words = ["sh", "-c", command]
            result = await client.exec("notes-0", namespace="default", command=words, timeout_seconds=100)
            return (result.stdout + result.stderr).decode()

    def forget(self):
        self.run(f"rm -f {self.mark} {self.mark}.log")


def timers_of(cluster):
    """All timers on the machines of this sandbox: the test of another may have some at the same time."""
    said = [said_of(each) for each in processes_that_mention(f"{MARKER}={cluster.record.sandbox_id}")]
    return [each for each in said if "seatrial-timer-" in each]


def until_done(started):
    """Read what a run logs until its fault is there; answers the events so far."""
    seen = []
    for event in events(started):
        seen.append(event)
        if event["event"] in {"pod_command_executed", "command_executed"}:
            break
    return seen


@pytest.fixture
def arguments(place, tmp_path):
    """Starts a run with that fault."""

    def of(expires_after):
        policy = place.policy(tmp_path / "policy.yml", expires_after=expires_after)
        return ("autonomous", "--policy-file", policy, "--log-format", "json")

    yield of
    place.forget()


def test_after_sigkill_the_fault_ends_by_itself(on_cluster, cluster, place, arguments):
    """No Seatrial is there any more, and the fault goes; a recovery later is safe and leaves no timer."""
    killed = on_cluster.start(*arguments(SECONDS))
    seen = until_done(killed)
    killed.send_signal(signal.SIGKILL)
    killed.wait(timeout=60)
    assert [event["seconds"] for event in seen if event["event"] == "timer_armed"] == [SECONDS]
    assert seen[-1]["exit_code"] == 0
    mended, _, missing = place.run(UNTIL_MENDED.format(mark=place.mark)).partition("\n")
    assert mended == "mended"
    assert "No such file" in missing
    recovered = on_cluster.run("recover")
    assert recovered.returncode == 0, recovered.stdout + recovered.stderr
    assert timers_of(cluster) == []
    assert place.run(f"cat {place.mark}.log") == "mended\nmended\n"


def test_clean_up_ends_the_fault_and_disarms_the_timer(on_cluster, cluster, place, arguments):
    """Interrupted long before its time: undone once, and no timer is left that could fire later."""
    started = on_cluster.start(*arguments(3600))
    until_done(started)
    assert len(timers_of(cluster)) == 1
    started.send_signal(signal.SIGINT)
    rest = list(events(started))
    assert started.wait(timeout=100) == 130
    assert [event for event in rest if event["event"] in {"undo_failed", "proof_missing"}] == []
    assert timers_of(cluster) == []
    assert place.run(f"cat {place.mark}.log; ls {place.mark}").startswith("mended\nls: ")


def test_after_sigkill_a_recovery_before_its_time_disarms_the_timer(on_cluster, cluster, place, arguments):
    """Another process finishes the clean-up from the journal, timer included."""
    killed = on_cluster.start(*arguments(3600))
    until_done(killed)
    killed.send_signal(signal.SIGKILL)
    killed.wait(timeout=60)
    assert len(timers_of(cluster)) == 1
    recovered = on_cluster.run("recover")
    assert recovered.returncode == 0, recovered.stdout + recovered.stderr
    assert timers_of(cluster) == []
    assert place.run(f"cat {place.mark}.log") == "mended\n"


def test_the_example_passes_and_leaves_nothing(on_cluster, cluster):
    """Both faults are undone at clean-up; neither timer is left."""
    done = on_cluster.run("autonomous", "--policy-file", EXAMPLES / "ends-by-itself.yml", "--log-format", "json")
    assert done.returncode == 0, done.stderr
    logged = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert logged.count("timer_armed") == logged.count("undo_done") == 2
    assert timers_of(cluster) == []
