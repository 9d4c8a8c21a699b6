"""Other people's clients, unmodified, take the sandbox for a cluster."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conformance.client_suite import CLIENTS, run_client


@pytest.mark.parametrize("name", CLIENTS)
async def test_a_client_works(name: str) -> None:
    """Everything that the client is asked to do, it does."""
    if find_spec(name.partition(".")[0]) is None:
        pytest.skip(f"{name} is not installed: `make test` installs the group `clients`")
    score = await run_client(Path(), name)
    assert [(outcome.case, outcome.problems) for outcome in score.outcomes if outcome.problems] == []
