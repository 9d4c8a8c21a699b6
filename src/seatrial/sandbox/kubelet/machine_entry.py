"""`nsenter --target 1` in a privileged pod that sees the node's processes: the way from a pod to its machine.

On a real node that enters the namespaces of its first process. Here process 1 is that of the computer that the sandbox
runs on, which is nobody's node: so nothing is entered, and the command runs as the machine's commands do
(`machine_commands`). The runtime takes it for that where it is a container's own command or what `kubectl exec` runs;
anywhere else the stand-in (`images.nsenter`) refuses.
"""

from collections.abc import Sequence
from pathlib import PurePath
from typing import Final

_FIRST_PROCESS: Final = "1"
_SHELL: Final = ("/bin/sh",)
# Options of util-linux and BusyBox; those for namespaces may have a file after them, joined to them.
_NAMESPACES: Final = {"a": "all", "C": "cgroup", "T": "time", "U": "user"} | {
    "m": "mount", "u": "uts", "i": "ipc", "n": "net", "p": "pid",
}  # fmt: skip
_OTHERS: Final = {"F": "no-fork", "r": "root", "w": "wd", "e": "env", "Z": "follow-context"}
_WITH_WORD: Final = {"t": "target", "S": "setuid", "G": "setgid", "W": "wdns"}


def words_on_machine(argv: Sequence[str]) -> tuple[str, ...] | None:
    """The command that would run on the machine; None where these words don't enter its file system."""
    if not argv or PurePath(argv[0]).name != "nsenter":
        return None
    options: dict[str, str] = {}
    rest = list(argv[1:])
    while rest and rest[0].startswith("-") and rest[0] != "--":
        taken = _take_option(rest, options)
        if not taken:
            return None
    if rest[:1] == ["--"]:
        rest = rest[1:]
    if options.get("target") != _FIRST_PROCESS or not {"mount", "all"} & options.keys():
        return None
    return tuple(rest) or _SHELL


def _take_option(rest: list[str], options: dict[str, str]) -> bool:
    """Move one argument from the words to the options; False where nsenter would not know it."""
    word = rest.pop(0)
    return _take_long(word[2:], rest, options) if word.startswith("--") else _take_short(word[1:], rest, options)


def _take_long(word: str, rest: list[str], options: dict[str, str]) -> bool:
    name, joined, value = word.partition("=")
    if name in _WITH_WORD.values() and not joined:
        value = rest.pop(0) if rest else ""
    options[name] = value
    return name in {*_NAMESPACES.values(), *_OTHERS.values(), *_WITH_WORD.values(), "preserve-credentials"}


def _take_short(letters: str, rest: list[str], options: dict[str, str]) -> bool:
    for index, letter in enumerate(letters):
        after = letters[index + 1 :]
        if letter in _WITH_WORD:
            options[_WITH_WORD[letter]] = after or (rest.pop(0) if rest else "")
            return True
        if letter not in _NAMESPACES and letter not in _OTHERS:
            return False
        options[_NAMESPACES.get(letter) or _OTHERS[letter]] = ""
        if after.startswith("/"):
            return True
    return True
