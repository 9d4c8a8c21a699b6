"""The applets that need no network: cat, date, echo, env, false, hostname, sleep, true."""

import datetime as dt
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from seatrial.sandbox.images.serving import complain, say

_CHUNK_BYTES = 65536
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def true(_argv: Sequence[str], _environ: Mapping[str, str]) -> int:
    """Succeed."""
    return 0


def false(_argv: Sequence[str], _environ: Mapping[str, str]) -> int:
    """Fail."""
    return 1


def echo(argv: Sequence[str], _environ: Mapping[str, str]) -> int:
    """Print the arguments; `-n` leaves out the end of the line."""
    words = list(argv[1:])
    if words[:1] == ["-n"]:
        sys.stdout.write(" ".join(words[1:]))
        sys.stdout.flush()
    else:
        say(" ".join(words))
    return 0


def hostname(_argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print the pod's name."""
    say(environ.get("HOSTNAME", "localhost"))
    return 0


def env(_argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print the environment, a variable a line."""
    for name, value in environ.items():
        say(f"{name}={value}")
    return 0


def date(argv: Sequence[str], _environ: Mapping[str, str]) -> int:
    """Print the time in UTC, in the form that `+FORMAT` asks for."""
    wanted = next((word[1:] for word in argv[1:] if word.startswith("+")), "%a %b %e %H:%M:%S UTC %Y")
    say(dt.datetime.now(dt.UTC).strftime(wanted))
    return 0


def cat(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print files; a path below a volume of the pod is the volume's."""
    failed = False
    for name in argv[1:] or ["-"]:
        try:
            if name == "-":
                _copy(0)
            else:
                with _mounted(name, environ).open("rb") as file:
                    _copy(file.fileno())
        except OSError as error:
            complain(f"cat: can't open '{name}': {error.strerror}")
            failed = True
    sys.stdout.flush()
    return int(failed)


def _copy(fd: int) -> None:
    """To standard output, each piece as it comes."""
    while chunk := os.read(fd, _CHUNK_BYTES):
        sys.stdout.buffer.write(chunk)
        sys.stdout.flush()


def sleep(argv: Sequence[str], _environ: Mapping[str, str]) -> int:
    """Sleep so many seconds (`5`, `1.5`, `2m`, `1h`, `infinity`).

    As a container's first process it is deaf to SIGTERM: the kernel delivers no signal to process 1 that it has no
    handler for (pid_namespaces(7)), which is why such pods use up their grace period.
    """
    seconds = 0.0
    for word in argv[1:]:
        try:
            seconds += float("inf") if word in ("inf", "infinity") else duration(word)
        except ValueError:
            complain(f"sleep: invalid number '{word}'")
            return 1
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while seconds > 0:
        step = min(seconds, _SECONDS["d"])
        time.sleep(step)
        seconds -= step
    return 0


def duration(word: str) -> float:
    """The seconds that `5`, `1.5s`, `2m`, `1h` or `1d` means; raises `ValueError`."""
    number = word.rstrip("smhd")
    unit = word[len(number) :]
    if unit not in _SECONDS:
        raise ValueError(f"invalid unit {unit!r}")
    return float(number) * _SECONDS[unit]


def _mounted(name: str, environ: Mapping[str, str]) -> Path:
    below = Path(environ.get("SEATRIAL_ROOTFS", "/nonexistent"), name.lstrip("/"))
    return below if name.startswith("/") and below.exists() else Path(name)
