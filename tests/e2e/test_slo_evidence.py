"""Experiment 3, a hundred times: what is known of an SLO then, and everybody who hears that it is violated."""

import asyncio
import csv
import json
import threading

import pytest
import yaml

from tests import monitoring_servers
from tests.e2e.conftest import EXAMPLES, events, metrics_address
from tests.telemetry.notifications.receivers import receiving

ROUNDS = 100
SLOW_FROM_SECONDS = 2.5

pytestmark = pytest.mark.skipif(not monitoring_servers.are_there(), reason=monitoring_servers.HOW_TO_GET)


@pytest.mark.timeout(900)
async def test_a_hundred_new_services_prove_that_some_are_slow(program, tmp_path):
    """The example as it stands: the alert fires, the webhook is called, the report says how sure one can be."""
    policy = tmp_path / "slo-evidence.yml"
    async with receiving() as receiver:
        content = yaml.safe_load((EXAMPLES / "slo-evidence.yml").read_text())
        content["config"]["notify"] = [{"webhook": {"url": receiver.url}}]
        policy.write_text(yaml.safe_dump(content))
        process = program.start(
            "autonomous", "--sandbox", "--policy-file", policy, "--prometheus-collector", "--prometheus-port", "0",
            "--log-format", "json", "--output", "json", "--report", tmp_path / "report.html",
        )  # fmt: skip
        alert = await asyncio.to_thread(_alert_of, process)
        output = await asyncio.to_thread(process.stdout.read)
        assert await asyncio.to_thread(process.wait, 600) == 1
    summary = json.loads(output)
    assert (summary["rounds"], summary["scenarios"][0]["passed"]) == (ROUNDS, ROUNDS)
    strict, generous = summary["objectives"]
    _check_violation(strict, await asyncio.to_thread(_answer_times, program))
    assert (generous["status"], generous["samples"]) == ("met", ROUNDS)

    assert alert["labels"]["scenario"] == "A new service answers in time"
    assert alert["labels"]["objective"] == strict["objective"]
    told = [notice for call in receiver.calls for notice in call.json["notices"]]
    assert [each["objective"]["name"] for each in told if each["occasion"] == "violated"] == [strict["objective"]]

    status = await asyncio.to_thread(program.run, "slo", "status")
    assert status.returncode == 1
    assert "violated" in status.stdout
    page = (tmp_path / "report.html").read_text()
    assert strict["text"].partition(": violated: ")[2] in page


def _alert_of(process):
    """The alert that reaches a webhook through Prometheus and Alertmanager; the program's log is read to its end."""
    told = events(process)
    with monitoring_servers.alerting(targets=[metrics_address(told)]) as monitoring:
        reading = threading.Thread(target=lambda: [None for _ in told])
        next(each for each in told if each["event"] == "objective_judged" and each["status"] == "violated")
        reading.start()
        alert = monitoring.receiver.wait_for("SeatrialObjectiveViolated")
    reading.join()
    return alert


def _answer_times(program):
    """What was measured, as the store exports it: seconds."""
    exported = program.run("runs", "export", "last", "--format", "csv").stdout.splitlines()
    return [float(row["value"]) for row in csv.DictReader(exported) if row["name"] == "timeToAnswer"]


def _check_violation(judged, times):
    """The judgement says what the times say: so many were slow that it can't be one in twenty."""
    slow = sum(each > SLOW_FROM_SECONDS for each in times)
    assert len(times) == ROUNDS
    assert judged["status"] == "violated"
    assert judged["samples"] == ROUNDS
    assert f"{slow} slower" in judged["text"]
    # The lower bound of the 95th percentile is a time that was measured, and a slow one.
    assert judged["lower"] > SLOW_FROM_SECONDS
    assert any(abs(each - judged["lower"]) < 0.002 for each in times)
