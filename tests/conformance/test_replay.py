"""What the sandbox answers is measured against what a real API server answered."""

from pathlib import Path

import pytest

from tests.conformance.replay import GOLDEN, replay

# Percent of a topic's recorded exchanges that are answered alike: a lower score is a step back. What is missing in the
# lower ones is other programs' work (kubelets, some controllers), custom resources, protobuf, exec.
FLOORS = {
    "auth": 90,
    "defaults": 100,
    "delete": 91,
    "discovery": 74,
    "errors": 95,
    "field-validation": 100,
    "namespaces": 71,
    "paging": 100,
    "pods-crud": 92,
    "selectors": 92,
    "server-side-apply": 77,
    "subresources": 66,
    "tables": 71,
    "validation": 88,
    "watch": 72,
}


@pytest.mark.parametrize("topic", FLOORS)
async def test_a_topic_keeps_its_score(topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recorded requests get the recorded answers, at least as often as the floor says."""
    # How long the server waits for a revision to come doesn't show in its answer.
    monkeypatch.setattr("seatrial.sandbox.apiserver.lists._FUTURE_PATIENCE_SECONDS", 0.1)
    async with replay(tmp_path) as replaying:
        score = await replaying.run(topic)
    unlike = [outcome.case for outcome in score.outcomes if outcome.problems]
    assert score.percent >= FLOORS[topic], f"{score.percent:.1f} %; not alike: {unlike}"


def test_every_floor_has_a_recording() -> None:
    """Each topic tested is recorded."""
    assert {f"{topic}.jsonl" for topic in FLOORS} <= {path.name for path in GOLDEN.iterdir()}
