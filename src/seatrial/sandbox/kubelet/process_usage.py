"""What processes use of the machine: processor time and memory, from proc(5).

Processes that a container's end leaves out (a command that ended between two looks, not waited for) are not counted.
"""

import os
from pathlib import Path
from typing import Final

from seatrial.sandbox.kubelet import process

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_KIBIBYTE: Final = 1024


def tree_of(pid: int) -> list[int]:
    """A process and all below it."""
    tree = [pid]
    for each in tree:
        tree += process.children_of(each)
    return tree


def resident_memory(pid: int) -> int:
    """The bytes that a process has in memory, those it shares with others included; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0


def exclusive_memory(pid: int) -> int:
    """The bytes of memory that belong to a process: its own, and its part of what it shares, without files."""
    sizes = {"Pss_Anon:": 0, "Pss_Shmem:": 0}
    try:
        with Path(f"/proc/{pid}/smaps_rollup").open() as lines:
            for line in lines:
                name, size, *_ = (*line.split(), "0")
                if name in sizes:
                    sizes[name] = int(size) * _KIBIBYTE
    except OSError:
        return 0
    return sum(sizes.values())


def processor_seconds(pid: int) -> float:
    """The processor time that a process and the children it has waited for have used."""
    try:
        # The name, in parentheses, may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(ticks) for ticks in fields[11:15]) / _TICKS if len(fields) > 15 else 0.0


def available_memory() -> int:
    """The bytes that could be had without swapping, on the whole machine; 0 where the kernel doesn't say."""
    try:
        with Path("/proc/meminfo").open() as lines:
            return next((int(line.split()[1]) * _KIBIBYTE for line in lines if line.startswith("MemAvailable:")), 0)
    except OSError:
        return 0
