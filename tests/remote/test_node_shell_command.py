"""What runs on the node: the same script, in this machine's shells, without anything to enter."""

import os
import subprocess
import time
from pathlib import Path
from shutil import which

import psutil
import pytest

from seatrial.kube.exec import ExecResult
from seatrial.remote.node_shell_command import entering, knocking, was_overdue, why_not_entered

SHELLS = [name for name in ("dash", "bash", "busybox") if which(name)]


@pytest.fixture(params=SHELLS)
def on_node(request, tmp_path):
    """Runs a command as the node's shell would; `setsid=False` on a node that has no such program."""
    shell = [request.param, "sh"] if request.param == "busybox" else [request.param]
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("cat", "sleep", "sh", "touch", "ls"):
        tools.joinpath(name).symlink_to(which(name))

    def run(command, *, timeout_seconds=30, setsid=True):
        words = entering(command, timeout_seconds=timeout_seconds)
        words = words[words.index("--") + 1 :]
        assert words[:2] == ["sh", "-c"]
        environ = os.environ if setsid else {"PATH": str(tools)}
        done = subprocess.run(
            [which(shell[0]), *shell[1:], *words[1:]],
            capture_output=True, check=False, timeout=60, cwd=tmp_path, env=dict(environ),
        )  # fmt: skip
        return ExecResult(done.returncode, done.stdout, done.stderr)

    return run


def processes_of(token):
    return [each for each in psutil.process_iter(["cmdline"]) if token in " ".join(each.info["cmdline"] or ())]


@pytest.mark.parametrize("setsid", [True, False], ids=["setsid", "no setsid"])
def test_both_outputs_come_as_one_and_the_exit_code_as_it_is(on_node, setsid):
    """In the order in which they were written; nothing of ours is among it, and standard input is empty."""
    result = on_node("cat; echo one; echo two >&2; echo three; exit 7", setsid=setsid)
    assert (result.exit_code, result.stdout.decode()) == (7, "one\ntwo\nthree\n")
    assert not was_overdue(result)


def test_quotes_newlines_and_substitutions_are_the_commands_own(on_node):
    """The command is an argument, never a part of our script."""
    result = on_node("""printf '%s|' "a  b" 'it'"'"'s' "$(echo in)" \\$1\necho; printf '%s' "$0 $1" """)
    assert result.stdout.decode() == "a  b|it's|in|$1|\nsh "


def test_one_that_takes_too_long_is_killed_with_all_that_it_started(on_node, tmp_path):
    """Also what ignores requests to end; and the error tells it from one that ended by itself."""
    token = f"98765.{time.monotonic_ns()}"
    began = time.monotonic()
    result = on_node(f"trap '' TERM INT HUP; sleep {token} & sleep {token}; echo never", timeout_seconds=1)
    assert was_overdue(result)
    assert result.exit_code == 124
    assert time.monotonic() - began < 30
    _, alive = psutil.wait_procs(processes_of(token), timeout=10)
    assert alive == []


def test_without_setsid_the_command_itself_is_killed(on_node):
    """Nothing better can be had there."""
    assert was_overdue(on_node("exec sleep 1000", timeout_seconds=1, setsid=False))


def test_it_ends_with_its_command_and_takes_along_what_that_left_in_its_session(on_node):
    """So that no forgotten child keeps the connection open; the clock goes, too."""
    token = f"98766.{time.monotonic_ns()}"
    result = on_node(f"sleep {token} & echo done", timeout_seconds=98767)
    assert (result.exit_code, result.stdout.decode()) == (0, "done\n")
    _, alive = psutil.wait_procs([*processes_of(token), *processes_of("98767")], timeout=10)
    assert alive == []


def test_what_has_a_session_of_its_own_stays(on_node, tmp_path):
    """As a dead-man timer does."""
    token = f"98768.{time.monotonic_ns()}"
    command = f"said=$(setsid sh -c 'echo up; exec sleep {token} >/dev/null' 2>/dev/null &); echo $said"
    assert on_node(command).stdout == b"up\n"
    found = processes_of(token)
    assert len(found) == 1
    found[0].kill()


def test_the_time_is_rounded_up_to_whole_seconds():
    """Which is what every `sleep` takes."""
    assert entering("true", timeout_seconds=0.2)[-2:] == ["1", "true"]
    assert entering("true", timeout_seconds=2.5)[-2:] == ["3", "true"]


def test_nsenter_gets_options_that_every_nsenter_knows():
    """Short ones: util-linux and BusyBox agree on them."""
    wanted = ["nsenter", "-t", "1", "-m", "-u", "-i", "-n", "-p", "--", "sh", "-c"]
    assert entering("true", timeout_seconds=1)[:11] == wanted
    assert knocking() == [*wanted, ":"]


def test_a_node_that_could_not_be_entered_is_told_from_a_command_that_failed():
    """What is on the error stream is of nsenter or ours: the command's is in its output."""
    refused = ExecResult(1, b"", b"nsenter: can't open '/proc/1/ns/mnt':\n Permission denied\n")
    assert why_not_entered(refused) == "nsenter: can't open '/proc/1/ns/mnt': Permission denied"
    assert why_not_entered(ExecResult(1, b"nsenter: mine\n", b"")) == ""
    assert why_not_entered(ExecResult(137, b"", b"Killed\n")) == ""


@pytest.mark.skipif(
    os.geteuid() != 0 or not os.access("/sys/fs/cgroup/pids/cgroup.procs", os.W_OK),
    reason="needs a writable hierarchy of control groups",
)
@pytest.mark.parametrize("apart", ["", "unshare --cgroup "], ids=["of the node", "of its own"])
def test_it_leaves_the_control_group_of_its_pod(apart):
    """For that of process 1, since a pod's is ended as a whole with the pod; whatever the pod sees of the groups."""
    group = Path("/sys/fs/cgroup/pids", f"kubepods-{os.getpid()}")
    group.mkdir()
    try:
        before = Path("/proc/self/cgroup").read_text()
        procs = group / "cgroup.procs"
        entered = f"echo $$ > {procs}; "
        words = entering(f"grep -l $$ {procs} || echo left", timeout_seconds=30)
        script = words[words.index("-c") + 1 :]
        done = subprocess.run(
            ["sh", "-c", entered + f'exec {apart}sh -c "$@"', "x", *script], capture_output=True, check=True, text=True
        )
        assert done.stdout == "left\n"
        assert Path("/proc/self/cgroup").read_text() == before
    finally:
        group.rmdir()
