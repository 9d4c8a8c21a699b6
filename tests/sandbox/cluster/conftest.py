"""A running sandbox for the tests of a module, and kubectl."""

from collections.abc import Iterator

import pytest

from seatrial.sandbox.cluster_config import ClusterConfig
from seatrial.sandbox.owner import Sandbox, start_sandbox
from tests.sandbox.cluster.sandboxes import EXAMPLES, Kubectl


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox of four nodes that the tests of a module share."""
    directory = tmp_path_factory.mktemp("state") / "box"
    images = {"me/counter": ("sh", "-c", "echo counting from $START; exec sleep 600")}
    owned = start_sandbox(ClusterConfig(name="box", directory=directory, images=images))
    yield owned.sandbox
    owned.close()


@pytest.fixture(scope="module")
def kubectl(cluster: Sandbox) -> Kubectl:
    """Runs kubectl on the shared sandbox."""
    return Kubectl(cluster)


@pytest.fixture(scope="module")
def goldpinger(kubectl: Kubectl) -> str:
    """Three goldpinger pods, Ready; answers the Service's cluster IP."""
    kubectl("apply", "-f", str(EXAMPLES / "manifests" / "goldpinger.yml"))
    kubectl("rollout", "status", "deployment/goldpinger", "--timeout=30s")
    return kubectl("get", "service", "goldpinger", "-o", "jsonpath={.spec.clusterIP}")
