"""The work queue: each key once at a time, none lost, failures with pauses."""

import asyncio

import pytest

from seatrial.sandbox.work_queue import WorkQueue

pytestmark = pytest.mark.looptime


def clock() -> float:
    """The loop's time."""
    return asyncio.get_running_loop().time()


async def test_a_waiting_key_is_not_queued_twice() -> None:
    """Three wishes for one key are one piece of work."""
    queue: WorkQueue[str] = WorkQueue()
    for _ in range(3):
        queue.add("a")
    queue.add("b")
    assert len(queue) == 2
    assert [await queue.get(), await queue.get()] == ["a", "b"]


async def test_a_key_that_changes_while_in_work_comes_again_afterwards() -> None:
    """It isn't handed to a second worker meanwhile, and isn't forgotten."""
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    key = await queue.get()
    queue.add("a")
    assert len(queue) == 0
    queue.done(key)
    assert await queue.get() == "a"
    queue.done("a")
    assert len(queue) == 0


async def test_failures_pause_longer_each_time() -> None:
    """5 ms, doubling; forgetting starts over; there is a longest pause."""
    queue: WorkQueue[str] = WorkQueue(max_delay_seconds=1.0)
    pauses = []
    for _ in range(12):
        began = clock()
        queue.add_rate_limited("a")
        await queue.get()
        queue.done("a")
        pauses.append(clock() - began)
    assert pauses[:4] == pytest.approx([0.005, 0.01, 0.02, 0.04], rel=0.05)
    assert pauses[-1] == pytest.approx(1.0, rel=0.05)
    assert queue.failures("a") == 12
    queue.forget("a")
    assert queue.failures("a") == 0


async def test_of_several_delays_the_first_to_end_counts() -> None:
    """A later delay doesn't put off an earlier one, and a key comes once."""
    queue: WorkQueue[str] = WorkQueue()
    began = clock()
    queue.add_after("a", 10)
    queue.add_after("a", 2)
    queue.add_after("a", 5)
    await queue.get()
    queue.done("a")
    assert clock() - began == pytest.approx(2, abs=0.1)
    await asyncio.sleep(20)
    assert len(queue) == 0


async def test_work_that_raises_is_tried_again() -> None:
    """A failing handler costs its key a pause, and the other keys nothing."""
    queue: WorkQueue[str] = WorkQueue()
    tries: list[str] = []
    finished = asyncio.Event()

    async def handle(key: str) -> None:
        tries.append(key)
        if key == "bad" and tries.count("bad") < 3:
            raise ValueError(key)
        if key == "bad":
            finished.set()

    queue.add("bad")
    queue.add("good")
    worker = asyncio.create_task(queue.work(handle))
    await finished.wait()
    worker.cancel()
    assert tries == ["bad", "good", "bad", "bad"]


async def test_one_key_is_never_with_two_workers() -> None:
    """Eight workers and a stream of wishes for one key: one at a time."""
    queue: WorkQueue[str] = WorkQueue()
    at_once, most, rounds = 0, 0, 0

    async def handle(_key: str) -> None:
        nonlocal at_once, most, rounds
        at_once += 1
        most = max(most, at_once)
        rounds += 1
        queue.add("a")
        await asyncio.sleep(0.01)
        at_once -= 1

    queue.add("a")
    worker = asyncio.create_task(queue.work(handle, workers=8))
    await asyncio.sleep(1)
    worker.cancel()
    assert most == 1
    assert rounds >= 90
