"""What installed packages add to the policy language, found through entry points.

The built-in steps and actions come through the same door as those of others: a group of entry points in
`pyproject.toml`, each naming an object in a module. `steps.registry` and `actions.registry` say which groups.

All packages that are installed are looked through when a name is asked for that isn't built in, or all names are: that
takes longer than reading the one file of our own. No package can put itself in the place of what is built in.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property, lru_cache
from importlib.metadata import EntryPoint, EntryPoints, distribution, entry_points
from typing import TypeVar

from seatrial.errors import SeatrialError, UsageError

T = TypeVar("T")


class Extensions(Mapping[str, T]):
    """All objects of a group by name, in alphabetical order; each is loaded when it is first asked for.

    What nobody asks for costs nothing at start-up, and doesn't matter where it is broken.

    Args:
        group: the entry points' group, such as `seatrial.steps`.
        expected: the class that each object must be an instance of.
    """

    def __init__(self, group: str, expected: type[T]) -> None:
        self._group = group
        self._expected = expected
        self._own = {entry.name: entry for entry in _own().select(group=group)}
        self._loaded: dict[str, T] = {}

    def __getitem__(self, name: str) -> T:
        """The object of that name.

        Raises:
            UsageError: it can't be loaded, or is no `expected`; two packages claim one name.
        """
        if name not in self._loaded:
            entry = self._own.get(name) or self._all[name]
            self._loaded[name] = _load(entry, self._expected)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    @property
    def built_in(self) -> AbstractSet[str]:
        """The names of those that come with Seatrial."""
        return self._own.keys()

    @cached_property
    def _all(self) -> dict[str, EntryPoint]:
        found: dict[str, EntryPoint] = {}
        installed = _installed(tuple(sys.path)).select(group=self._group)
        for entry in sorted(installed, key=lambda each: each.name):
            other = found.setdefault(entry.name, entry)
            if other.value != entry.value:
                raise UsageError(
                    f"two packages define '{entry.name}' in {self._group}: "
                    f"{_distribution(other)} and {_distribution(entry)}",
                    hint="uninstall one of them",
                )
        return found


def is_built_in(name: str) -> bool:
    """Whether something of that name comes with Seatrial, in whatever group."""
    return any(entry.name == name for entry in _own())


@lru_cache(maxsize=1)
def _own() -> EntryPoints:
    return distribution("seatrial").entry_points


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
