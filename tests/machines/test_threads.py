"""Calls that block: bounded in number, and in nobody's way when they hang."""

import asyncio
import subprocess
import sys
import threading

import pytest

from seatrial.machines.threads import Threads


async def test_what_a_call_returns_or_raises_comes_back():
    """From a thread that bears the cloud's name."""
    threads = Threads(2, name="aws")
    assert await threads.run(lambda: threading.current_thread().name) == "aws"
    with pytest.raises(KeyError):
        await threads.run(lambda: {}["no"])


async def test_there_are_never_more_at_once_than_was_said():
    """Further ones wait for a place, in turn."""
    threads = Threads(3, name="t")
    at_work, most, guard = 0, 0, threading.Lock()
    all_there = threading.Barrier(3)

    def call():
        nonlocal at_work, most
        with guard:
            at_work += 1
            most = max(most, at_work)
        all_there.wait(30)
        with guard:
            at_work -= 1

    async with asyncio.TaskGroup() as tasks:
        for _ in range(9):
            tasks.create_task(threads.run(call))
    assert most == 3


async def test_who_is_interrupted_does_not_wait_and_the_place_is_taken_until_the_call_returns():
    """So that calls which hang never add up."""
    threads = Threads(1, name="t")
    begun, let_go = threading.Event(), threading.Event()

    def hang():
        begun.set()
        let_go.wait(30)

    hanging = asyncio.create_task(threads.run(hang))
    await asyncio.to_thread(begun.wait, 30)
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging
    following = asyncio.create_task(threads.run(lambda: "after it"))
    assert not (await asyncio.wait({following}, timeout=0.05))[0]
    let_go.set()
    assert await asyncio.wait_for(following, 30) == "after it"


async def test_an_interrupted_wait_for_a_place_takes_none():
    """The next one gets it."""
    threads = Threads(1, name="t")
    let_go = threading.Event()
    first = asyncio.create_task(threads.run(lambda: let_go.wait(30)))
    await asyncio.sleep(0)
    second = asyncio.create_task(threads.run(lambda: "second"))
    await asyncio.sleep(0)
    second.cancel()
    let_go.set()
    assert await first
    assert await threads.run(lambda: "third") == "third"


def test_a_call_that_hangs_does_not_keep_the_program_from_ending():
    """Python's own pools are waited for at the exit."""
    code = """
import asyncio, threading
from seatrial.machines.threads import Threads

async def main():
    try:
        async with asyncio.timeout(0.05):
            await Threads(1, name="t").run(threading.Event().wait)
    except TimeoutError:
        print("given up")

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("given up\n", "")
