"""The examples of `kubectl`, `alertManagerAction`, `steadyState` and `abortWhen`, run as users run them."""

import asyncio
import json
import signal
import threading

from seatrial.actions.manifests import Applied, until_ready
from seatrial.kube.client import connect
from seatrial.kube.resources import DEPLOYMENTS, PODS, SERVICES
from tests.e2e.conftest import EXAMPLES, events
from tests.steps.alertmanager_server import AlertmanagerServer

LOADED = ("--load", EXAMPLES / "manifests" / "goldpinger.yml")


def of_text(path, *pairs):
    """A copy of an example beside it, with some of its words replaced."""
    text = path.read_text()
    for before, after in pairs:
        assert before in text, before
        text = text.replace(before, after)
    return text


async def test_an_slo_is_verified_until_somebody_stops_it(on_cluster, cluster, tmp_path):
    """Each round makes the service anew, asks it and deletes it; Ctrl-C ends it, and nothing is left."""
    policy = tmp_path / "slo.yml"
    shorter = [("seconds: 30", "seconds: 1"), ("Runs: 5", "Runs: 0"), ("Runs: 10", "Runs: 0.1")]
    text = of_text(EXAMPLES / "slo-forever.yml", *shorter)
    # On a loaded machine the pod may take longer than the shortened wait.
    policy.write_text(text.replace("endpoint: /healthz", "endpoint: /healthz\n      retries: 100\n      delay: 200"))
    running = on_cluster.start("autonomous", "--policy-file", policy, "--log-format", "json")
    watchdog = threading.Timer(100, running.kill)
    watchdog.start()
    verdicts, made = [], []
    for event in events(running):
        if event["event"] == "object_applied" and event["kind"] == "Pod":
            made.append(event["created"])
        if event["event"] == "scenario_finished":
            verdicts.append(event["verdict"])
            if len(verdicts) == 2:
                running.send_signal(signal.SIGINT)
                break
    errors = running.stderr.read()
    assert running.wait(60) == 130, errors
    watchdog.cancel()
    assert verdicts == ["passed", "passed"]
    assert made == [True, True]
    async with await connect(kubeconfig=cluster.kubeconfig) as client:
        for resource in (PODS, SERVICES):
            listed = await client.list(resource, namespace="default", metadata_only=True)
            assert "slo" not in {each.metadata.name for each in listed.items}


async def test_what_is_changed_and_deleted_is_back_at_the_end(on_cluster, cluster):
    """The Service that was deleted is there again, the one that led nowhere leads to its pods."""
    path = EXAMPLES / "change-and-delete.yml"
    done = on_cluster.run("autonomous", *LOADED, "--policy-file", path, "--output", "json", "--log-format", "json")
    result = json.loads(done.stdout)
    assert result["verdict"] == "passed", (result["reasons"], done.stderr[-3000:])
    logged = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    [deleted] = [each for each in logged if each["event"] == "object_deleted"]
    assert (deleted["kind"], deleted["comes_back"]) == ("Service", True)
    undone = [each["description"] for each in logged if each["event"] == "undo_done"]
    assert "make Service default/goldpinger anew" in undone
    assert "put Service default/goldpinger back as it was (spec.selector.version)" in undone


def test_alerts_are_muted_for_the_length_of_the_scenario(on_cluster, tmp_path):
    """Silenced before the kill, heard again after it."""
    server = _Serving()
    policy = tmp_path / "mute.yml"
    address = ("http://alertmanager.monitoring.svc:9093/api/v2", server.url)
    policy.write_text(of_text(EXAMPLES / "mute-alerts.yml", address))
    try:
        done = on_cluster.run("autonomous", *LOADED, "--policy-file", policy, "--output", "json")
        assert json.loads(done.stdout)["verdict"] == "passed", done.stderr[-3000:]
        assert server.states() == ["expired"]
    finally:
        server.close()


def test_the_steady_state_is_watched_and_returns(on_cluster):
    """Its samples are in the result; the account says that it held before and after."""
    path = EXAMPLES / "steady-state.yml"
    done = on_cluster.run("autonomous", *LOADED, "--policy-file", path, "--output", "json", "--log-format", "json")
    result = json.loads(done.stdout)
    assert result["verdict"] == "passed", (result["reasons"], done.stderr[-3000:])
    [steady] = result["steadyState"]
    assert steady["probe"] == "probes[0] (probeHTTP)"
    assert steady["samples"] >= 5
    assert result["aborted"] == []
    moments = [json.loads(line) for line in done.stderr.splitlines() if '"steady_state_held"' in line]
    assert [each["moment"] for each in moments] == ["before", "after"]


def test_each_example_has_a_plan(on_cluster):
    """What would be created, changed and deleted, without doing it."""
    planned = on_cluster.run("plan", EXAMPLES / "slo-forever.yml")
    assert "create Pod default/slo (deleted again at the end)" in " ".join(planned.stdout.split())
    planned = on_cluster.run("plan", EXAMPLES / "mute-alerts.yml")
    assert "silence all alerts of http://alertmanager.monitoring.svc" in " ".join(planned.stdout.split())


class _Serving:
    """An Alertmanager in a thread of its own, for a test that runs the program."""

    def __init__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = AlertmanagerServer()
        asyncio.run_coroutine_threadsafe(self._server.start(), self._loop).result(30)
        self.url = self._server.url

    def states(self):
        return self._server.states()

    def close(self):
        asyncio.run_coroutine_threadsafe(self._server.stop(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()


async def test_a_deployment_that_was_deleted_is_back_and_ready(on_cluster, cluster, tmp_path):
    """Its pods went with it; clean-up makes it anew and waits until its pods are Ready again."""
    labels = {"app": "lasting"}
    containers = [{"name": "c", "image": "registry.k8s.io/pause:3.10"}]
    template = {"metadata": {"labels": labels}, "spec": {"terminationGracePeriodSeconds": 1, "containers": containers}}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    policy = tmp_path / "delete.yml"
    policy.write_text(DELETION)
    async with await connect(kubeconfig=cluster.kubeconfig) as client:
        made = await client.create(DEPLOYMENTS, {"metadata": {"name": "lasting"}, "spec": spec}, namespace="default")
        async with asyncio.timeout(60):
            await until_ready(Applied(DEPLOYMENTS, "default", "lasting"), client)
        done = await asyncio.to_thread(on_cluster.run, "autonomous", "--policy-file", policy, "--output", "json")
        result = json.loads(done.stdout)
        undone = {"done": 1, "failed": [], "left": []}
        assert (result["verdict"], result["undo"]) == ("passed", undone), done.stderr[-3000:]
        after = await client.get(DEPLOYMENTS, "lasting", namespace="default")
        assert after["metadata"]["uid"] != made["metadata"]["uid"]
        assert after["status"]["readyReplicas"] == 2
        await client.delete(DEPLOYMENTS, "lasting", namespace="default")


DELETION = """
config: {runStrategy: {runs: 1}}
scenarios:
- name: A Deployment is deleted
  steps:
  - kubectl:
      action: delete
      payload: '{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "lasting"}}'
  - podAction:
      matches: [{labels: {selector: app=lasting, namespace: default}}]
      actions: [{checkPodCount: {count: 0}}]
      retries: {retriesTimeout: {timeout: 60, sleep: 0.2}}
"""
