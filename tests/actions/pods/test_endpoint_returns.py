import asyncio

import pytest

from seatrial.actions.pods.endpoint_returns import EndpointReturns
from seatrial.runtime.events import PodRef
from seatrial.runtime.sightings import ServiceLook, Sightings

SERVICE = ("shop", "cart")
OLD = PodRef(namespace="shop", name="old", uid="old")
NEW = PodRef(namespace="shop", name="new", uid="new")


def follow(*, behind=None, is_probed=False):
    """Returns of the killed pod `old`, and what they tell."""
    told, sightings = [], Sightings()
    if is_probed:
        ask(sightings, ok=True, began=0.0)
    returns = EndpointReturns(behind or {"old": [SERVICE]}, sightings=sightings, emit=told.append)
    returns.kill_sent(OLD, 10.0)
    return returns, sightings, told


def ask(sightings, *, ok, began, ended=None, service=SERVICE):
    look = ServiceLook(service=service, ok=ok, began=began, ended=began if ended is None else ended)
    sightings.service_asked(look, in_background=True)


def measured(told):
    return [(each.name, pytest.approx(each.seconds), each.is_lower_bound) for each in told]


async def is_complete(returns):
    try:
        async with asyncio.timeout(0.01):
            await returns.wait()
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize("endpoint_first", [True, False])
async def test_the_replacement_as_an_endpoint_is_measured_from_the_kill(endpoint_first):
    """In whichever order its readiness and its endpoint are seen; the time is that of the endpoint."""
    returns, _, told = follow()
    if endpoint_first:
        returns.endpoint_ready("new", SERVICE, 10.8)
        returns.recovered(OLD, NEW)
    else:
        returns.recovered(OLD, NEW)
        assert not await is_complete(returns)
        returns.endpoint_ready("new", SERVICE, 10.8)
    assert measured(told) == [("timeToEndpoint", 0.8, False)]
    assert told[0].of == "pod shop/old in Service shop/cart"
    assert await is_complete(returns)


async def test_other_pods_and_services_don_t_count():
    """A new pod of somebody else, or the replacement behind another Service, is not what is waited for."""
    returns, _, told = follow()
    returns.endpoint_ready("other", SERVICE, 10.5)
    returns.endpoint_ready("new", ("shop", "all"), 10.5)
    returns.recovered(OLD, NEW)
    assert told == []
    assert not await is_complete(returns)


async def test_an_answer_counts_once_the_replacement_could_have_given_it():
    """Of a probe that asks all along: the first that passes and began when the replacement was an endpoint."""
    returns, sightings, told = follow(is_probed=True)
    returns.recovered(OLD, NEW)
    ask(sightings, ok=True, began=10.5)
    returns.endpoint_ready("new", SERVICE, 11.0)
    ask(sightings, ok=True, began=10.9, ended=11.1)
    ask(sightings, ok=False, began=11.2)
    ask(sightings, ok=True, began=11.3, service=("shop", "all"))
    assert not await is_complete(returns)
    ask(sightings, ok=True, began=11.4, ended=11.5)
    ask(sightings, ok=True, began=11.6)
    assert measured(told) == [("timeToEndpoint", 1.0, False), ("timeToServe", 1.5, False)]
    assert await is_complete(returns)


@pytest.mark.parametrize(
    ("is_probed", "expected"),
    [(False, ["timeToEndpoint"]), (True, ["timeToEndpoint", "timeToServe"])],
)
async def test_what_does_not_come_takes_longer(is_probed, expected):
    """A lower bound, of what somebody looked at; told once."""
    returns, _, told = follow(is_probed=is_probed)
    returns.give_up(at=70.0)
    returns.give_up(at=80.0)
    assert measured(told) == [(name, 60.0, True) for name in expected]


async def test_nobody_waits_for_a_pod_that_stays_or_that_nothing_replaces():
    """Nor is anything measured of it."""
    returns, _, told = follow(behind={"old": [SERVICE]})
    returns.expect_none("old")
    assert await is_complete(returns)
    returns.give_up(at=70.0)
    assert told == []


async def test_a_kill_that_is_sent_again_counts_from_then():
    """An eviction that a budget held back at first."""
    returns, _, told = follow()
    returns.kill_sent(OLD, 20.0)
    returns.recovered(OLD, NEW)
    returns.endpoint_ready("new", SERVICE, 20.5)
    assert measured(told) == [("timeToEndpoint", 0.5, False)]
