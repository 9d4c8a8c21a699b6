"""Giving memory back to the kernel."""

import hashlib
import platform
import ssl
from pathlib import Path

import psutil
import pytest

from seatrial.sandbox.kubelet.process import let_go_of_code, return_free_memory

_MEGABYTE = 1024 * 1024


def test_code_that_was_let_go_takes_no_memory_and_comes_back_when_it_is_needed() -> None:
    """Pages of code leave the process; what is called next works as before."""
    digest = hashlib.sha256(b"seatrial").hexdigest()
    ssl.create_default_context()
    before = _resident_code()
    let_go_of_code()
    assert _resident_code() < before
    ssl.create_default_context()
    assert hashlib.sha256(b"seatrial").hexdigest() == digest


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked for it")
def test_memory_that_was_freed_is_returned() -> None:
    """Although something at its end is still in use."""
    pieces = [bytes(64 * 1024) for _ in range(1000)]
    last = pieces.pop()
    pieces.clear()
    before = psutil.Process().memory_info().rss
    return_free_memory()
    assert psutil.Process().memory_info().rss < before - 30 * _MEGABYTE
    assert len(last) == 64 * 1024


def _resident_code() -> int:
    total, is_code = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        words = line.split()
        if "-" in words[0] and not words[0].endswith(":"):
            is_code = words[1] == "r-xp"
        elif is_code and words[0] == "Rss:":
            total += int(words[1])
    return total
