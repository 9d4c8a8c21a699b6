"""What these tests need of the test runner."""

import asyncio

import pytest


@pytest.fixture(scope="session", autouse=True)
def _no_stray_event_loop() -> None:
    """Tests that aren't asynchronous get no event loop: looptime would make one for them and never close it."""
    asyncio.set_event_loop(None)
