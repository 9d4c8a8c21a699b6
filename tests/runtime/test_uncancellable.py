import asyncio

import pytest

from seatrial.runtime.uncancellable import uncancellable


async def test_work_goes_on_through_any_number_of_cancellations():
    """Three cancellations in a row don't reach the work; the caller learns of them when it is done."""
    steps, may_finish = [], asyncio.Event()

    async def work():
        steps.append("begun")
        await may_finish.wait()
        steps.append("done")

    task = asyncio.create_task(uncancellable(work()))
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.sleep(0)
    assert steps == ["begun"]
    may_finish.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert steps == ["begun", "done"]


async def test_whoever_wants_to_know_of_cancellations_is_told():
    """Each time, and how many there were: who asks twice may be in a hurry."""
    told, may_finish = [], asyncio.Event()
    task = asyncio.create_task(uncancellable(may_finish.wait(), on_cancel=told.append))
    for _ in range(2):
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.sleep(0)
    may_finish.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert told == [1, 2]


async def test_its_result_comes_back():
    """Undisturbed, it is an ordinary call."""

    async def work():
        await asyncio.sleep(0)
        return 42

    assert await uncancellable(work()) == 42


async def test_its_error_comes_out():
    """An exception of the work is raised, not lost."""

    async def work():
        await asyncio.sleep(0)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 -- bare on purpose
        await uncancellable(work())


async def test_a_cancellation_is_passed_on_also_where_the_work_fails():
    """Who was asked to stop does not go on because a disk was full at that moment; the error is the cause."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def work():
        begun.set()
        await go_on.wait()
        raise OSError("disk full")

    task = asyncio.create_task(uncancellable(work()))
    await begun.wait()
    task.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert isinstance(caught.value.__cause__, OSError)
