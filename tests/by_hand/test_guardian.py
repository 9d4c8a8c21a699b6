"""The guardian: it acts when the session's process has died, and at no other time."""

import os
import signal
import stat
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from seatrial.by_hand.guardian import Guardian

_LIMIT_SECONDS = 30
_MOST_MEGABYTES = 12

# What a session does, without the session: it starts a guardian, says which, and does what it is told line by line.
_SESSION = """
import asyncio, os, sys
from pathlib import Path
from seatrial.by_hand.guardian import Guardian

async def main():
    guardian = Guardian("no-such-run", state_directory=Path(sys.argv[1]), environ={"SEATRIAL_SECRET": "s3cret"})
    await guardian.watch()
    print(guardian.pid, flush=True)
    for line in sys.stdin:
        if line == "dismiss\\n":
            await guardian.dismiss()
            print("dismissed", flush=True)

asyncio.run(main())
"""


@contextmanager
def session(state):
    """A process with a guardian, and the guardian's process."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SESSION, str(state)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    with process:
        guardian = psutil.Process(int(process.stdout.readline()))
        yield process, guardian
        process.kill()


@pytest.fixture
def state(tmp_path):
    """A state directory with an empty journal, where the session's run is unknown: recovery ends at once."""
    tmp_path.chmod(0o700)
    return tmp_path


def log_of(state):
    """What the guardian has written, once it has ended."""
    log = state / "guardian.log"
    return log.read_text() if log.exists() else ""


def ended(guardian):
    """Wait until it has ended; whether it did in time."""
    try:
        guardian.wait(_LIMIT_SECONDS)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


def waiting(guardian):
    """Wait until it has started and ignores what would end it."""
    deadline = time.monotonic() + _LIMIT_SECONDS
    status = Path(f"/proc/{guardian.pid}/status")
    while not int(status.read_text().partition("SigIgn:")[2].split()[0], 16) & 1 << signal.SIGTERM - 1:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_when_the_session_is_killed_it_recovers_that_run(state):
    """At once, and it writes down what it did in a log that nobody else may read."""
    with session(state) as (process, guardian):
        process.kill()
        assert ended(guardian)
    log = log_of(state)
    assert f"process {process.pid} died in the middle of run no-such-run" in log
    assert "the journal has no run no-such-run that left anything" in log
    assert stat.S_IMODE((state / "guardian.log").stat().st_mode) == 0o600


def test_when_the_session_ends_orderly_it_ends_and_does_nothing(state):
    """It is told, and gone when the session goes on."""
    with session(state) as (process, guardian):
        process.stdin.write("dismiss\n")
        process.stdin.flush()
        assert process.stdout.readline() == "dismissed\n"
        assert not guardian.is_running()
        process.kill()
    assert log_of(state) == ""


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
def test_it_survives_what_is_sent_to_the_session_and_to_itself(state, number):
    """It is in no group of the session's, and deaf to what ends other programs: the session may be killed after it."""
    with session(state) as (process, guardian):
        waiting(guardian)
        assert os.getsid(guardian.pid) == guardian.pid
        guardian.send_signal(number)
        os.killpg(process.pid, number)
        process.kill()
        assert ended(guardian)
    assert "no-such-run" in log_of(state)


def test_a_session_that_is_stopped_is_alive(state):
    """SIGSTOP is no death: as long as the process is there, nothing is taken back."""
    with session(state) as (process, guardian):
        waiting(guardian)
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.5)
        assert guardian.status() in {psutil.STATUS_SLEEPING, psutil.STATUS_IDLE}
        assert log_of(state) == ""
        process.kill()
        assert ended(guardian)


def test_it_waits_in_little_memory(state):
    """Less than a shell would take."""
    with session(state) as (_, guardian):
        waiting(guardian)
        assert guardian.memory_info().rss < _MOST_MEGABYTES * 1024 * 1024


def test_it_knows_what_the_session_knows(state):
    """Its environment is the session's, with what was said on the command line and stands in no journal."""
    with session(state) as (_, guardian):
        waiting(guardian)
        environ = guardian.environ()
        assert environ["SEATRIAL_SECRET"] == "s3cret"
        assert environ["PATH"] == os.environ["PATH"]
        assert "s3cret" not in " ".join(guardian.cmdline())


def test_a_log_that_can_t_be_written_keeps_it_from_nothing(state):
    """What is to be undone matters more than what is said of it."""
    (state / "guardian.log").mkdir()
    with session(state) as (process, guardian):
        process.kill()
        assert ended(guardian)


def test_without_process_descriptors_it_looks_whose_child_it_is(state):
    """Where the system has none (old kernels, other systems), a dead parent is known by being replaced."""
    arguments = ["no-such-run", str(state)]
    script = """
import os, subprocess, sys
read, write = os.pipe()
command = [sys.executable, "-P", "-m", "seatrial.by_hand.guardian_process", *sys.argv[1:], str(read), "-1"]
child = subprocess.Popen([*command, str(os.getpid())], pass_fds=[read], start_new_session=True)
print(child.pid, flush=True)
os.close(write)
sys.stdin.read()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        guardian = psutil.Process(int(process.stdout.readline()))
        waiting(guardian)
        time.sleep(0.5)
        assert log_of(state) == ""
        process.kill()
        assert ended(guardian)
    assert "no-such-run" in log_of(state)


async def test_a_kernel_without_process_descriptors_does(state, monkeypatch):
    """It is watched over all the same."""

    def refuse(pid):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("os.pidfd_open", refuse)
    guardian = Guardian("no-such-run", state_directory=state, environ={})
    await guardian.watch()
    assert guardian.pid is not None
    await guardian.dismiss()
    assert guardian.pid is None


async def test_it_is_started_once_and_again_where_somebody_killed_it(state):
    """Before each change it is looked for; one is enough."""
    guardian = Guardian("no-such-run", state_directory=state, environ={})
    assert guardian.pid is None
    await guardian.watch()
    first = guardian.pid
    await guardian.watch()
    assert guardian.pid == first
    psutil.Process(first).kill()
    while guardian.pid is not None:
        time.sleep(0.01)  # noqa: ASYNC251 -- nothing else is to run
    await guardian.watch()
    assert guardian.pid not in {None, first}
    await guardian.dismiss()
    assert guardian.pid is None
    await guardian.dismiss()


async def test_where_none_can_be_started_that_is_said_once(state, monkeypatch, caplog):
    """The journal has to do then; work goes on."""
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    guardian = Guardian("run-7", state_directory=state, environ={})
    for _ in range(2):
        await guardian.watch()
    [record] = caplog.records
    assert "nobody watches over this session" in record.getMessage()
    assert "seatrial recover --run run-7" in record.getMessage()
    await guardian.dismiss()
