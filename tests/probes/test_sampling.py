from dataclasses import dataclass

import pytest

from seatrial.errors import ClusterError
from seatrial.probes.sampling import Look, sample
from seatrial.runtime.verdict import Verdict


@dataclass(frozen=True)
class Pace:
    """How often to look."""

    retries: int = 3
    delay_ms: float = 100
    count: int = 1


def looking(*looks):
    """Shows these in turn; errors are raised."""
    left = list(looks)

    async def look():
        seen = left.pop(0)
        if isinstance(seen, Exception):
            raise seen
        return seen

    return look


GOOD, BAD = Look(answer="fine", latency_ms=1.5), Look(problem="broken")
UNSEEN = ClusterError("the API server is gone")


async def sampled(recorder, pace, *looks):
    return await sample(pace, recorder.context, what="GET x", target="x", via="url", look=looking(*looks))


async def test_the_first_try_that_succeeds_is_enough(recorder):
    """Every look is an event, with the number of its try."""
    assert (await sampled(recorder, Pace(), BAD, GOOD)).passed
    events = await recorder.events()
    assert [(event.ok, event.attempt, event.error, event.answer) for event in events] == [
        (False, 0, "broken", ""),
        (True, 1, "", "fine"),
    ]
    assert recorder.clock.slept == [0.1]


async def test_each_of_count_looks_has_its_own_tries(recorder):
    """The first one that uses them up fails the probe; no more are taken then."""
    outcome = await sampled(recorder, Pace(count=3, retries=2), BAD, GOOD, BAD, BAD)
    assert outcome.verdict is Verdict.FAILED
    assert outcome.reasons == ("GET x: broken after 2 tries",)


async def test_a_look_that_could_not_be_taken_is_tried_again(recorder):
    """An API server that comes back is no reason to give up; a look that showed nothing is no event."""
    assert (await sampled(recorder, Pace(), UNSEEN, GOOD)).passed
    assert [event.ok for event in await recorder.events()] == [True]


async def test_a_last_look_that_could_not_be_taken_is_an_error(recorder):
    """Whatever was seen before: the step becomes inconclusive."""
    with pytest.raises(ClusterError):
        await sampled(recorder, Pace(), BAD, BAD, UNSEEN)
