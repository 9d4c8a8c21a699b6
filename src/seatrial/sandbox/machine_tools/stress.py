"""`stress-ng` of a machine: workers that burn processor time, hold memory, and write, until the time is over.

It takes the options that stress-ng(1) has for that, and makes real load on the computer that the sandbox runs on. All
of it ends with its first process, whatever ends that.
"""

import argparse
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

from seatrial.sandbox.kubelet import process

_SLICE_SECONDS: Final = 0.05
_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_TIMES: Final = {"": 1, "s": 1, "m": 60, "h": 3600}
_PAGE: Final = 4096
_WRITTEN_BYTES: Final = 1 << 20
_ENDS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)


def main(name: str, arguments: Sequence[str]) -> int:
    """Run the workers; 0 when the time was over or somebody asked for the end."""
    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument("--cpu", type=int, default=None)
    parser.add_argument("--cpu-load", type=int, default=100)
    parser.add_argument("--vm", type=int, default=0)
    parser.add_argument("--vm-bytes", type=lambda text: _measure(text, _UNITS), default=256 << 20)
    parser.add_argument("--vm-keep", action="store_true")
    parser.add_argument("--io", type=int, default=0)
    parser.add_argument("--timeout", type=lambda text: _measure(text, _TIMES), default=86400)
    wanted = parser.parse_args(arguments)
    processors = os.cpu_count() or 1 if wanted.cpu == 0 else wanted.cpu or 0
    share = max(wanted.vm_bytes // max(wanted.vm, 1), _PAGE)
    works: list[Callable[[], None]] = [
        *(lambda: _burn(wanted.cpu_load / 100) for _ in range(processors)),
        *(lambda: _hold(share) for _ in range(wanted.vm)),
        *(_write for _ in range(wanted.io)),
    ]
    process.name_process("stress-ng")
    workers = [_start(each) for each in works]
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    signal.setitimer(signal.ITIMER_REAL, wanted.timeout)
    if workers:
        signal.sigwait(_ENDS)
    for pid in workers:
        process.send_signal(pid, signal.SIGKILL)
    for pid in workers:
        os.waitpid(pid, 0)
    return 0


def _measure(text: str, units: dict[str, int]) -> int:
    found = re.fullmatch(r"(\d+)([a-z]?)", text.lower())
    if not found or found[2] not in units:
        raise argparse.ArgumentTypeError(f"{text!r} is no number with one of the units {', '.join(units)}")
    return int(found[1]) * units[found[2]]


def _start(work: Callable[[], None]) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _be_worker(work, parent)
    return pid


def _be_worker(work: Callable[[], None], parent: int) -> NoReturn:
    try:
        process.die_with_parent(parent)
        work()
    except (OSError, MemoryError) as error:
        sys.stderr.write(f"stress-ng: {error}\n")
        sys.stderr.flush()
    finally:
        os._exit(1)


def _burn(load: float) -> None:
    while True:
        end = time.monotonic() + _SLICE_SECONDS * load
        while time.monotonic() < end:
            pass
        time.sleep(_SLICE_SECONDS * (1 - load))


def _hold(size: int) -> None:
    held = bytearray(size)
    while True:
        for place in range(0, size, _PAGE):
            held[place] = (held[place] + 1) % 256
        time.sleep(_SLICE_SECONDS)


def _write() -> None:
    with tempfile.TemporaryFile(dir=".") as file:
        while True:
            file.seek(0)
            file.write(os.urandom(_WRITTEN_BYTES))
            file.flush()
            os.fsync(file.fileno())
