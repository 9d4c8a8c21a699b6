import pytest

from seatrial.kube.client import connect
from seatrial.kube.resources import NAMESPACES
from seatrial.testing import sandbox_cluster
from tests.accuracy import measure

# The figure that is promised, 20 ms on an idle machine, is measured by `benchmarks/accuracy.py`; a machine that others
# use too delays one of two watchers by more.
_MOST_MS = 3000.0


@pytest.fixture
async def comparison():
    """One scenario on a whole sandbox, watched by us and by somebody else."""
    async with (
        sandbox_cluster(nodes=2) as sandbox,
        await connect(kubeconfig=sandbox.kubeconfig) as cluster,
    ):
        await cluster.create(NAMESPACES, {"metadata": {"name": "accuracy"}})
        return await measure(cluster, str(sandbox.kubeconfig), "accuracy")


async def test_our_times_are_those_of_an_independent_watcher(comparison):
    """Recovery, readiness and scaling as a program sees them that shares nothing with ours, on the same clock."""
    assert {each.name for each in comparison.moments} == {
        "gone", "created", "running", "recovered", "endpoint", "timeToReady", "timeToScale",
    }  # fmt: skip
    assert [each for each in comparison.moments if abs(each.difference_ms) > _MOST_MS] == []
    # What is counted from our request begins before anybody could see its effect.
    since_request = [each for each in comparison.moments if each.name.startswith("timeTo")]
    assert [each for each in since_request if each.difference_ms < -_MOST_MS / 3] == []
    # A pod is gone when its process has ended, not before.
    assert comparison.process_ended <= comparison.gone + _MOST_MS / 1000
