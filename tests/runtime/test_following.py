import asyncio

from seatrial.runtime.clock import SystemClock
from seatrial.runtime.events import EventStream, PauseStarted, RoundStarted
from seatrial.runtime.events import following as module
from seatrial.runtime.events.following import Following


async def test_only_what_is_followed_gets_to_the_loop():
    """Kinds that nobody asked for cost the loop nothing; the rest comes in order, then the end."""
    events = EventStream(SystemClock())
    following = Following(events, {RoundStarted})
    for number in range(3):
        events.publish(RoundStarted(number=number))
        events.publish(PauseStarted(seconds=1))
    await following.finish()
    heard = [await following.next() for _ in range(4)]
    assert [record.event.number for record in heard[:3]] == [0, 1, 2]
    assert heard[3] is None
    await events.close()


async def test_who_follows_too_slowly_loses_what_comes(monkeypatch):
    """It is counted, and no memory fills."""
    monkeypatch.setattr(module, "_MOST_WAITING", 2)
    events = EventStream(SystemClock())
    following = Following(events, {RoundStarted})
    for number in range(5):
        events.publish(RoundStarted(number=number))
    await following.finish()
    assert [(await following.next()).event.number for _ in range(2)] == [0, 1]
    assert following.lost == 3
    await events.close()


def test_a_loop_that_has_ended_is_not_told():
    """A listener's thread outlives the loop for a moment; that is no error."""

    async def run():
        events = EventStream(SystemClock())
        return Following(events, {RoundStarted}), events

    following, events = asyncio.run(run())
    following._hear(type("Record", (), {"event": RoundStarted(number=1)})())
    asyncio.run(events.close())
    assert following.lost == 0
