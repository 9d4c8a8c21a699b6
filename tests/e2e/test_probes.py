"""The examples of probes and waits, run as their users run them."""

import json

import pytest

from tests.e2e.conftest import EXAMPLES

GOLDPINGER = ("--load", EXAMPLES / "manifests" / "goldpinger.yml")


def run_example(on_cluster, name):
    """The run's events by name, in order, and its exit code."""
    done = on_cluster.run(
        "autonomous", *GOLDPINGER, "--policy-file", EXAMPLES / name, "--log-format", "json", "--seed", "7"
    )
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert "Traceback" not in done.stderr
    return done.returncode, [event for event in events if event["event"] in {"probe_sampled", "measurement_taken"}]


def test_every_probe_passes_on_a_service_that_is_well(on_cluster):
    """By each way; every request is an event with its times."""
    code, events = run_example(on_cluster, "probes.yml")
    assert code == 0
    assert [event["via"] for event in events] == ["clusterIP"] * 3 + ["portForward"] * 3 + ["clusterIP", "command"]
    assert all(event["ok"] for event in events)
    assert all(0 < event["connect_ms"] <= event["first_byte_ms"] <= event["latency_ms"] for event in events[:6])


def test_the_time_until_a_pod_is_replaced_is_measured(on_cluster):
    """And until its service answers again."""
    code, events = run_example(on_cluster, "time-to-replace.yml")
    assert code == 0
    taken = {event["name"]: event for event in events if event["event"] == "measurement_taken"}
    assert {"replaced", "answers again", "waitFor"} <= taken.keys()
    assert taken["replaced"]["seconds"] > 0


def test_how_long_new_things_and_replacements_take_is_measured(on_cluster):
    """Without being asked for, and since the last change where a wait says so."""
    code, events = run_example(on_cluster, "time-to-ready.yml")
    assert code == 0
    taken = {}
    for event in events:
        if event["event"] == "measurement_taken":
            taken.setdefault(event["name"], []).append(event)
    assert {each["of"] for each in taken["timeToReady"]} == {"Pod default/web", "Service default/web"}
    assert not any(each["is_lower_bound"] for each in taken["timeToReady"])
    [endpoint], [served] = taken["timeToEndpoint"], taken["timeToServe"]
    assert endpoint["of"] == served["of"]
    assert 0 < endpoint["seconds"] <= served["seconds"]
    [detected], [again] = taken["timeToDetect"], taken["three again"]
    assert detected["of"].endswith("by its peers")
    assert again["seconds"] > 0
    assert taken["new service answers"][0]["seconds"] > 0


@pytest.mark.parametrize("name", ["probes.yml", "dns.yml", "time-to-ready.yml", "time-to-replace.yml"])
def test_the_examples_are_valid_and_can_be_planned(on_cluster, name):
    """Without doing anything."""
    assert on_cluster.run("validate", EXAMPLES / name).returncode == 0
    planned = on_cluster.run("plan", EXAMPLES / name)
    assert planned.returncode in {0, 3}, planned.stderr
    assert "Traceback" not in planned.stderr
