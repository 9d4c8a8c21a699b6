"""`pgrep` and `pkill` of a sandbox's machine: they know the processes of that machine and no others."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress

import pytest

PROGRAM = [sys.executable, "-P", "-m", "seatrial.sandbox.machine_tools"]
SLEEPER = (
    "import ctypes, time; ctypes.CDLL(None).prctl(15, b'{name}', 0, 0, 0); print('up', flush=True); time.sleep(1000)"
)


@contextmanager
def process(name, *arguments, below=False):
    """A process of that name; `below` a shell, or not."""
    words = [sys.executable, "-S", "-c", SLEEPER.format(name=name), *arguments]
    command = ["sh", "-c", '"$@" & wait', "sh", *words] if below else words
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as started:
        assert started.stdout.readline() == b"up\n"
        try:
            yield started
        finally:
            with suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGKILL)


def run(*words, init=None):
    """Be one of the programs on a machine whose first process is this one, or another."""
    environ = {**os.environ, "SEATRIAL_MACHINE_PID": str(init or os.getpid())}
    done = subprocess.run([*PROGRAM, *words], env=environ, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout.split("\n")[:-1], done.stderr


def test_pgrep_finds_by_name_whole_name_and_command_line():
    """As procps does, with its exit codes."""
    with process("mtools-one", "--id=17") as one, process("mtools-two", below=True) as shell:
        assert run("pgrep", "mtools-one") == (0, [str(one.pid)], "")
        assert len(run("pgrep", "mtools-")[1]) == 2
        assert run("pgrep", "-x", "mtools-") == (1, [], "")
        assert run("pgrep", "-x", "--", "mtools-one") == (0, [str(one.pid)], "")
        assert str(one.pid) in run("pgrep", "-f", "id=1[0-9]$")[1]
        assert run("pgrep", "-l", "mtools-one")[1] == [f"{one.pid} mtools-one"]
        assert run("pgrep", "-a", "mtools-one")[1][0].endswith("--id=17")
        assert run("pgrep", "mtools-two")[1] != [str(shell.pid)]
        assert run("pgrep", "a[b")[0] == 2


def test_what_is_not_below_the_machines_first_process_does_not_exist():
    """Two machines on one computer: each sees its own, and not its first process."""
    with process("mtools-here", below=True) as here, process("mtools-there", below=True) as there:
        assert run("pgrep", "mtools-there", init=here.pid) == (1, [], "")
        assert len(run("pgrep", "mtools-there", init=there.pid)[1]) == 1
        assert str(there.pid) not in run("pgrep", ".", init=there.pid)[1]
        assert run("pkill", "-9", "mtools-there", init=here.pid)[0] == 1
        assert len(run("pgrep", "mtools-there", init=there.pid)[1]) == 1


@pytest.mark.parametrize(
    ("words", "number"),
    [((), 15), (("-9",), 9), (("-KILL",), 9), (("-s", "HUP"), 1), (("--signal", "SIGUSR1"), 10)],
)
def test_pkill_sends_the_signal_that_is_asked_for(words, number):
    """By number or name, before the pattern; without one, SIGTERM."""
    with process("mtools-victim") as victim:
        assert run("pkill", *words, "mtools-victim") == (0, [], "")
        assert victim.wait(60) == -number


def test_pkill_says_what_it_does_not_know():
    """A signal that there is none of; nothing is sent."""
    with process("mtools-victim") as victim:
        code, _, errors = run("pkill", "-s", "NONE", "mtools-victim")
        assert (code, errors) == (1, "pkill: unknown signal NONE\n")
        assert victim.poll() is None
