"""Several things at once: the same to many targets, never more than so many at a time; several watches together."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from seatrial.kube.watch import Watch, WatchEvent

T = TypeVar("T")
R = TypeVar("R")


async def in_parallel(items: Sequence[T], work: Callable[[T], Awaitable[R]], *, most: int) -> list[R]:
    """Do the work for each item, in the order given as far as there is room; the results come in that order too.

    Where the work for one raises, what is under way is cancelled, and that error is raised.
    """
    results: dict[int, R] = {}
    waiting = iter(enumerate(items))

    async def in_turn() -> None:
        for index, item in waiting:
            results[index] = await work(item)

    with ungrouped():
        async with asyncio.TaskGroup() as group:
            for _ in range(min(most, len(items))):
                group.create_task(in_turn())
    return [results[index] for index in range(len(items))]


@contextmanager
def ungrouped() -> Iterator[None]:
    """Let the first error of the TaskGroup in the block come out as itself, with its cause.

    Who handles a `SeatrialError` does not handle a group of them.
    """
    failure: Exception | None = None
    try:
        yield
    except ExceptionGroup as errors:
        failure = errors.exceptions[0]
    while isinstance(failure, ExceptionGroup):
        failure = failure.exceptions[0]
    if failure is not None:  # raised in the `except`, or `from None`, it would lose or change where it comes from
        raise failure


async def follow(
    watches: Iterable[Watch[T]], take: Callable[[WatchEvent[T]], None], *, until: Callable[[], Awaitable[None]]
) -> None:
    """Hand the events of open watches on as they come, until `until` returns.

    Raises:
        ClusterError: one of the watches can't be followed any more.
    """

    async def feed(watch: Watch[T]) -> None:
        async for event in watch:
            take(event)

    with ungrouped():
        async with asyncio.TaskGroup() as group:
            followers = [group.create_task(feed(watch)) for watch in watches]
            await until()
            for follower in followers:
                follower.cancel()
