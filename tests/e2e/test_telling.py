"""Those who are told of a run: webhooks of the example, Events on a real cluster for kubectl, traces."""

import asyncio
import json
import signal
import subprocess

import pytest
import yaml

from tests.e2e.conftest import EXAMPLES
from tests.kubectls import newest
from tests.telemetry.notifications.receivers import receiving
from tests.telemetry.tracing.collectors import attributes, collecting

GOLDPINGER = ("--load", EXAMPLES / "manifests" / "goldpinger.yml")


async def autonomous(program, policy, *arguments):
    """A run of the program while this test's loop serves those who are told."""
    return await asyncio.to_thread(program.run, "autonomous", "--policy-file", policy, *arguments)


async def test_the_example_tells_of_a_violation_once_and_of_the_end(on_cluster, tmp_path):
    """With a limit that no pod keeps: three violated rounds are one alert; the chat hears how the run ended."""
    text = (EXAMPLES / "notify.yml").read_text()
    assert yaml.safe_load(text)["scenarios"][0]["objectives"][0]["below"] == 30
    policy = tmp_path / "notify.yml"
    policy.write_text(text.replace("below: 30", "below: 0.001"))
    async with receiving() as receiver:
        on_cluster.environ["ALERT_URL"] = f"{receiver.url}/T/s3cret"
        done = await autonomous(on_cluster, policy, *GOLDPINGER)
    assert done.returncode == 1, done.stderr
    alerts = [call.json for call in receiver.calls if "notices" in call.json]
    chat = [call.json for call in receiver.calls if "notices" not in call.json]
    [alert] = alerts
    assert alert["occasions"] == ["violated"]
    [notice] = alert["notices"]
    assert notice["scenario"] == "Killed pods come back"
    assert notice["objective"]["measurement"] == "timeToRecover"
    assert notice["objective"]["lower"] > 0.001
    assert alert["run"]["report"] == f"seatrial report {alert['run']['id']}"
    assert any("Run finished: failed" in each["text"] for each in chat)
    assert "notification_sent" in done.stderr
    assert "s3cret" not in done.stderr + done.stdout
    store = b"".join(path.read_bytes() for path in on_cluster.state.rglob("*.sqlite3*"))
    assert b"notify" in store
    assert b"s3cret" not in store


async def test_the_example_as_it_stands_wakes_nobody(on_cluster):
    """Pods that come back in time: only the chat hears that the run is over."""
    async with receiving() as receiver:
        on_cluster.environ["ALERT_URL"] = receiver.url
        done = await autonomous(on_cluster, EXAMPLES / "notify.yml", *GOLDPINGER, "--store", "none")
    assert done.returncode in {0, 3}, done.stderr  # not enough evidence yet is no alert
    [chat] = receiver.calls
    assert "Run finished" in chat.json["text"]


async def test_what_is_held_back_is_told_when_the_run_is_stopped(on_cluster, tmp_path):
    """SIGTERM in the middle: clean-up, then the last messages, then the exit."""
    policy = tmp_path / "policy.yml"
    async with receiving() as receiver:
        said = {"url": receiver.url, "on": ["started", "finished"], "atMostEvery": "1h"}
        scenario = {"name": "waits", "steps": [{"wait": {"seconds": 600}}]}
        policy.write_text(yaml.safe_dump({"config": {"notify": [{"webhook": said}]}, "scenarios": [scenario]}))
        process = on_cluster.start("autonomous", "--policy-file", policy)
        await receiver.called()
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.communicate, timeout=100)
    assert process.returncode == 130
    assert [call.json["occasions"] for call in receiver.calls] == [["started"], ["finished"]]
    assert "SIGTERM" in receiver.calls[1].json["text"]


async def test_what_a_channel_lacks_ends_it_before_anything_is_touched(on_cluster):
    """Exit code 2 and a line that says what to do; no run was begun."""
    done = await autonomous(on_cluster, EXAMPLES / "notify.yml")
    assert done.returncode == 2
    assert "error: the environment variable ALERT_URL is not set" in done.stderr
    assert "run_started" not in done.stderr


