"""Freezing process trees: nothing of them runs until they are thawed."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from seatrial.sandbox.control.freezer import freeze


@contextmanager
def shell(script: str) -> Iterator["subprocess.Popen[str]"]:
    """A shell that runs a script and says something when it has begun."""
    process = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield process
    finally:
        with suppress(psutil.NoSuchProcess):
            for each in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]:
                each.kill()
        process.wait()
        process.stdout.close()


def states(pid: int) -> set[str]:
    """The states of a process and its descendants."""
    root = psutil.Process(pid)
    return {each.status() for each in [root, *root.children(recursive=True)]}


def test_a_tree_stands_still_and_goes_on() -> None:
    """Children and grandchildren are stopped with their parent, and run again when it does."""
    with shell("sh -c 'sleep 600 & echo ready; wait' & sleep 600 & wait") as process:
        frozen = freeze(process.pid)
        assert states(process.pid) == {psutil.STATUS_STOPPED}
        assert len(frozen.pids) == 4
        frozen.thaw()
        assert psutil.STATUS_STOPPED not in states(process.pid)


def test_a_tree_that_forks_is_caught() -> None:
    """A process that forks all the time leaves no child running."""
    with shell("echo ready; while true; do (true) & done") as process:
        freeze(process.pid)
        assert states(process.pid) <= {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE}


def test_what_stood_still_before_stays_so() -> None:
    """A process that was stopped by somebody else is not set going."""
    with shell("sleep 600 & echo ready; wait") as process:
        (child,) = psutil.Process(process.pid).children()
        child.send_signal(signal.SIGSTOP)
        # Whether it has stopped is told to its parent only: freezing waits for it.
        freeze(process.pid).thaw()
        still = freeze(child.pid)
        assert still.stopped == ()


def test_a_frozen_tree_can_be_killed() -> None:
    """Nothing of it runs again before it ends."""
    with shell("sleep 600 & echo ready; wait; echo woke") as process:
        freeze(process.pid).kill()
        assert process.wait() == -signal.SIGKILL
        assert process.stdout is not None
        assert process.stdout.read() == ""


def test_a_process_that_is_gone_is_no_obstacle() -> None:
    """Freezing what has ended meanwhile stops nothing."""
    process = subprocess.Popen(["true"])
    process.wait()
    assert freeze(process.pid).stopped == ()
