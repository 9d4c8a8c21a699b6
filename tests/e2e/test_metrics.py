"""Metrics of the whole program, and those that need machines."""

import json
import signal
import socket

import pytest
import yaml

from seatrial.cli.session import SessionOptions
from seatrial.steps.registry import policy_model
from tests.cli.conftest import WAITS
from tests.e2e.conftest import events, metrics_address
from tests.telemetry.scraping import run_and_scrape, scrape, value


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "policy.yml"
    path.write_text(WAITS % 600)
    return path


def test_the_page_is_there_while_the_run_lasts(on_cluster, policy):
    """The log says where; scraped in the middle of a scenario, one is in flight; after Ctrl-C nobody listens there."""
    process = on_cluster.start(
        "autonomous", "--policy-file", policy, "--prometheus-collector", "--prometheus-port", "0",
        "--log-format", "json", "--output", "json",
    )  # fmt: skip
    port = 0
    for event in events(process):
        if event["event"].startswith("metrics are served at http://127.0.0.1:"):
            port = int(event["event"].rpartition(":")[2].partition("/")[0])
        if event["event"] == "step_started":
            break
    # The event is on its way to the metrics, too.
    samples = {}
    while not value(samples, "seatrial_experiments_in_flight"):
        samples = scrape(port)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=100)
    assert (process.returncode, json.loads(output)["verdict"]) == (130, "inconclusive")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_taken_port_ends_it_before_anything_is_touched(on_cluster, policy):
    """Exit code 2 with what to do; no journal was begun."""
    serving = ("--prometheus-collector", "--prometheus-port")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = on_cluster.run("autonomous", "--policy-file", policy, *serving, port)
    assert done.returncode == 2
    assert f"can't serve metrics on 127.0.0.1:{port}" in done.stderr
    assert "run_started" not in done.stderr
    assert not (on_cluster.state / "journal.sqlite3").exists()


def test_changes_of_metrics_may_be_printed(on_cluster, tmp_path):
    """`--stdout-collector`: lines among the summary; it goes without JSON there."""
    policy = tmp_path / "short.yml"
    policy.write_text(WAITS % 0)
    done = on_cluster.run("autonomous", "--policy-file", policy, "--stdout-collector")
    assert done.returncode == 0, done.stderr
    assert 'metric seal_scenario_runs_total{name="waits a moment",result="success"} +1' in done.stdout.splitlines()
    refused = on_cluster.run("autonomous", "--policy-file", policy, "--stdout-collector", "--output", "json")
    assert refused.returncode == 2
    assert "--stdout-collector goes without --output json" in refused.stderr


TWO_SCENARIOS = """
config:
  runStrategy: {minSecondsBetweenRuns: 0, maxSecondsBetweenRuns: 0.2}
scenarios:
- name: stays
  objectives:
  - {name: first, measurement: passed, ratio: true, above: 0.5, window: 200 runs}
  - {name: second, measurement: passed, ratio: true, above: 0.6, window: 200 runs}
  steps: [{wait: {seconds: 0}}]
- name: goes
  objectives:
  - {name: third, measurement: passed, ratio: true, above: 0.5, window: 200 runs}
  steps: [{wait: {seconds: 0}}]
"""


def test_what_an_edited_policy_no_longer_has_ends(on_cluster, tmp_path):
    """A scenario and an objective taken out of the file of a run that goes on: their levels go, the others stay."""
    path = tmp_path / "policy.yml"
    path.write_text(TWO_SCENARIOS)
    process = on_cluster.start(
        "autonomous", "--policy-file", path, "--prometheus-collector", "--prometheus-port", "0", "--log-format", "json",
    )  # fmt: skip
    told = events(process)
    port = int(metrics_address(told).rpartition(":")[2])

    def objectives_after(event, times):
        for _ in range(times):
            next(each for each in told if each["event"] == event)
        return {dict(labels).get("objective") for _, labels in scrape(port)} - {None}

    assert objectives_after("round_started", 3) == {"first", "second", "third"}
    edited = yaml.safe_load(TWO_SCENARIOS)
    del edited["scenarios"][1], edited["scenarios"][0]["objectives"][1]
    path.write_text(yaml.safe_dump(edited))
    objectives_after("policy_reloaded", 1)
    assert objectives_after("round_started", 3) == {"first"}
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=100)


async def test_machines_and_commands_are_counted(cluster, tmp_path, monkeypatch):
    """A machine stopped and a command that failed: PowerfulSeal's counters with id and name."""
    matches = [{"property": {"name": "name", "value": "node2$"}}]
    stop = {"matches": matches, "actions": [{"stop": {"force": True}}]}
    execute = {"matches": matches, "actions": [{"execute": {"cmd": "exit 7"}}]}
    options = SessionOptions(
        policy=policy_model().model_validate({"scenarios": []}),
        policy_name="machines",
        kubeconfig=cluster.kubeconfig,
        state_directory=tmp_path / "state",
    )
    told = await run_and_scrape(
        monkeypatch,
        options,
        {"name": "execute", "steps": [{"nodeAction": execute}]},
        {"name": "stop", "steps": [{"nodeAction": stop}]},
    )
    assert told.seal == told.seal_sent
    [failed] = [key for key in told.seal if key[0] == "seal_execute_failed_total"]
    [stopped] = [key for key in told.seal if key[0] == "seal_nodes_stopped_total"]
    assert failed[-1].endswith("node2")
    assert stopped[-2].endswith("node2")
    assert stopped[-1] == "success"
    assert told.seal["seal_scenario_runs_total", "execute", "fail"] == 1
    assert value(told.scraped, "seatrial_undos_total", result="done") >= 1
