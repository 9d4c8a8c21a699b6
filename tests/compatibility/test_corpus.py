"""Policies in the documented style of PowerfulSeal 3.x: they are valid as they stand, and run as they stand."""

import json
from pathlib import Path

import pytest
import yaml

from seatrial.policy.load import load_policy
from seatrial.policy.models import Policy
from seatrial.steps.registry import policy_model
from tests.e2e.conftest import ROOT

POLICIES = sorted((Path(__file__).parent / "policies").glob("*.yml"))
EXAMPLES = sorted((ROOT / "examples").glob("*.yml"))

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: nginx
        ports: [{containerPort: 80}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80}]
"""

RUNS = {
    "new-pod-slo": "passed",
    "pods-come-back": "passed",
    "verify-pods": "passed",
    "every-filter": "passed",
    "clone-toxiproxy": "passed",
    "forgiving": "inconclusive",
    "nodes": "passed",
    "stop-host": "passed",
}


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_each_is_valid_as_it_stands(path):
    """No key, value or shape of the old language is refused."""
    assert isinstance(load_policy(path, model=policy_model()), Policy)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_our_examples_are_valid(path):
    """What the documentation points to."""
    assert isinstance(load_policy(path, model=policy_model()), Policy)


def test_the_corpus_names_every_step_and_field_of_the_old_language():
    """Each step, matcher, filter, action and mutation that PowerfulSeal 3.x had stands in one of the files."""
    keys = {key for path in POLICIES for key in _keys(yaml.safe_load(path.read_text()))}
    old = """
        podAction nodeAction kubectl probeHTTP wait clone alertManagerAction matches filters actions retries
        namespace deployment labels property dayTime randomSample probability size ratio negative
        onlyDays startTime endTime
        kill force checkPodState checkPodCount stopHost autoRestart start stop execute cmd
        action payload autoDelete proxy kubectlBinary
        target url service delay timeout code count endpoint method body headers insecure protocol
        source replicas label servicesToRetarget mutations environment tc command args user image
        toxiproxy imageIptables imageToxiproxy toxiproxyCli proxies listen upstream toxics targetProxy toxicType
        toxicAttributes targets mute duration autoUnmute http https retriesCount retriesTimeout sleep
        runStrategy strategy runs minSecondsBetweenRuns maxSecondsBetweenRuns exitStrategy
    """
    assert set(old.split()) - keys == set()


def _keys(value):
    if isinstance(value, dict):
        yield from value
        for each in value.values():
            yield from _keys(each)
    elif isinstance(value, list):
        for each in value:
            yield from _keys(each)


@pytest.mark.parametrize("name", RUNS)
def test_each_runs_as_it_stands(on_cluster, tmp_path, name):
    """On a sandbox with a small web service: the verdict is the one that the policy's author would expect."""
    manifests = tmp_path / "web.yml"
    manifests.write_text(WEB)
    policy = Path(__file__).parent / "policies" / f"{name}.yml"
    done = on_cluster.run("autonomous", "--policy-file", policy, "--load", manifests, "--output", "json", "--seed", 7)
    assert done.stdout, done.stderr
    result = json.loads(done.stdout)
    assert (result["verdict"], result["undo"]["failed"]) == (RUNS[name], []), (result["reasons"], done.stderr[-3000:])
    assert "Traceback" not in done.stderr
