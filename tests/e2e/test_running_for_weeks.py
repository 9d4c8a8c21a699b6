"""Runs without an end: policies that are edited, probes of Seatrial itself, thousands of rounds, schedules."""

import asyncio
import contextlib
import gc
import json
import logging
import os
import signal
import statistics
import threading
import tracemalloc
import urllib.error
import urllib.request
from functools import partial
from typing import NamedTuple

import psutil
import pytest

from seatrial.cli.session import FollowedFile, SessionOptions, run_session
from seatrial.kube.client import connect
from seatrial.kube.resources import DEPLOYMENTS, PODS
from seatrial.policy.load import load_policy
from seatrial.report.account import Account
from seatrial.report.summary import Summary
from seatrial.runtime.events import RoundStarted
from seatrial.slo.digest import digest_of
from seatrial.steps.registry import policy_model
from seatrial.storage.recorder import Recorder
from seatrial.storage.store import open_store
from seatrial.telemetry.log import LogReport
from seatrial.telemetry.metrics.limits import Limits
from seatrial.telemetry.metrics.prometheus import PrometheusReport

ROUNDS = 240
MOST_BYTES_A_ROUND = 500  # less than the records of one scenario; what comes and goes is about 200
POLICY = """
config: {runStrategy: {minSecondsBetweenRuns: 0.2, maxSecondsBetweenRuns: 0.2}}
scenarios:
- {name: waits, steps: [{wait: {seconds: 0}}]}
"""


def until(process, *names):
    """The next event of one of these names."""
    return next(event for event in events_of(process) if event["event"] in names)


def events_of(process):
    """The events that come from here on; another look goes on where this one ended."""
    for line in process.stderr:
        yield json.loads(line)


def asked(url):
    """What a probe is answered."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 -- our own address
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_a_run_without_an_end_follows_its_policy_and_answers_probes(on_cluster, tmp_path):
    """Edits hold from the next round on, bad ones are said; SIGTERM ends it with the exit code for that."""
    policy, log = tmp_path / "policy.yml", tmp_path / "seatrial.log"
    policy.write_text(POLICY)
    process = on_cluster.start(
        "autonomous", "--policy-file", policy, "--log-format", "json", "--health-port", 0, "--log-file", log
    )
    said = next(event for event in events_of(process) if "probes are answered at" in event["event"])
    address = said["event"].split()[4].removesuffix("/healthz")
    assert asked(f"{address}/healthz") == (200, {"alive": True})
    until(process, "pause_started")
    policy.write_text(POLICY.replace("waits", "waits otherwise"))
    assert until(process, "policy_reloaded")["changes"] == [
        "scenario 'waits otherwise' added", "scenario 'waits' removed",
    ]  # fmt: skip
    assert until(process, "scenario_started")["name"] == "waits otherwise"
    policy.write_text("scenarios: [{name: wrong}]\n")
    assert "scenarios[0]: the key 'steps' is missing" in until(process, "policy_rejected")["problems"][0]
    assert until(process, "scenario_started")["name"] == "waits otherwise"
    status, ready = asked(f"{address}/readyz")
    assert (status, ready["ready"], sorted(ready["checks"])) == (
        200,
        True,
        ["cluster", "end", "journal", "run", "store"],
    )
    process.send_signal(signal.SIGTERM)
    assert until(process, "run_finished")["exit_code"] == 130
    assert process.wait(timeout=30) == 130
    assert {json.loads(line)["event"] for line in log.read_text().splitlines()} >= {"policy_reloaded", "run_finished"}


def test_a_file_that_is_not_to_be_followed_may_change_as_it_likes(on_cluster, tmp_path):
    """With `--no-reload` a run ends as it began."""
    policy = tmp_path / "policy.yml"
    policy.write_text(POLICY.replace("{minS", "{runs: 3, minS"))
    process = on_cluster.start("autonomous", "--policy-file", policy, "--log-format", "json", "--no-reload")
    until(process, "scenario_started")
    policy.write_text("nonsense")
    names = [event["event"] for event in events_of(process)]
    assert "policy_rejected" not in names
    assert process.wait(timeout=30) == 0


def test_a_policy_from_a_pipe_is_read_once(on_cluster, tmp_path):
    """As a shell's `<(...)` gives one: there is nothing to look at again."""
    pipe = tmp_path / "pipe.yml"
    os.mkfifo(pipe)
    process = on_cluster.start("autonomous", "--policy-file", pipe, "--log-format", "json")
    pipe.write_text(POLICY.replace("{minS", "{runs: 2, minS"))
    names = [event["event"] for event in events_of(process)]
    assert (names.count("round_started"), "policy_rejected" in names) == (2, False)
    assert process.wait(timeout=30) == 0


