"""What controllers and kubelets make of things over time, measured against a real cluster's."""

import asyncio

import pytest

from tests.conformance.__main__ import GOLDEN
from tests.conformance.timeline_comparison import alike
from tests.conformance.timelines import SUITE, replay

# The others take as long as what they record; `make conformance` replays them all.
SHORT = ("deployment-create", "garbage-collection", "statefulset")


async def test_timelines_are_alike() -> None:
    """The same objects come, change and go in the same order, and the same is told about them."""
    scores = await asyncio.gather(*(replay(GOLDEN, topic) for topic in SHORT))
    unlike = {
        (topic, outcome.case): (outcome.problems[:3], score.notes)
        for topic, score in zip(SHORT, scores, strict=True)
        for outcome in score.outcomes
        if outcome.problems
    }
    assert unlike == {}


def test_short_timelines_are_recorded() -> None:
    """Each timeline that is replayed here exists."""
    assert set(SHORT) <= set(SUITE.topics(GOLDEN))


def spread(values: list[object]) -> list[tuple[float, object]]:
    """Values that lasted ten seconds each."""
    return [(10_000.0 * number, value) for number, value in enumerate(values)]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(["a", "b", "c"], ["a", "b", "c"]), ([0, 3], [0, 1, 2, 3]), ([0, 1, 2, 3], [0, 3])],
)
def test_counts_may_be_passed_over(ours: list[object], theirs: list[object]) -> None:
    """The order of values is the same; numbers may be skipped on their way, here as there."""
    assert alike(spread(ours), spread(theirs), end_ms=(None, None))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (["a", "c"], ["a", "b", "c"]),
        (["a", "b"], ["b", "a"]),
        ([0, 2], [0, 3]),
        (["a", "x", "c"], ["a", "c"]),
        ([False, True], [False, True, False]),
    ],
)
def test_states_that_lasted_may_not_be_missing(ours: list[object], theirs: list[object]) -> None:
    """Neither may there be others, or another order, or another end."""
    assert not alike(spread(ours), spread(theirs), end_ms=(None, None))


def test_what_was_there_for_a_moment_may_be_missed() -> None:
    """A state of less than some seconds between two others need not be seen; the last one must be."""
    theirs = [(0.0, "waiting"), (5000.0, "running"), (5500.0, "ended")]
    assert alike([(0.0, "waiting"), (100.0, "ended")], theirs, end_ms=(None, None))
    assert not alike([(0.0, "waiting"), (100.0, "running")], theirs, end_ms=(None, None))


def test_the_end_may_overtake_the_last_moments() -> None:
    """What a deleted object came to right before its end counts only if it was there for long."""
    theirs = [(0.0, "ready"), (9000.0, "unready")]
    assert alike([(0.0, "ready")], theirs, end_ms=(3000.0, 9100.0))
    assert not alike([(0.0, "ready")], theirs, end_ms=(3000.0, 20_000.0))
    assert not alike([(0.0, "ready")], theirs, end_ms=(None, 9100.0))
