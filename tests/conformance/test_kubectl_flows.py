"""Recorded kubectl sessions, replayed with the kubectls of this machine."""

import asyncio
import itertools
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from seatrial.sandbox.cluster_config import ClusterConfig
from seatrial.sandbox.owner import Sandbox, start_sandbox
from tests.conformance.kubectl_flows import SUITE
from tests.kubectls import kubectls

GOLDEN = Path(__file__).parent / "golden"
FLOORS = {
    "applying": 100,
    "crds": 100,
    "deleting": 95,
    "discovery": 100,
    "get-basics": 100,
    "jobs": 100,
    "metadata": 100,
    "nodes": 100,
    "pod-io": 95,
    "protobuf": 100,
    "rollouts": 95,
    "statefuls": 95,
    "waiting": 100,
    "watching": 85,
}
"""How many percent of a flow's commands print what they printed against a real cluster, at least.

All of them do; where a flow looks at what is just happening, a busy machine may look too late once.
"""
TOGETHER = (
    ("pod-io", "get-basics", "protobuf", "crds"),
    ("watching", "rollouts", "nodes", "discovery"),
    ("deleting", "applying", "jobs", "waiting", "statefuls", "metadata"),
)
"""Which flows are replayed at the same time, each on a sandbox of its own: they wait more than they work."""
SMOKE = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  replicas: 1
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec: {terminationGracePeriodSeconds: 1, containers: [{name: c, image: "nginx:1.27"}]}
"""


@pytest.mark.skipif("1.36" not in kubectls(), reason="there is no kubectl 1.36 on this machine")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("flows", TOGETHER, ids="+".join)
async def test_flows_keep_their_scores(flows: Sequence[str]) -> None:
    """Every command prints the same and ends with the same exit code, but for what is listed as different."""
    scores = await asyncio.gather(*(SUITE.replay(GOLDEN, f"{flow}.1.36") for flow in flows))
    below = {
        flow: [f"{outcome.case}: {outcome.problems}" for outcome in score.outcomes if outcome.problems]
        for flow, score in zip(flows, scores, strict=True)
        if score.percent < FLOORS[flow]
    }
    assert below == {}


def test_every_flow_has_its_turn() -> None:
    """Each flow with a floor is replayed, once."""
    assert sorted(itertools.chain(*TOGETHER)) == sorted(FLOORS)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox that all versions share."""
    owned = start_sandbox(ClusterConfig(name="box", directory=tmp_path_factory.mktemp("state") / "box", nodes=1))
    yield owned.sandbox
    owned.close()


@pytest.mark.parametrize("version", kubectls())
def test_every_kubectl_gets_along(version: str, cluster: Sandbox, tmp_path: Path) -> None:
    """Apply, wait for the rollout, look at it, run something in it, delete it: with each version found."""
    name = f"web-{version.replace('.', '-')}"
    manifest = tmp_path / "web.yaml"
    manifest.write_text(SMOKE.replace("NAME", name))

    def kubectl(*arguments: str) -> str:
        command = [kubectls()[version], "--kubeconfig", str(cluster.kubeconfig), "--cache-dir", str(tmp_path / "cache")]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert kubectl("apply", "-f", str(manifest)) == f"deployment.apps/{name} created\n"
    assert "successfully rolled out" in kubectl("rollout", "status", f"deployment/{name}", "--timeout=30s")
    assert "1/1" in kubectl("get", "deployment", name)
    assert "ScalingReplicaSet" in kubectl("describe", "deployment", name)
    assert kubectl("exec", f"deployment/{name}", "--", "echo", "hello") == "hello\n"
    assert kubectl("create", "configmap", name, "--from-literal=a=1") == f"configmap/{name} created\n"
    assert f'"{name}" deleted' in kubectl("delete", "-f", str(manifest))