def kubectl_of(cluster):
    def kubectl(*arguments):
        command = [newest(), "--kubeconfig", str(cluster.kubeconfig), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    return kubectl


def killed_pods(kubectl):
    """What Events say of killed pods."""
    listed = json.loads(kubectl("get", "events", "--field-selector", "reason=SeatrialPodKilled", "-o", "json"))
    return {each["message"] for each in listed["items"] if each["involvedObject"]["kind"] == "Pod"}


KILL_ONE = """
config: {runStrategy: {runs: 1}}
scenarios:
- name: kill one
  steps:
  - podAction:
      matches: [{labels: {selector: app=goldpinger, namespace: default}}]
      filters: [{randomSample: {size: 1}}]
      actions: [{kill: {force: true}}]
  - nodeAction:
      matches: [{property: {name: name, value: node1}}]
      actions: [{cordon: {}}]
"""


@pytest.mark.skipif(newest() is None, reason="there is no kubectl on this machine")
async def test_kubectl_tells_who_did_it(on_cluster, cluster, tmp_path):
    """`describe` of the Deployment and the node, and `get events`, without a word about it where nobody asked."""
    kubectl = kubectl_of(cluster)
    policy = tmp_path / "policy.yml"
    policy.write_text(KILL_ONE)
    apply = ["apply", "-f", str(EXAMPLES / "manifests" / "goldpinger.yml")]
    await asyncio.to_thread(kubectl, *apply)
    await asyncio.to_thread(kubectl, "rollout", "status", "deployment/goldpinger", "--timeout=60s")
    quiet = await autonomous(on_cluster, policy)
    assert quiet.returncode == 0, quiet.stderr
    assert "Seatrial" not in await asyncio.to_thread(kubectl, "get", "events", "-A")
    done = await autonomous(on_cluster, policy, "--kubernetes-events")
    assert done.returncode == 0, done.stderr
    deployment = " ".join((await asyncio.to_thread(kubectl, "describe", "deployment", "goldpinger")).split())
    for reason in ("ExperimentStarted", "PodKilled", "PodReplaced", "ExperimentFinished"):
        assert f"Seatrial{reason}" in deployment
    assert "seatrial.io/experiment Killed pod goldpinger-" in deployment
    node = " ".join((await asyncio.to_thread(kubectl, "describe", "node", "node1")).split())
    assert "SeatrialNodeCordoned" in node
    listed = await asyncio.to_thread(kubectl, "get", "events", "-o", "name", "--field-selector", "type=Warning")
    assert "goldpinger" in listed


@pytest.mark.skipif(newest() is None, reason="there is no kubectl on this machine")
async def test_what_is_done_by_hand_is_told_there_too(on_cluster, cluster):
    """Whoever finds a pod gone need not ask around which of the colleagues it was."""
    kubectl = kubectl_of(cluster)
    await asyncio.to_thread(kubectl, "apply", "-f", str(EXAMPLES / "manifests" / "goldpinger.yml"))
    await asyncio.to_thread(kubectl, "rollout", "status", "deployment/goldpinger", "--timeout=60s")
    commands = "pods default; kill 1 --force --yes"
    before = await asyncio.to_thread(killed_pods, kubectl)
    done = await asyncio.to_thread(on_cluster.run, "interactive", "--kubernetes-events", "-c", commands)
    assert done.returncode == 0, done.stderr
    [told] = await asyncio.to_thread(killed_pods, kubectl) - before
    assert told.startswith("Killed pod goldpinger-")


TRACED = """
config: {{runStrategy: {{runs: 1}}}}
scenarios:
- name: asks
  steps:
  - probeHTTP: {{target: {{url: "{url}"}}, traceparent: true}}
"""


async def test_a_probe_takes_the_trace_along(on_cluster, tmp_path):
    """What the probed service is sent names the span of the step, as the collector gets it."""
    policy = tmp_path / "policy.yml"
    async with receiving() as service, collecting() as collector:
        policy.write_text(TRACED.format(url=service.url))
        done = await autonomous(on_cluster, policy, "--otlp-endpoint", collector.url)
        assert done.returncode == 0, done.stderr
        step = collector.spans["probeHTTP"]
        assert service.calls[0].headers["traceparent"] == f"00-{step.trace_id.hex()}-{step.span_id.hex()}-01"
        assert attributes(step)["seatrial.verdict"] == "passed"
        assert collector.spans.keys() == {f"run {policy}", "round 1", "asks", "probeHTTP"}


async def test_the_example_is_a_trace(on_cluster):
    """Run, round, scenario, two steps; the kill is an event of the first of them."""
    async with collecting() as collector:
        done = await autonomous(
            on_cluster, EXAMPLES / "trace.yml", *GOLDPINGER, "--otlp-endpoint", collector.url, "--store", "none"
        )
        assert done.returncode == 0, done.stderr
        spans = collector.spans
        assert len(spans) == 5
        killed = [event for event in spans["podAction"].events if event.name == "pod_killed"]
        assert attributes(killed[0])["k8s.namespace.name"] == "default"
        assert len({span.trace_id for span in spans.values()}) == 1
