import json
import signal

import pytest

from seatrial.kube.client import connect
from seatrial.kube.objects import Deployment, PartialObject
from seatrial.kube.resources import DEPLOYMENTS
from tests.e2e.conftest import EXAMPLES, events

GOLDPINGER = ("--load", EXAMPLES / "manifests" / "goldpinger.yml")
WAITING = """
config: {runStrategy: {runs: 1}}
scenarios:
- name: waits long
  steps:
  - wait: {seconds: 600}
"""
KILL = """
config: {runStrategy: {runs: 1}}
scenarios:
- name: kill some
  steps:
  - podAction:
      matches: [{labels: {selector: "%s", namespace: "%s"}}]
      filters: [{randomSample: {size: 2}}]
      actions: [{kill: {force: true}}]
"""


@pytest.fixture
def policy(tmp_path):
    def write(text):
        path = tmp_path / "policy.yml"
        path.write_text(text)
        return path

    return write


async def names(cluster, kind):
    """The names of all objects of a kind in the default namespace."""
    async with await connect(kubeconfig=cluster.kubeconfig) as client:
        found = await client.list(await client.discover(kind), namespace="default", type=PartialObject)
        return sorted(each.metadata.name for each in found.items)


async def make_deployment(cluster, name, *, replicas):
    """A Deployment whose pods are Ready."""
    labels = {"app": name}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "c", "image": "registry.k8s.io/pause:3.10"}]},
    }
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    async with await connect(kubeconfig=cluster.kubeconfig) as client:
        await client.create(DEPLOYMENTS, {"metadata": {"name": name, "namespace": "default"}, "spec": spec})
        selector = f"metadata.name={name}"
        async with client.watch(DEPLOYMENTS, namespace="default", field_selector=selector, type=Deployment) as watch:
            async for event in watch:
                if event.object.status.ready_replicas == replicas:
                    break


async def test_a_plan_names_the_victims_of_the_run_that_follows(on_cluster, policy, cluster):
    """`seatrial plan --seed N`, then `seatrial autonomous --seed N`: exactly these pods."""
    path = policy(KILL % ("app=planned", "default"))
    await make_deployment(cluster, "planned", replicas=5)
    planned = json.loads(on_cluster.run("plan", path, "--seed", 11, "--output", "json").stdout)
    [step] = planned["scenarios"][0]["steps"]
    done = on_cluster.run("autonomous", "--policy-file", path, "--seed", 11, "--output", "json")
    assert done.returncode == 0, done.stderr
    victims = json.loads(done.stdout)["pods"]["victims"]
    assert sorted(f"{pod['namespace']}/{pod['name']}" for pod in step["victims"]) == sorted(victims)
    assert step["owners"][0]["ready"] == 5
    async with await connect(kubeconfig=cluster.kubeconfig) as client:
        await client.delete(DEPLOYMENTS, "planned", namespace="default")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_stops_the_run_and_takes_back_what_it_loaded(on_cluster, policy, cluster, number):
    """Ctrl-C or SIGTERM in the middle: exit code 130, and the loaded objects are gone."""
    path = policy(WAITING)
    process = on_cluster.start("autonomous", "--policy-file", path, *GOLDPINGER, "--log-format", "json")
    for event in events(process):
        if event["event"] == "step_started":
            process.send_signal(number)
            break
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert await names(cluster, "deployments") == []
    assert await names(cluster, "services") == ["kubernetes"]


async def test_after_sigkill_the_next_run_finishes_the_clean_up(on_cluster, policy, cluster):
    """A run that was killed leaves its objects; the next run on the same state directory takes them back first."""
    path = policy(WAITING)
    process = on_cluster.start("autonomous", "--policy-file", path, *GOLDPINGER, "--log-format", "json")
    for event in events(process):
        if event["event"] == "step_started":
            process.kill()
            break
    process.communicate()
    assert await names(cluster, "deployments") == ["goldpinger"]
    done = on_cluster.run("autonomous", "--policy-file", policy(KILL % ("app=none", "default")))
    assert "undo_done" in done.stderr
    assert await names(cluster, "deployments") == []


@pytest.mark.parametrize(
    ("selector", "namespace", "reason"),
    [("app=none", "default", "no pod matched"), ("app=none", "nowhere", "there is no namespace 'nowhere'")],
)
def test_nothing_to_hit_is_inconclusive(on_cluster, policy, selector, namespace, reason):
    """A selector that matches nothing, a namespace that isn't there: exit code 3, with the reason."""
    done = on_cluster.run("autonomous", "--policy-file", policy(KILL % (selector, namespace)))
    assert done.returncode == 3
    assert reason in " ".join(done.stdout.split())


def test_an_invalid_policy_touches_nothing(on_cluster, policy):
    """All problems at once, exit code 2, before anything is connected to."""
    on_cluster.environ["KUBECONFIG"] = "/nonexistent"
    done = on_cluster.run("autonomous", "--policy-file", policy("scenarios:\n- nam: x\n  step: []\n"))
    assert done.returncode == 2
    assert "policy.yml:2:3" in done.stderr
    assert done.stderr.count("unknown key") == 2


def test_no_cluster_says_what_was_tried(program, policy):
    """Without any kubeconfig: one line with all places, a hint that names --sandbox, exit code 2."""
    done = program.run("autonomous", "--policy-file", policy(WAITING))
    assert done.returncode == 2
    assert "tried: --kubeconfig (not given), KUBECONFIG (not set)" in done.stderr
    assert "--sandbox" in done.stderr


def test_a_cluster_that_does_not_answer_is_inconclusive(program, policy, unused_tcp_port):
    """Nothing listens at the kubeconfig's address: the reason names it, exit code 3, no traceback."""
    kubeconfig = program.state / "kubeconfig"
    kubeconfig.write_text(
        f"""{{"apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{{"name": "c", "cluster": {{"server": "http://127.0.0.1:{unused_tcp_port}"}}}}],
        "users": [{{"name": "u", "user": {{}}}}],
        "contexts": [{{"name": "c", "context": {{"cluster": "c", "user": "u"}}}}]}}"""
    )
    done = program.run("autonomous", "--policy-file", policy(KILL % ("app=x", "default")), "--kubeconfig", kubeconfig)
    assert done.returncode == 3
    assert "connection refused" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_state_directory_that_can_t_be_made_is_said(program, policy):
    """A file in its place: one line, a hint, exit code 3, nothing started."""
    (program.state / "file").write_text("")
    done = program.run(
        "autonomous", "--policy-file", policy(WAITING), "--sandbox", "--state-dir", program.state / "file"
    )
    assert done.returncode in {2, 3}
    assert "file" in done.stderr
    assert "Traceback" not in done.stderr
