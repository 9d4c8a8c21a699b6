"""Giving memory back to the kernel."""

import platform

import psutil
import pytest

from seatrial.sandbox.kubelet.process import return_free_memory

_MEGABYTE = 1024 * 1024


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
