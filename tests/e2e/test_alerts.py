"""The whole way: an objective that is violated, and somebody who is told; and what a short run leaves behind."""

import json
import signal
import threading
from collections import deque

import pytest

from tests import monitoring_servers
from tests.cli.conftest import WAITS
from tests.e2e.conftest import EXAMPLES, events, metrics_address

NEVER_ANSWERS = """
config:
  runStrategy: {minSecondsBetweenRuns: 0, maxSecondsBetweenRuns: 0.2}
scenarios:
- name: answers
  objectives:
  - {name: mostly, measurement: passed, ratio: true, above: 0.5, window: 200 runs}
  steps:
  - probeHTTP: {target: {url: "http://127.0.0.1:%d/"}, retries: 1, delay: 1, timeout: 1000}
"""

pytestmark = pytest.mark.skipif(not monitoring_servers.are_there(), reason=monitoring_servers.HOW_TO_GET)


def test_a_violated_objective_wakes_somebody(on_cluster, tmp_path, unused_tcp_port):
    """Seatrial runs for ever, Prometheus scrapes it, Alertmanager tells the webhook; their numbers are the log's."""
    policy = tmp_path / "policy.yml"
    policy.write_text(NEVER_ANSWERS % unused_tcp_port)
    process = on_cluster.start(
        "autonomous", "--policy-file", policy, "--prometheus-collector", "--prometheus-port", "0",
        "--log-format", "json", "--output", "json",
    )  # fmt: skip
    told = events(process)
    with monitoring_servers.alerting(targets=[metrics_address(told)]) as monitoring:
        violated = next(each for each in told if each["event"] == "objective_judged" and each["status"] == "violated")
        # A log that nobody reads would hold up the run.
        reading = threading.Thread(target=deque, args=(told, 0))
        reading.start()
        alert = monitoring.receiver.wait_for("SeatrialObjectiveViolated")
        [bound] = monitoring.prometheus.wait_for('seatrial_objective_upper_bound_ratio{scenario="answers"}')
        monitoring.receiver.wait_for("SeatrialScenarioFailing")
        process.send_signal(signal.SIGINT)
        reading.join(100)
        assert process.wait(100) == 130
    assert (alert["labels"]["scenario"], alert["labels"]["objective"]) == ("answers", "mostly")
    assert alert["annotations"]["summary"] == "Objective violated: mostly (scenario answers)"
    # More has failed since the line in the log, which makes the bound smaller.
    assert 0 < float(bound["value"][1]) <= violated["upper"] + 0.001


def test_a_short_run_leaves_its_metrics_behind(on_cluster, tmp_path):
    """`--pushgateway`: after the run is over Prometheus finds there what it came to; a label has the policy's name."""
    policy = tmp_path / "short.yml"
    policy.write_text(WAITS % 0)
    with (
        monitoring_servers.running_pushgateway() as gateway,
        monitoring_servers.running_prometheus(
            targets=[gateway.url.removeprefix("http://")], honor_labels=True
        ) as prometheus,
    ):
        done = on_cluster.run(
            "autonomous", "--policy-file", policy, "--pushgateway", gateway.url,
            "--pushgateway-job", "nightly", "--pushgateway-label", "team=payments",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        [found] = prometheus.wait_for('seatrial_run_verdict{verdict="passed"} == 1')
        [ended] = prometheus.query("sum by (job, policy, team) (seal_scenario_runs_total)")
    assert ended["metric"] == {"job": "nightly", "policy": "short.yml", "team": "payments"}
    assert ended["metric"].items() <= found["metric"].items()


def test_the_last_words_of_a_run_are_scraped(on_cluster, tmp_path):
    """`--prometheus-linger`: a run that takes no time at all ends when Prometheus has seen what it came to."""
    policy = tmp_path / "short.yml"
    policy.write_text(WAITS % 0)
    process = on_cluster.start(
        "autonomous", "--policy-file", policy, "--prometheus-collector", "--prometheus-port", "0",
        "--prometheus-linger", "100", "--log-format", "json",
    )  # fmt: skip
    told = events(process)
    target = metrics_address(told)
    next(event for event in told if event["event"] == "run_finished")
    with monitoring_servers.running_prometheus(targets=[target]) as prometheus:
        found = prometheus.wait_for('max_over_time(seatrial_run_verdict{verdict="passed"}[10m]) == 1')
        output, errors = process.communicate(timeout=100)
    assert found
    assert process.returncode == 0
    assert "nobody has scraped" not in errors
    assert "passed" in output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nobody_has_to_wait_for_a_scrape(on_cluster, tmp_path, number):
    """Ctrl-C or SIGTERM while only that is waited for: the summary is there, and the run passed all the same."""
    policy = tmp_path / "short.yml"
    policy.write_text(WAITS % 0)
    process = on_cluster.start(
        "autonomous", "--policy-file", policy, "--prometheus-collector", "--prometheus-port", "0",
        "--prometheus-linger", "3600", "--log-format", "json", "--output", "json",
    )  # fmt: skip
    next(event for event in events(process) if event["event"].startswith("the run is over; its metrics are served"))
    process.send_signal(number)
    output, _ = process.communicate(timeout=100)
    assert json.loads(output)["verdict"] == "passed"
    assert process.returncode == 0


def test_a_pushgateway_that_can_not_be_one_is_refused(on_cluster):
    """Before anything is touched, with what to say instead."""
    done = on_cluster.run("autonomous", "--policy-file", EXAMPLES / "kill-half.yml", "--pushgateway", "here")
    assert done.returncode == 2
    assert "'here' is no URL of a Pushgateway" in done.stderr
