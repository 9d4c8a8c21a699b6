"""Tests that take too long fail, and what they started ends."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytest_plugins = ["pytester"]

CONFIGURED = """
[pytest]
asyncio_mode = auto
timeout = 0.2
"""
TIMES = 5
TOO_LONG = f"""
import asyncio
import time

import pytest

ENDED = []


async def spin():
    try:
        while True:
            await asyncio.sleep(0)
    finally:
        ENDED.append("task")


@pytest.fixture
async def fixture():
    yield
    await asyncio.sleep(0)
    ENDED.append("fixture")


@pytest.mark.parametrize("number", range({TIMES}))
async def test_tasks_that_never_rest(fixture, number):
    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(spin())


def test_a_loop_of_its_own():
    asyncio.run(asyncio.sleep(60))


def test_no_loop():
    time.sleep(60)


@pytest.fixture
async def slow_to_start():
    await asyncio.sleep(60)


def test_a_setup_that_hangs(slow_to_start):
    pass


@pytest.fixture
async def slow_to_end():
    yield
    await asyncio.sleep(60)


async def test_a_teardown_that_hangs_after_a_failure(slow_to_end):
    raise ValueError


async def test_all_has_ended():
    assert ENDED == [*["task"] * 20, "fixture"] * {TIMES}
"""


@pytest.fixture
def run(pytester, monkeypatch):
    """Run the tests of a file in a process of their own, with these limits."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeini(CONFIGURED)
    pytester.makepyfile(TOO_LONG)
    return lambda *arguments: pytester.runpytest_subprocess("-p", "tests.time_limits", *arguments, timeout=100)


def test_whatever_takes_too_long_is_ended(run):
    """Wherever the limit finds a test: each fails, its tasks and fixtures end, and the next one runs."""
    result = run("-p", "no:xdist")
    result.assert_outcomes(failed=TIMES + 3, errors=2, passed=1)
    result.stdout.fnmatch_lines(["*CancelledError: Timeout (>0.2s) from pytest-timeout.*"])
