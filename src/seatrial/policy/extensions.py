"""What installed packages add to the policy language, found through entry points.

The built-in steps and actions come through the same door as those of others: a group of entry points in
`pyproject.toml`, each naming an object in a module. `steps.registry` and `actions.registry` say which groups.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import TypeVar

from seatrial.errors import SeatrialError, UsageError

T = TypeVar("T")


class Extensions(Mapping[str, T]):
    """All objects of a group by name, in alphabetical order; each is loaded when it is first asked for.

    What nobody asks for costs nothing at start-up, and doesn't matter where it is broken.

    Args:
        entries: where the objects are.
        expected: the class that each object must be an instance of.
    """

    def __init__(self, entries: Mapping[str, EntryPoint], expected: type[T]) -> None:
        self._entries = entries
        self._expected = expected
        self._loaded: dict[str, T] = {}

    def __getitem__(self, name: str) -> T:
        """The object of that name; raises `UsageError` where it can't be loaded or is no `expected`."""
        if name not in self._loaded:
            self._loaded[name] = _load(self._entries[name], self._expected)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def load_extensions(group: str, expected: type[T]) -> Extensions[T]:
    """Find all objects of a group.

    Args:
        group: the entry points' group, such as `seatrial.steps`.
        expected: the class that each object must be an instance of.

    Raises:
        UsageError: two packages claim one name.
    """
    found: dict[str, EntryPoint] = {}
    for entry in sorted(_installed(tuple(sys.path)).select(group=group), key=lambda each: each.name):
        other = found.setdefault(entry.name, entry)
        if other.value != entry.value:
            raise UsageError(
                f"two packages define '{entry.name}' in {group}: {_distribution(other)} and {_distribution(entry)}",
                hint="uninstall one of them",
            )
    return Extensions(found, expected)


@lru_cache(maxsize=1)
def _installed(path: Sequence[str]) -> EntryPoints:  # noqa: ARG001 -- where they are looked for
    """All entry points of all installed packages: looked through once, not for each group."""
    return entry_points()  # type: ignore[return-value] # of the form that Python 3.11 has for 3.9's sake


def _load(entry: EntryPoint, expected: type[T]) -> T:
    try:
        loaded = entry.load()
    except SeatrialError:  # of an entry point that loads others
        raise
    except Exception as error:
        raise UsageError(
            f"can't load '{entry.name}' ({entry.value}) of {_distribution(entry)}: {type(error).__name__}: {error}",
            hint=f"upgrade or uninstall {_distribution(entry)}",
        ) from error
    if not isinstance(loaded, expected):
        raise UsageError(
            f"'{entry.name}' ({entry.value}) of {_distribution(entry)} is no {expected.__name__}",
            hint=f"upgrade or uninstall {_distribution(entry)}",
        )
    return loaded


def _distribution(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown package"
