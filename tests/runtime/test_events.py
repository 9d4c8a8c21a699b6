import asyncio
import logging
import threading
import time

from seatrial.runtime.clock import SystemClock
from seatrial.runtime.events import EventStream, RoundStarted, Where


async def test_listeners_get_every_event_in_order_with_both_times():
    """Each record has its place, a rising sequence, a monotonic time and a wall-clock time with a zone."""
    stream, seen = EventStream(SystemClock()), []
    stream.subscribe(seen.append)
    for number in (1, 2, 3):
        stream.publish(RoundStarted(number=number), Where(round=number))
    await stream.close()
    assert [record.event.number for record in seen] == [1, 2, 3]
    assert [record.sequence for record in seen] == [1, 2, 3]
    assert [record.where.round for record in seen] == [1, 2, 3]
    assert seen[0].monotonic <= seen[-1].monotonic
    assert seen[0].time.tzinfo is not None


async def test_a_listener_that_fails_hurts_neither_the_run_nor_the_others(caplog):
    """An exception in one listener is logged once; the others get everything."""
    stream, seen = EventStream(SystemClock()), []

    def broken(record):
        raise ValueError(record.sequence)

    stream.subscribe(broken)
    stream.subscribe(seen.append)
    with caplog.at_level(logging.ERROR):
        stream.publish(RoundStarted(number=1))
        stream.publish(RoundStarted(number=2))
        await stream.close()
    assert len(seen) == 2
    assert len([record for record in caplog.records if "listener failed" in record.message]) == 1


async def test_a_listener_that_stands_still_holds_nothing_up():
    """Publishing returns although the listener blocks, and closing gives up on it after its deadline."""
    stream, release, seen = EventStream(SystemClock()), threading.Event(), []

    def stuck(record):
        release.wait()
        seen.append(record)

    stream.subscribe(stuck)
    stream.publish(RoundStarted(number=1))
    await stream.close(deadline_seconds=0.05)
    assert seen == []
    release.set()


async def test_closing_at_any_moment_loses_nothing():
    """However closing falls between two batches, it ends soon and every event has arrived."""
    for _ in range(20):
        stream, seen = EventStream(SystemClock()), []
        stream.subscribe(seen.append)
        stream.publish(RoundStarted(number=1))
        await asyncio.sleep(0.02)  # the length of a batch: closing comes when the listener's thread wakes up
        stream.publish(RoundStarted(number=2))
        begun = asyncio.get_running_loop().time()
        await stream.close(deadline_seconds=5)
        assert asyncio.get_running_loop().time() - begun < 4
        assert len(seen) == 2


async def test_who_waits_sees_that_every_listener_has_caught_up():
    """What was published before is heard by all when it returns, however slowly they hear."""
    stream, seen = EventStream(SystemClock()), []

    def slow(record):
        time.sleep(0.01)
        seen.append(record)

    stream.subscribe(slow)
    stream.subscribe(seen.append)
    for number in range(1, 11):
        stream.publish(RoundStarted(number=number))
        await stream.caught_up()
        assert len(seen) == 2 * number
    await stream.close()


async def test_a_listener_that_stands_still_is_waited_for_within_bounds():
    """A terminal that nobody reads must not hold up the next prompt for good."""
    stream, release = EventStream(SystemClock()), threading.Event()
    stream.subscribe(lambda _record: release.wait())
    stream.publish(RoundStarted(number=1))
    async with asyncio.timeout(30):
        await stream.caught_up(deadline_seconds=0.05)
    release.set()
    await stream.close()
