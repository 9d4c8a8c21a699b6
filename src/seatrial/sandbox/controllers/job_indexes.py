"""Completion indexes of an Indexed Job, and how its status writes them: `0,1,4-7`.

Source of the notation: API reference of JobStatus, `completedIndexes`.
"""

from collections.abc import Iterable, Iterator


def parse(text: str, *, below: int) -> set[int]:
    """The indexes that a text names, without those that the Job no longer has.

    Args:
        text: comma-separated numbers and ranges, both ends included; empty for none.
        below: `spec.completions`.
    """
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if first:
            found.update(range(int(first), min(int(last if dash else first), below - 1) + 1))
    return found


def written(indexes: Iterable[int]) -> str:
    """The text that names these indexes: three and more in a row become a range."""
    return ",".join(_pieces(indexes))


def _pieces(indexes: Iterable[int]) -> Iterator[str]:
    for first, last in _rows(sorted(indexes)):
        if last - first > 1:
            yield f"{first}-{last}"
        else:
            yield from (str(index) for index in range(first, last + 1))


def _rows(indexes: list[int]) -> Iterator[tuple[int, int]]:
    begin = 0
    for position, index in enumerate(indexes):
        if position + 1 == len(indexes) or indexes[position + 1] != index + 1:
            yield indexes[begin], index
            begin = position + 1
