import asyncio

import pytest

from seatrial.actions.parallel import in_parallel, ungrouped
from seatrial.errors import ClusterError


@pytest.mark.parametrize("most", [1, 3, 100])
async def test_never_more_than_so_many_at_once_and_results_in_order(most):
    """Whatever ends first, the results are in the order of the items."""
    under_way, seen = 0, 0

    async def work(number):
        nonlocal under_way, seen
        under_way += 1
        seen = max(seen, under_way)
        await asyncio.sleep(0.01 * (number % 3))
        under_way -= 1
        return number * 2

    assert await in_parallel(range(10), work, most=most) == [number * 2 for number in range(10)]
    assert seen == min(most, 10)


async def test_nothing_to_do_is_done_at_once():
    """No item, no result."""

    async def work(_):
        raise AssertionError

    assert await in_parallel([], work, most=5) == []


async def test_an_error_ends_it_and_comes_out_as_itself():
    """Not in a group: who calls catches it by its kind."""

    async def work(number):
        if number == 1:
            raise ClusterError("refused")
        await asyncio.Event().wait()

    with pytest.raises(ClusterError, match="refused"):
        await in_parallel(range(3), work, most=3)


async def test_an_error_keeps_its_cause():
    """Whether it may pass is told by what it comes from."""
    reason = TimeoutError()

    async def work(_):
        raise ClusterError("refused") from reason

    with pytest.raises(ClusterError) as caught:
        await in_parallel([1], work, most=1)
    assert caught.value.__cause__ is reason


async def test_an_error_of_a_group_within_a_group_comes_out_as_itself():
    """However deep the tasks stand in each other."""

    async def refused():
        raise ClusterError("refused")

    async def outer():
        async with asyncio.TaskGroup() as group:
            group.create_task(refused())

    with pytest.raises(ClusterError, match="refused"), ungrouped():
        async with asyncio.TaskGroup() as group:
            group.create_task(outer())
