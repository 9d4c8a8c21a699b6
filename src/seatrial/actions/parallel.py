"""Doing the same to many targets at once, but never to more than so many at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

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
