"""The timer's commands, run by the shells of this machine."""

import os
import select
import shutil
import signal
import subprocess

import psutil
import pytest

from seatrial.actions.dead_man_timer import DISARMED, DeadManTimer

LONG = 86_400
SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]


@pytest.fixture(params=SHELLS)
def shell(request, tmp_path):
    """A directory of programs in which `sh` is one of the shells."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "sh").symlink_to(shutil.which(request.param))
    return Shell(programs, f"{programs}:/usr/bin:/bin")


class Shell:
    def __init__(self, programs, path):
        self.programs = programs
        self.environ = {**os.environ, "PATH": path}

    def run(self, command):
        program = shutil.which(command[0], path=self.environ["PATH"])
        return subprocess.run(
            [program, *command[1:]], check=False, capture_output=True, text=True, env=self.environ, timeout=60
        )

    def only(self, *names):
        """Leave no other programs than these beside the shell."""
        for name in names:
            (self.programs / name).symlink_to(shutil.which(name))
        self.environ["PATH"] = str(self.programs)


def sleeping(timer):
    """The timer's own process and its `sleep`."""
    found = timers(timer)
    return [*found, *(child for each in found for child in each.children())]


def timers(timer):
    """Those that the token of the timer is said of in the script that they run."""
    found = psutil.process_iter(["cmdline"])
    return [each for each in found if f"seatrial-timer-{timer.token}" in "".join((each.info["cmdline"] or [])[2:3])]


def runs(process):
    """Who has ended, but was not asked about by the parent yet, doesn't."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


class Pipe:
    """A named pipe that an undo writes to."""

    def __init__(self, path):
        os.mkfifo(path)
        self.path = str(path)
        self._reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def wait(self):
        """Until something was written."""
        assert select.select([self._reader], [], [], 60)[0], "nothing was undone"

    def is_empty(self):
        return not select.select([self._reader], [], [], 0)[0]

    def close(self):
        os.close(self._reader)


@pytest.fixture
def pipe(tmp_path):
    made = Pipe(tmp_path / "un done")
    yield made
    made.close()


WRITE = ["sh", "-c", 'echo undone > "$1"', "undo"]


def test_it_undoes_by_itself(shell, pipe):
    """When its time is over, and with the words of the undo as they were given."""
    timer = DeadManTimer.of(1)
    assert shell.run(timer.arming([*WRITE, pipe.path])).returncode == 0
    pipe.wait()
    # The timer's own process may take a moment to end.
    assert shell.run(timer.disarming(patience_seconds=10)).returncode == 0
    assert shell.run(timer.disarming(patience_seconds=10)).stdout.strip() == "gone"


def test_disarmed_it_is_gone_with_its_sleep(shell, pipe):
    """It doesn't undo, no process is left, and disarming it again finds nothing."""
    timer = DeadManTimer.of(LONG)
    assert shell.run(timer.arming([*WRITE, pipe.path])).returncode == 0
    left = sleeping(timer)
    assert len(left) == 2
    assert shell.run(timer.disarming(patience_seconds=10)).stdout.strip() == DISARMED
    assert [each for each in left if runs(each)] == []
    assert shell.run(timer.disarming(patience_seconds=10)).stdout.strip() == "gone"
    assert pipe.is_empty()


def test_disarming_waits_for_a_timer_that_has_begun_to_undo(shell, pipe, tmp_path):
    """The undo comes to its end, so that it can't fall into a later experiment."""
    timer, ended = DeadManTimer.of(1), tmp_path / "ended"
    undo = ["sh", "-c", 'echo > "$1"; sleep 2; echo > "$2"', "undo", pipe.path, str(ended)]
    assert shell.run(timer.arming(undo)).returncode == 0
    pipe.wait()
    assert shell.run(timer.disarming(patience_seconds=30)).stdout.strip() == DISARMED
    assert ended.exists()


def test_an_undo_that_does_not_end_is_said(shell, pipe):
    """After so many looks disarming gives up, and fails."""
    timer = DeadManTimer.of(1)
    shell.run(timer.arming(["sh", "-c", f'echo > "$1"; exec sleep {LONG}', "undo", pipe.path]))
    pipe.wait()
    done = shell.run(timer.disarming(patience_seconds=1))
    assert (done.returncode, done.stderr.strip()) == (1, "the timer still runs its undo")
    for each in sleeping(timer):
        each.kill()


def test_one_of_several_is_disarmed(shell):
    """Another timer sleeps on."""
    one, other = DeadManTimer.of(LONG), DeadManTimer.of(LONG)
    for timer in (one, other):
        shell.run(timer.arming(["true"]))
    shell.run(one.disarming(patience_seconds=10))
    assert (sleeping(one), len(sleeping(other))) == ([], 2)
    shell.run(other.disarming(patience_seconds=10))


@pytest.mark.parametrize(
    ("programs", "undo", "reason"),
    [
        ((), "true", "there is no program 'sleep'"),
        (("sleep",), "iptables", "there is no program 'iptables'"),
        (("sleep",), "true", "the timer did not start"),
    ],
)
def test_what_it_lacks_is_said_and_nothing_is_started(shell, programs, undo, reason):
    """No `sleep`, no program for the undo, neither `setsid` nor `nohup`."""
    shell.only(*programs)
    timer = DeadManTimer.of(1)
    done = shell.run(timer.arming([undo]))
    assert done.returncode != 0
    assert reason in done.stderr
    assert timers(timer) == []


def test_it_needs_nothing_beyond_posix(shell):
    """`sleep` and `nohup` are all that it takes."""
    shell.only("sleep", "nohup")
    timer = DeadManTimer.of(LONG)
    assert shell.run(timer.arming(["true"])).returncode == 0
    assert shell.run(timer.disarming(patience_seconds=10)).stdout.strip() == DISARMED


def test_it_outlives_the_session_that_armed_it(shell):
    """What started it is killed with all of its process group, as a connection that breaks off does."""
    timer = DeadManTimer.of(LONG)
    wrapped = ["sh", "-c", '"$@"; echo up; sleep 60', "sh", *timer.arming(["true"])]
    program = shutil.which("sh", path=shell.environ["PATH"])
    with subprocess.Popen(
        [program, *wrapped[1:]], env=shell.environ, start_new_session=True, stdout=subprocess.PIPE, text=True
    ) as armer:
        assert armer.stdout.readline() == "up\n"
        os.killpg(armer.pid, signal.SIGHUP)
        os.killpg(armer.pid, signal.SIGKILL)
    assert len(sleeping(timer)) == 2
    shell.run(timer.disarming(patience_seconds=10))
