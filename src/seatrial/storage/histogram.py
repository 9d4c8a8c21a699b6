"""How long many answers took, in a few bytes: an HDR histogram (high dynamic range, after Gil Tene's).

A value falls into a bucket whose width is 1/128 of the power of two that the value has: whatever its size, what is
read back is at most 0.4 % beside the truth, as two significant digits of an HDR histogram are. Values are whole
microseconds, so that anything below 256 microseconds is exact. As bytes, only the buckets that hold something are
written: for each the distance from the one before and its count, as base-128 numbers of one byte or a few.

The package `hdrhistogram` would do: it needs setuptools at run time and has wheels for x86-64 Linux alone, and its
counts take kilobytes where a minute of a probe has some sixty values.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Self

_SUB_BITS = 7  # 128 buckets for each power of two


class Histogram:
    """Counts of times by how long they are; two of them add up without loss."""

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self._counts = Counter(counts)

    @classmethod
    def of(cls, milliseconds: Iterable[float]) -> Self:
        """The histogram of some times."""
        return cls(Counter(_bucket(max(0, round(each * 1000))) for each in milliseconds))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """What `to_bytes` wrote.

        Raises:
            ValueError: it is something else.
        """
        numbers = list(_numbers(data))
        if len(numbers) % 2:
            raise ValueError("a histogram's bytes come in pairs of numbers")
        counts: dict[int, int] = {}
        bucket = 0
        for step, count in zip(numbers[::2], numbers[1::2], strict=True):
            bucket += step
            counts[bucket] = count
        return cls(counts)

    def to_bytes(self) -> bytes:
        """A few bytes for each bucket that holds something."""
        data = bytearray()
        before = 0
        for bucket in sorted(self._counts):
            for number in (bucket - before, self._counts[bucket]):
                data += _encoded(number)
            before = bucket
        return bytes(data)

    def __add__(self, other: "Histogram") -> "Histogram":
        return Histogram(self._counts + other._counts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and self._counts == other._counts

    __hash__ = None  # type: ignore[assignment] # it is what it counts

    @property
    def total(self) -> int:
        """How many times it holds."""
        return self._counts.total()

    def percentile(self, percent: float) -> float | None:
        """The smallest time, in milliseconds, that so many percent of all are not longer than; None without any."""
        wanted = max(1, -int(-self.total * percent // 100))
        seen = 0
        for bucket in sorted(self._counts):
            seen += self._counts[bucket]
            if seen >= wanted:
                return _middle(bucket) / 1000
        return None

    def values(self) -> Iterator[tuple[float, int]]:
        """Times in milliseconds, in order, and how often each was met."""
        for bucket in sorted(self._counts):
            yield _middle(bucket) / 1000, self._counts[bucket]


def _bucket(microseconds: int) -> int:
    """The number of the bucket: the power of two, then the first seven binary digits below it."""
    shift = max(0, microseconds.bit_length() - _SUB_BITS - 1)
    return (shift << _SUB_BITS) + (microseconds >> shift)


def _middle(bucket: int) -> float:
    """The middle of a bucket, in microseconds."""
    if bucket < 2 << _SUB_BITS:
        return bucket
    shift = (bucket >> _SUB_BITS) - 1
    first = (bucket - (shift << _SUB_BITS)) << shift
    return first + ((1 << shift) - 1) / 2


def _encoded(number: int) -> bytes:
    data = bytearray()
    while number > 127:
        data.append(number & 127 | 128)
        number >>= 7
    data.append(number)
    return bytes(data)


def _numbers(data: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in data:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield number
            number = shift = 0
    if shift:
        raise ValueError("a histogram's bytes end within a number")
