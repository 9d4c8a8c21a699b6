"""Fixtures for the programs of the built-in images."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.sandbox.images.containers import Containers, random_address


@pytest.fixture
def containers() -> Iterator[Containers]:
    """Starts programs; kills what is left at the end."""
    containers = Containers()
    yield containers
    containers.close()


@pytest.fixture
def pod_ip() -> str:
    """An address that no other test and no sandbox uses."""
    return random_address()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    """The directory below which a container's volumes are mounted."""
    return tmp_path
