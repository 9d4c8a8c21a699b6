"""What the sandbox answers is measured against what a real cluster answered."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import chain
from pathlib import Path

import pytest

from seatrial.sandbox.timing import REALISTIC
from seatrial.testing import sandbox_cluster
from tests.conformance.__main__ import GOLDEN
from tests.conformance.access import Access, access, recorded_cluster
from tests.conformance.replay import SUITE, Replay

# Percent of a topic's recorded exchanges that are answered alike, deliberate differences aside, where it isn't all.
FLOORS = {
    "pod-io": 90,
    "tables": 98,
}


# Those that look at the whole cluster, or meet each other in a namespace, find it untouched; the others share one.
# They wait more than they work: those of a line run at the same time.
ALONE = (
    ("tables", "nodes", "selectors"),
    ("websocket", "namespaces", "crd", "discovery"),
)


@pytest.fixture(scope="module")
def shared() -> Iterator[Path]:
    """The kubeconfig of a cluster for several topics."""
    with asyncio.Runner() as runner:
        block = sandbox_cluster(nodes=3, timing=REALISTIC)
        yield runner.run(block.__aenter__()).kubeconfig
        runner.run(block.__aexit__(None, None, None))


async def replay(topic: str, cluster: AbstractAsyncContextManager[Access]) -> str:
    """Replay a topic; tells what is different where that is more than the floor allows."""
    async with cluster as reached:
        score = await Replay(reached, GOLDEN).run(topic)
    if score.percent >= FLOORS.get(topic, 100):
        return ""
    different = [outcome for outcome in score.outcomes if outcome.problems and not outcome.excuse]
    unlike = {outcome.case: outcome.problems[:3] for outcome in different}
    return f"{topic} {score.percent:.1f} %; not alike: {unlike}"


@pytest.mark.parametrize("topic", [topic for topic in SUITE.topics(GOLDEN) if topic not in chain(*ALONE)])
async def test_a_topic_is_answered_alike(topic: str, shared: Path) -> None:
    """Recorded requests get the recorded answers."""
    assert await replay(topic, access(shared)) == ""


@pytest.mark.parametrize("topics", ALONE, ids="+".join)
async def test_topics_about_the_whole_cluster_are_answered_alike(topics: Sequence[str]) -> None:
    """Recorded requests get the recorded answers of a cluster that holds nothing else."""
    told = await asyncio.gather(*(replay(topic, recorded_cluster()) for topic in topics))
    assert "".join(told) == ""


def test_every_floor_has_a_recording() -> None:
    """Each topic that is allowed to be different is recorded."""
    assert FLOORS.keys() <= set(SUITE.topics(GOLDEN))
