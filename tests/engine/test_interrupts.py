import asyncio
import os
import signal

import pytest

from seatrial.engine.interrupts import SIGNALS, Interrupts


async def for_ever():
    await asyncio.Event().wait()


async def ended(task):
    await asyncio.wait({task})
    return task.cancelled()


async def test_the_first_request_cancels_the_guarded_task():
    """Asked once, the experiment ends and its reason is known; nobody is told to hurry."""
    interrupts = Interrupts()
    task = asyncio.create_task(for_ever())
    with interrupts.guarding(task):
        interrupts.request("SIGINT")
        assert await ended(task)
    assert (interrupts.requested, interrupts.reason, interrupts.hurry.is_set()) == (True, "SIGINT", False)


async def test_the_second_request_hurries_and_cancels_nothing_again():
    """Asked twice, clean-up that runs in the guarded task is hurried, not cancelled a second time."""
    interrupts, cleaned = Interrupts(), []

    async def cleans_up():
        try:
            await for_ever()
        finally:
            interrupts.request("SIGTERM")
            await asyncio.sleep(0)
            cleaned.append(interrupts.hurry.is_set())

    task = asyncio.create_task(cleans_up())
    await asyncio.sleep(0)
    with interrupts.guarding(task):
        interrupts.request("SIGINT")
        assert await ended(task)
    assert cleaned == [True]


async def test_the_reason_is_that_of_the_first_request():
    """Ctrl-C, then SIGTERM: the run was stopped by Ctrl-C."""
    interrupts = Interrupts()
    interrupts.request("SIGINT")
    interrupts.request("SIGTERM")
    assert interrupts.reason == "SIGINT"


async def test_each_request_is_announced():
    """Every request is told with its name, and whether it is one to hurry."""
    told = []
    interrupts = Interrupts(lambda reason, hurry: told.append((reason, hurry)))
    for reason in ("SIGINT", "SIGTERM", "SIGINT"):
        interrupts.request(reason)
    assert told == [("SIGINT", False), ("SIGTERM", True), ("SIGINT", True)]


async def test_a_request_before_the_task_is_guarded_is_not_lost():
    """What was asked while nothing ran cancels the next task at once."""
    interrupts = Interrupts()
    interrupts.request("SIGINT")
    task = asyncio.create_task(for_ever())
    with interrupts.guarding(task):
        assert await ended(task)


async def test_after_a_block_the_task_around_it_is_guarded_again():
    """Guards nest: a request goes to the innermost task, after its block to the one outside."""
    interrupts = Interrupts()
    outer, inner = asyncio.create_task(for_ever()), asyncio.create_task(for_ever())
    with interrupts.guarding(outer):
        with interrupts.guarding(inner):
            pass
        interrupts.request("SIGINT")
        assert await ended(outer)
    assert not inner.done()
    inner.cancel()


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
async def test_signals_of_the_process_are_requests(number):
    """Ctrl-C, SIGTERM and a terminal that closes ask to stop, by the signal's name."""
    heard = asyncio.Event()
    interrupts = Interrupts(lambda _reason, _hurry: heard.set())
    with interrupts.installed():
        os.kill(os.getpid(), number)
        await asyncio.wait_for(heard.wait(), 30)
    assert interrupts.reason == number.name


async def test_signals_do_what_they_did_before_when_the_block_ends():
    """Nothing stays installed: Ctrl-C after a run is Python's own again."""
    with Interrupts().installed():
        pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
