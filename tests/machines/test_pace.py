"""How patiently a cloud is asked: what is repeated, for how long, and what is said at the end."""

import asyncio
import itertools

import pytest

from seatrial.errors import MachineError
from seatrial.machines.pace import Pace, Passing

pytestmark = pytest.mark.looptime

PACE = Pace(first_seconds=1, most_seconds=10, answer_seconds=60, deadline_seconds=540)


def failing(*failures):
    """A question that fails in these ways before it is answered; and the moments when it was asked."""
    asked = []
    rest = list(failures)

    async def send():
        asked.append(asyncio.get_running_loop().time())
        if rest:
            raise rest.pop(0)
        return "at last"

    return send, asked


def passing(message="busy", **how):
    return Passing(MachineError(message, hint="wait"), **how)


async def test_what_passes_is_asked_again_later_and_later():
    """Until there is an answer."""
    send, asked = failing(passing(), passing(), passing())
    assert await PACE.ask(send, whom="the cloud") == "at last"
    assert len(asked) == 4
    assert asked[-1] - asked[0] <= 1 + 2 + 4


async def test_a_refusal_for_good_is_raised_at_once():
    """It is no use to ask again."""
    send, asked = failing(MachineError("no"))
    with pytest.raises(MachineError, match="no"):
        await PACE.ask(send, whom="the cloud")
    assert len(asked) == 1


async def test_it_is_not_asked_sooner_than_the_cloud_said():
    """As Retry-After has it."""
    send, asked = failing(passing(not_before_seconds=20))
    await PACE.ask(send, whom="the cloud")
    assert asked[1] - asked[0] >= 20


async def test_it_is_not_waited_for_what_would_come_too_late():
    """Where the cloud wants to be asked after the time that a question may take."""
    send, asked = failing(passing(not_before_seconds=7200))
    with pytest.raises(MachineError, match=r"the cloud did not answer within 60 s \(last: busy\)") as caught:
        await PACE.ask(send, whom="the cloud")
    assert caught.value.hint == "wait"
    assert asked == [pytest.approx(asyncio.get_running_loop().time())]


async def test_a_busy_cloud_is_given_up():
    """With what it said last, within the time that a question may take."""
    send, asked = failing(*[passing()] * 1000)
    begun = asyncio.get_running_loop().time()
    with pytest.raises(MachineError, match=r"did not answer within 60 s \(last: busy\)"):
        await PACE.ask(send, whom="the cloud")
    assert asyncio.get_running_loop().time() - begun <= 60
    assert 5 < len(asked) < 100


async def test_where_nobody_ever_answered_it_is_given_up_soon():
    """A wrong address isn't asked for a minute; what is said is its own error."""
    send, asked = failing(*[passing("nobody there", few_tries=True)] * 100)
    with pytest.raises(MachineError, match=r"^nobody there$"):
        await PACE.ask(send, whom="the cloud")
    assert len(asked) == 3


async def test_an_answer_that_never_comes_is_given_up():
    """Also where nothing at all was said."""
    with pytest.raises(MachineError, match=r"the cloud did not answer within 5 s$") as caught:
        await PACE.ask(asyncio.Event().wait, whom="the cloud", seconds=5)
    assert caught.value.hint


async def test_a_change_that_takes_too_long_tells_the_state_that_was_seen_last():
    """Where one was seen."""
    with pytest.raises(MachineError, match=r"stopping machine a took longer than 540 s: it was last seen STOPPING$"):
        await PACE.within_deadline(asyncio.Event().wait(), what="stopping machine a", seen=lambda: "STOPPING")
    with pytest.raises(MachineError, match=r"stopping machine a took longer than 540 s$"):
        await PACE.within_deadline(asyncio.Event().wait(), what="stopping machine a", seen=lambda: "")


async def test_a_timeout_of_somebody_else_is_left_alone():
    """Who waits for less long hears of it as they asked for."""

    async def out_of_time():
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await PACE.ask(out_of_time, whom="the cloud")
    with pytest.raises(TimeoutError):
        await PACE.within_deadline(out_of_time(), what="stopping", seen=str)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await PACE.ask(asyncio.Event().wait, whom="the cloud")


async def test_looks_are_seconds_apart():
    """At first a second or two, later up to eleven."""
    looks = []

    async def look():
        looks.append(asyncio.get_running_loop().time())
        return len(looks)

    assert await PACE.until(look, lambda seen: seen == 30) == 30
    pauses = [after - before for before, after in itertools.pairwise(looks)]
    assert min(pauses) >= 1
    assert pauses[0] <= 2
    assert max(pauses) <= 11
