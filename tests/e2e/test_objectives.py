"""The examples of objectives, as their users run them: judged round by round, kept, and asked for afterwards."""

import asyncio
import json

import pytest

from seatrial.testing import sandbox_cluster
from tests.e2e.conftest import EXAMPLES


@pytest.fixture(scope="module")
def cluster():
    """A sandbox with goldpinger that these tests share."""
    with asyncio.Runner() as runner:
        block = sandbox_cluster(nodes=2, load=(EXAMPLES / "manifests" / "goldpinger.yml",))
        yield runner.run(block.__aenter__())
        runner.run(block.__aexit__(None, None, None))


def test_healing_is_decided_by_as_many_rounds_as_it_takes(on_cluster):
    """Far fewer than the policy allows: the sequential test ends the run."""
    done = on_cluster.run("autonomous", "--policy-file", EXAMPLES / "slo-pod-healing.yml", "--output", "json")
    summary = json.loads(done.stdout)
    assert (done.returncode, summary["verdict"]) == (0, "passed"), done.stderr[-2000:]
    [judged] = summary["objectives"]
    assert (judged["status"], judged["isDecided"]) == ("met", True)
    assert 30 <= summary["rounds"] < 100
    assert judged["samples"] == summary["rounds"]


def test_scaling_is_judged_on_what_earlier_runs_measured_too(on_cluster):
    """Too few rounds are inconclusive; those of the next run add to them, and `slo status` says the same."""
    policy = on_cluster.state / "policy.yml"
    policy.write_text((EXAMPLES / "slo-scaling.yml").read_text().replace("runs: 14", "runs: 7"))
    run = ("autonomous", "--policy-file", policy, "--output", "json")
    first = on_cluster.run(*run)
    assert first.returncode == 3, first.stderr[-2000:]
    assert "7 more good runs needed" in " ".join(json.loads(first.stdout)["reasons"])
    second = on_cluster.run(*run)
    assert second.returncode == 0, second.stderr[-2000:]
    target, longest = json.loads(second.stdout)["objectives"]
    assert (target["objective"], target["status"], target["samples"]) == ("scaled within half a minute", "met", 14)
    assert target["budget"]["left"] == 1.0
    assert (longest["status"], longest["samples"]) == ("met", 14)
    status = on_cluster.run("slo", "status", "--output", "json")
    assert status.returncode == 0
    assert [each["samples"] for each in json.loads(status.stdout)["objectives"]] == [14, 14]
    report = on_cluster.run("slo", "report")
    assert "| scaled within half a minute | Replicas come in time | met |" in report.stdout
