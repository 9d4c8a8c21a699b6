"""The shell command that kills a container on its machine."""

import os
import signal
import subprocess

import pytest

from seatrial.actions.pods.kill_command import KillCommand
from seatrial.errors import UsageError


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Puts programs on the path of what the test starts; answers what they were called with."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    calls = tmp_path / "calls"

    def add(name, output=""):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >> {calls}\nprintf %s "{output}"\n')
        program.chmod(0o755)

    add.calls = lambda: calls.read_text().splitlines()
    return add


def run(command):
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=30)


def test_docker_is_asked_to_signal_its_container(programs):
    """As PowerfulSeal did."""
    programs("docker")
    assert run(KillCommand().filled_in("docker://0123abcd", "SIGTERM")).returncode == 0
    assert programs.calls() == ["docker kill -s SIGTERM 0123abcd"]


@pytest.mark.parametrize("runtime", ["containerd", "cri-o"])
def test_crictl_is_asked_for_the_main_process(programs, runtime):
    """Which is signalled then."""
    victim = subprocess.Popen(["sleep", "60"])
    programs("crictl", output=str(victim.pid))
    assert run(KillCommand().filled_in(f"{runtime}://0123abcd", "SIGTERM")).returncode == 0
    assert victim.wait(timeout=30) == -signal.SIGTERM
    assert programs.calls() == ["crictl inspect --output go-template --template {{.info.pid}} 0123abcd"]


@pytest.mark.parametrize("pid", ["", "0", "1"])
def test_a_container_without_a_process_is_none_to_signal(programs, pid):
    """0 would be the shell's own group."""
    programs("crictl", output=pid)
    assert run(KillCommand().filled_in("containerd://0123abcd", "SIGKILL")).returncode > 0


def test_a_command_of_the_users_own_is_filled_in_as_powerfulseal_did():
    """Braces that stand twice are one; what is filled in is quoted, whatever a kubelet reports."""
    command = KillCommand("docker inspect -f '{{{{.Id}}}}' {container_id}; kill -s {signal} $(pid {container_id})")
    assert command.filled_in("docker://a b", "SIGKILL") == (
        "docker inspect -f '{{.Id}}' 'a b'; kill -s SIGKILL $(pid 'a b')"
    )


@pytest.mark.parametrize(
    "template", ["docker kill", "kill {pid} {container_id}", "kill {container_id", "kill {} {container_id}"]
)
def test_a_command_that_can_not_be_filled_in_is_refused(template):
    """Before anything is done."""
    with pytest.raises(UsageError, match="can't be filled in"):
        KillCommand(template)


def test_an_unknown_runtime_needs_a_command():
    """Nobody guesses."""
    with pytest.raises(UsageError, match="how containers of rkt are killed is not known"):
        KillCommand().filled_in("rkt://1", "SIGKILL")
