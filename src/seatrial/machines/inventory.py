"""The inventory file: groups of hosts in ini form, as Ansible and PowerfulSeal have them.

    [workers]
    10.0.0.7
    worker-2 ansible_port=22

    [all-of-them]
    workers

A host is an address or a name, compared ignoring case; what follows it on its line is left alone. A group may name
other groups, written plainly (as PowerfulSeal has it) or in a section `[NAME:children]` (as Ansible has it).
"""

from collections.abc import Mapping
from pathlib import Path

from seatrial.errors import ConfigurationError

Inventory = Mapping[str, tuple[str, ...]]

_HINT = "groups are written [name], each host on a line of its own below"


def read_inventory(path: Path) -> Inventory:
    """The hosts of each group, in lower case and in the order written, groups within groups resolved.

    Raises:
        ConfigurationError: the file can't be read, or is no inventory.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigurationError(f"can't read the inventory {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"the inventory {path} is no text") from error
    groups = _sections(lines, path)
    return {name: tuple(dict.fromkeys(_hosts(name, groups, seen=frozenset()))) for name in groups}


def _sections(lines: list[str], path: Path) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    current: list[str] | None = None
    for number, line in enumerate(lines, start=1):
        text = line.strip().lower()
        if not text or text.startswith(("#", ";")):
            continue
        if text.startswith("["):
            name, kind = _section(text, path, number)
            # Ansible's variables of a group are no hosts.
            current = [] if kind == "vars" else groups.setdefault(name, [])
        elif current is None:
            raise ConfigurationError(f"{path}, line {number}: a host outside of any group", hint=_HINT)
        else:
            current.append(text.split()[0])
    return groups


def _section(text: str, path: Path, number: int) -> tuple[str, str]:
    name, _, kind = text.removeprefix("[").partition("]")[0].partition(":")
    if "]" not in text or not name.strip() or kind not in {"", "children", "vars"}:
        raise ConfigurationError(f"{path}, line {number}: '{text}' is no group", hint=_HINT)
    return name.strip(), kind


def _hosts(name: str, groups: Mapping[str, list[str]], *, seen: frozenset[str]) -> list[str]:
    """The hosts of a group and of the groups in it; one that contains itself adds nothing more."""
    found = []
    for entry in groups[name]:
        if entry not in groups:
            found.append(entry)
        elif entry not in seen | {name}:
            found += _hosts(entry, groups, seen=seen | {name})
    return found
