"""An API server that is slow or fails now and then."""

import asyncio
import random
from collections import Counter

import pytest

from seatrial.errors import UsageError
from seatrial.sandbox.api import ApiError
from seatrial.sandbox.control.disturber import Disturber
from seatrial.sandbox.disturbance import Disturbance


async def outcome(disturber: Disturber) -> int:
    """200, or the status of the failure."""
    try:
        await disturber.pass_through()
    except ApiError as error:
        return error.code
    return 200


@pytest.mark.looptime
async def test_requests_are_held_up_by_latency_and_jitter() -> None:
    """Each takes the latency, give or take the jitter."""
    disturber = Disturber(Disturbance(latency_seconds=0.3, jitter_seconds=0.1), random.Random(7))
    loop, taken = asyncio.get_running_loop(), []
    for _ in range(50):
        began = loop.time()
        await disturber.pass_through()
        taken.append(loop.time() - began)
    assert 0.2 <= min(taken) < 0.25
    assert 0.35 < max(taken) <= 0.4


async def test_a_share_of_the_requests_fails() -> None:
    """The share is that of the error rate."""
    disturber = Disturber(Disturbance(error_rate=0.2, status=503), random.Random(7))
    outcomes = Counter([await outcome(disturber) for _ in range(1000)])
    assert 150 < outcomes[503] < 250
    assert outcomes[200] + outcomes[503] == 1000


async def test_too_many_requests_says_when_to_come_again() -> None:
    """A 429 carries Retry-After."""
    disturber = Disturber(Disturbance(error_rate=1, status=429))
    with pytest.raises(ApiError) as refused:
        await disturber.pass_through()
    assert refused.value.__dict__["headers"] == {"Retry-After": "1"}
    assert refused.value.status["reason"] == "TooManyRequests"


@pytest.mark.parametrize(
    "settings",
    [
        {"latency_seconds": -1.0},
        {"latency_seconds": 61.0},
        {"jitter_seconds": 0.1},
        {"error_rate": 1.5},
        {"status": 404},
    ],
)
def test_settings_have_bounds(settings: dict[str, float]) -> None:
    """What makes no sense is refused."""
    with pytest.raises(UsageError):
        Disturbance(**settings)  # type: ignore[arg-type]