class Sample(NamedTuple):
    """What a run holds on to at the beginning of a round."""

    round: int
    bytes: int
    descriptors: int
    threads: int
    tasks: int


async def sampled(heard: list[int], *, every: int) -> list[Sample]:
    """Samples until cancelled; `heard` has the rounds that began."""
    process, samples = psutil.Process(), []
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(0.02)
            if heard and heard[-1] >= (samples[-1].round if samples else 0) + every:
                gc.collect()
                used, _ = tracemalloc.get_traced_memory()
                threads, tasks = threading.active_count(), len(asyncio.all_tasks())
                samples.append(Sample(heard[-1], used, process.num_fds(), threads, tasks))
    return samples


@pytest.fixture
async def endless_pods(cluster):
    """Pods that no scheduler takes, and that are replaced: rounds follow each other as fast as the tool can."""
    labels = {"app": "endless"}
    pod = {"schedulerName": "nobody", "containers": [{"name": "c", "image": "busybox"}]}
    spec = {
        "replicas": 20,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    async with await connect(kubeconfig=cluster.kubeconfig) as client:
        await client.create(DEPLOYMENTS, {"metadata": {"name": "endless"}, "spec": spec})
        async with asyncio.timeout(60):
            while len((await client.list(PODS, namespace="default", label_selector="app=endless")).items) < 20:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        yield
        await client.delete(DEPLOYMENTS, "endless")


ENDLESS = """
config: {runStrategy: {runs: ROUNDS, minSecondsBetweenRuns: 0, maxSecondsBetweenRuns: 0}}
scenarios:
- name: Kill one again and again
  steps:
  - podAction:
      matches: [{labels: {selector: app=endless, namespace: default}}]
      filters: [{randomSample: {size: 1}}]
      actions: [{kill: {force: true}}]
  - wait: {seconds: 0}
  objectives:
  - {measurement: passed, ratio: true, above: 0.5, window: 50 runs}
"""


@pytest.mark.timeout(300)
async def test_what_a_run_holds_on_to_does_not_grow_with_its_rounds(cluster, endless_pods, tmp_path, monkeypatch):
    """Memory, descriptors, threads and tasks of some hundred rounds, with store, objectives, metrics and log.

    Windows that are bounded, such as the latest victims that a summary names, are full early; what still grows then
    would grow for ever.
    """
    monkeypatch.setattr("seatrial.report.summary._LATEST", 20)
    monkeypatch.setattr("seatrial.report.faults._LATEST", 20)
    monkeypatch.setattr("seatrial.telemetry.metrics.prometheus.Limits", partial(Limits, most=20))
    logger = logging.getLogger("unheard")
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    text = ENDLESS.replace("ROUNDS", str(ROUNDS)).encode()
    path = tmp_path / "policy.yml"
    path.write_bytes(text)
    policy = load_policy(text, model=policy_model())
    store = open_store(None, state=tmp_path)
    recorder = Recorder(store, policy_text="", digests={each.name: digest_of(each) for each in policy.scenarios})
    options = SessionOptions(
        policy=policy, policy_name="p.yml", kubeconfig=cluster.kubeconfig, state_directory=tmp_path,
        recovery_timeout_seconds=0, store=store, followed=FollowedFile(path, text),
    )  # fmt: skip
    heard: list[int] = []
    summary = Summary()

    def rounds(record):
        if isinstance(record.event, RoundStarted):
            heard.append(record.event.number)

    account = Account()
    listeners = [rounds, summary, recorder, PrometheusReport(), LogReport(logger), account.lines]
    sampling = asyncio.create_task(sampled(heard, every=20))
    gc.collect()
    gc.freeze()  # what is there already needs no looking through
    tracemalloc.start()
    try:
        result = await run_session(options, listeners)
    finally:
        tracemalloc.stop()
        gc.unfreeze()
        sampling.cancel()
        store.close()
    samples = [each for each in await sampling if each.round >= ROUNDS / 3]
    assert (result.rounds, summary.killed) == (ROUNDS, ROUNDS)
    assert len(samples) >= 8
    assert slope(samples, "bytes") < MOST_BYTES_A_ROUND, samples
    # What comes and goes differs from moment to moment; one that stays in ten rounds would show.
    for what in ("descriptors", "threads", "tasks"):
        assert slope(samples, what) < 0.1, (what, samples)


def slope(samples: list[Sample], what: str) -> float:
    """By how much something grows a round."""
    rounds, values = [each.round for each in samples], [getattr(each, what) for each in samples]
    return statistics.linear_regression(rounds, values).slope
