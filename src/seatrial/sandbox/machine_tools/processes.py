"""`pgrep` and `pkill` of a machine: its own processes by name (`-x` the whole name) or by command line (`-f`).

The machine's init is left out, as a kernel shields the real one. What the sandbox runs without starting a program (the
kubelet, containers of built-in images) has the command line of the sandbox itself; its name stands for that here.
"""

import argparse
import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

_FOUND, _NOT_FOUND, _MISUSED = 0, 1, 2


class _Process(NamedTuple):
    pid: int
    name: str
    line: str


def main(name: str, arguments: Sequence[str]) -> int:
    """Print or signal what matches; exit codes as procps has them."""
    number, arguments = _signal_of(arguments) if name == "pkill" else (0, list(arguments))
    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument("-f", "--full", action="store_true")
    parser.add_argument("-x", "--exact", action="store_true")
    parser.add_argument("-l", "--list-name", action="store_true")
    parser.add_argument("-a", "--list-full", action="store_true")
    parser.add_argument("pattern")
    wanted = parser.parse_args(arguments)
    try:
        pattern = re.compile(wanted.pattern)
    except re.error as error:
        sys.stderr.write(f"{name}: regex error: {error}\n")
        return _MISUSED
    match = pattern.fullmatch if wanted.exact else pattern.search
    found = [each for each in _of_the_machine() if match(each.line if wanted.full else each.name)]
    for each in found:
        if name == "pkill":
            _send(each.pid, number)
        else:
            said = each.line if wanted.list_full else each.name
            sys.stdout.write(f"{each.pid} {said}\n" if wanted.list_name or wanted.list_full else f"{each.pid}\n")
    return _FOUND if found else _NOT_FOUND


def _signal_of(arguments: Sequence[str]) -> tuple[int, list[str]]:
    """The signal that is asked for, and the other arguments."""
    for index, each in enumerate(arguments):
        if each in {"-s", "--signal"} and index + 1 < len(arguments):
            return _number(arguments[index + 1]), [*arguments[:index], *arguments[index + 2 :]]
        if re.fullmatch(r"-(\d+|[A-Z][A-Z0-9]+)", each):
            return _number(each[1:]), [*arguments[:index], *arguments[index + 1 :]]
    return signal.SIGTERM, list(arguments)


def _number(text: str) -> int:
    if text.isdigit():
        return int(text)
    try:
        return signal.Signals[f"SIG{text.removeprefix('SIG')}"]
    except KeyError:
        sys.exit(f"pkill: unknown signal {text}")


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _of_the_machine() -> Iterator[_Process]:
    """All processes below the machine's init but this one, by their ids."""
    init = int(os.environ["SEATRIAL_MACHINE_PID"])
    sandbox = _line_of(init)
    for pid in sorted(_below(init)):
        name = _name_of(pid)
        if pid != os.getpid() and name:
            line = _line_of(pid)
            yield _Process(pid, name, name if line == sandbox else line or name)


def _below(init: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (parent := _parent_of(entry)):
            children.setdefault(parent, []).append(int(entry.name))
    found = list(children.get(init, ()))
    for pid in found:
        found += children.get(pid, ())
    return found


def _parent_of(entry: Path) -> int:
    """The parent of a process, 0 of one that is gone."""
    try:
        stat = (entry / "stat").read_text()
    except OSError:
        return 0
    # The second field is the name in parentheses, which may hold anything.
    return int(stat.rpartition(")")[2].split()[1])


def _name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().rstrip("\n")
    except OSError:
        return ""


def _line_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
