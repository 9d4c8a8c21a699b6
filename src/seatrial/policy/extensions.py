"""What installed packages add to the policy language, found through entry points.

The built-in steps and actions come through the same door as those of others: a group of entry points in
`pyproject.toml`, each naming an object in a module. `steps.registry` and `actions.registry` say which groups.
"""

from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from seatrial.errors import SeatrialError, UsageError

T = TypeVar("T")


def load_extensions(group: str, expected: type[T]) -> dict[str, T]:
    """Load all objects of a group, by name in alphabetical order.

    Args:
        group: the entry points' group, such as `seatrial.steps`.
        expected: the class that each object must be an instance of.

    Raises:
        UsageError: an entry point can't be loaded, is no `expected`, or two packages claim one name.
    """
    found: dict[str, EntryPoint] = {}
    for entry in sorted(entry_points(group=group), key=lambda each: each.name):
        other = found.setdefault(entry.name, entry)
        if other.value != entry.value:
            raise UsageError(
                f"two packages define '{entry.name}' in {group}: {_distribution(other)} and {_distribution(entry)}",
                hint="uninstall one of them",
            )
    return {name: _load(entry, expected) for name, entry in found.items()}


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
