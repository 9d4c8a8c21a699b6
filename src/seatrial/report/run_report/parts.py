"""A run in parts of one length, to tell how something went over its time, however long that was."""

import math
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

_MOST = 120
_LENGTHS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400)


def length_for(seconds: float, *, shortest: float = 1) -> float:
    """A round length, no shorter than that, of which so many seconds have at most 120."""
    long_enough = (each for each in _LENGTHS if each >= shortest and seconds / each <= _MOST)
    return next(long_enough, math.ceil(seconds / _MOST / _LENGTHS[-1]) * _LENGTHS[-1])


def in_parts(timed: Iterable[tuple[float, T]], *, length: float) -> Iterator[tuple[float, list[T]]]:
    """What belongs to each part, with the seconds at which it begins; parts that have nothing are left out."""
    found: dict[int, list[T]] = {}
    for at, each in timed:
        found.setdefault(math.floor(at / length), []).append(each)
    for number in sorted(found):
        yield number * length, found[number]
