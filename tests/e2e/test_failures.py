"""Failures that come of themselves, on a whole sandbox, by the program as its users run it."""

import asyncio
import json

import pytest

from seatrial.sandbox.timing import SANDBOX
from seatrial.testing import sandbox_cluster
from tests.e2e.conftest import EXAMPLES
from tests.e2e.test_machines import state_of

ZONES_ONLY = """
config:
  runStrategy:
    strategy: failures
    accelerate: 1000000000
    runs: 2
    failures:
    - nodes:
      - labels: {selector: topology.kubernetes.io/zone=west-1}
      mttf: 5y
      correlation: {share: 1}
      scenario: A zone dies
scenarios:
- name: A zone dies
  steps:
  - nodeAction:
      matches:
      - failed: true
      actions:
      - stop: {force: true}
"""


@pytest.fixture(scope="module")
def cluster():
    """Four machines in two zones; a silent one is missed soon."""
    with asyncio.Runner() as runner:
        block = sandbox_cluster(
            zones=("west-1", "east-1"), load=[EXAMPLES / "manifests" / "goldpinger.yml"], timing=SANDBOX.scaled(0.2)
        )
        sandbox = runner.run(block.__aenter__())
        yield sandbox
        runner.run(block.__aexit__(None, None, None))


def logged(done, event):
    return [each for each in map(json.loads, done.stderr.splitlines()) if each["event"] == event]


def test_the_example_suffers_three_failures_as_foretold_and_leaves_everything_as_it_was(on_cluster, cluster):
    """Those of the plan, at their moments; what came stands beside what was to be expected; all machines are up."""
    example = EXAMPLES / "failures.yml"
    before = asyncio.run(state_of(cluster))
    planned = on_cluster.run("plan", example, "--output", "json")
    assert planned.returncode == 0, planned.stderr
    foretold = json.loads(planned.stdout)["failures"]
    assert [(rate["kind"], rate["units"]) for rate in foretold["rates"]] == [("node", 4), ("pod", 3)]
    shown = ("--log-format", "json", "--output", "json")
    done = on_cluster.run("autonomous", "--policy-file", example, *shown, timeout=300)
    assert done.returncode == 0, done.stderr
    struck = logged(done, "failure_struck")
    assert [each["kind"] for each in struck] == [each["kind"] for each in foretold["first"]]
    assert [each["life_seconds"] for each in struck] == pytest.approx(
        [each["life_seconds"] for each in foretold["first"]], abs=1
    )
    assert struck[0]["units"] == foretold["first"][0]["units"]
    stopped = [each["name"] for each in logged(done, "machine_stopped")]
    killed = [each["pod"] for each in logged(done, "pod_killed")]
    assert sorted(stopped + killed) == sorted(unit for each in struck for unit in each["units"])
    assert stopped
    assert killed
    counted = json.loads(done.stdout)["failures"]
    assert [each["seen"] for each in counted] == [len(stopped), len(killed)]
    assert all(each["expected"] > 0 for each in counted)
    assert asyncio.run(state_of(cluster)) == before


def test_a_zone_that_is_too_much_for_a_guardrail_is_refused_and_said(on_cluster, cluster, tmp_path):
    """Two machines at once where one may be hit: nothing is stopped, and both failures are inconclusive."""
    policy = tmp_path / "zones.yml"
    policy.write_text(ZONES_ONLY)
    arguments = ("--policy-file", policy, "--max-nodes", "1", "--log-format", "json")
    done = on_cluster.run("autonomous", *arguments)
    assert done.returncode == 3, done.stderr
    assert [each["zone"] for each in logged(done, "failure_struck")] == ["west-1", "west-1"]
    held = {(each["guardrail"], each["reason"]) for each in logged(done, "guardrail_held")}
    assert ("maxNodes", "the step would hit 2 nodes, at most 1 may be") in held
    assert logged(done, "machine_stopped") == []
