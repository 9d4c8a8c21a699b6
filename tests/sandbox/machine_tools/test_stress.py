"""`stress-ng` of a sandbox's machine: real load, as much as it is told, and none of it left at the end."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

PROGRAM = [sys.executable, "-P", "-m", "seatrial.sandbox.machine_tools", "stress-ng"]


def workers(process, *, expected):
    """Its workers, as soon as there are so many."""
    found = []
    while process.poll() is None and len(found) < expected:
        found = psutil.Process(process.pid).children()
    return found


@pytest.fixture
def start(tmp_path):
    """Starts it."""
    started = []

    def run(*words):
        started.append(subprocess.Popen([*PROGRAM, *words], cwd=tmp_path))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()


def test_it_ends_when_its_time_is_over(start):
    """With all of its workers, and with 0."""
    process = start("--cpu", "1", "--cpu-load", "10", "--io", "1", "--timeout", "1s")
    found = workers(process, expected=2)
    assert process.wait(60) == 0
    assert psutil.wait_procs(found, timeout=60)[1] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_its_workers_end_with_it(start, number):
    """Whatever ends it."""
    process = start("--cpu", "2", "--cpu-load", "5", "--timeout", "600")
    found = workers(process, expected=2)
    process.send_signal(number)
    process.wait(60)
    assert psutil.wait_procs(found, timeout=60)[1] == []


def test_memory_is_really_taken(start):
    """As many bytes as asked for, shared out among the workers."""
    process = start("--vm", "2", "--vm-bytes", "64m", "--vm-keep", "--timeout", "600")
    found = workers(process, expected=2)
    taken = 0
    while process.poll() is None and taken < 64 << 20:
        taken = sum(each.memory_info().rss for each in found)
    assert process.poll() is None


def test_0_workers_are_one_for_each_processor(start):
    """As stress-ng has it."""
    process = start("--cpu", "0", "--cpu-load", "1", "--timeout", "600")
    processors = os.cpu_count() or 1
    assert len(workers(process, expected=processors)) == processors


def test_an_option_that_is_none_is_refused(start):
    """With the exit code 2, before anything is started."""
    assert start("--gpu", "1").wait(60) == 2
    assert start("--vm-bytes", "much").wait(60) == 2
