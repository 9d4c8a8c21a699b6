"""`seatrial sandbox`, as a user types it."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from seatrial.sandbox.home import Home
from tests.programs import Process

SEATRIAL = str(Path(sys.executable).with_name("seatrial"))
EXAMPLE = Path(__file__).parents[2] / "examples" / "manifests" / "goldpinger.yml"


class Shell:
    """Types commands with a state directory and a home of their own."""

    def __init__(self, directory: Path) -> None:
        self.state = directory / "state"
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "SEATRIAL_STATE_DIR": str(self.state),
            "COLUMNS": "100",
        }
        self._started: list[subprocess.Popen[str]] = []

    def run(self, *arguments: str, stdin: str = "", **environ: str) -> tuple[int, str, str]:
        """Run `seatrial sandbox ...`: exit code, standard output, standard error."""
        with Process(["sandbox", *arguments], environ=self.environ | environ) as process:
            output, errors = process.communicate(stdin, timeout=60)
            return process.wait(), output, errors

    def good(self, *arguments: str, stdin: str = "", **environ: str) -> str:
        """Run what must succeed."""
        code, out, err = self.run(*arguments, stdin=stdin, **environ)
        assert (code, err) == (0, ""), out
        return out

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Run in the background."""
        process = subprocess.Popen(
            [SEATRIAL, "sandbox", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environ | {"PYTHONUNBUFFERED": "1"},
        )
        self._started.append(process)
        return process

    def close(self) -> None:
        """Stop what still runs."""
        if (self.state / "sandboxes").exists():
            self.run("down", "--all")
        for process in self._started:
            process.kill()
            with process:
                pass


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A shell; sandboxes that it leaves are stopped."""
    shell = Shell(tmp_path)
    yield shell
    shell.close()


def test_detached(shell: Shell, tmp_path: Path) -> None:
    """Up, status, load, kubeconfig, logs, down: the way through, with what each command prints."""
    out = shell.good("up", "--detach", "--nodes", "2", "--zones", "west-1, east-1", "--image", "me/app=sleep 600")
    assert "Sandbox default is up: 2 nodes Ready after" in out
    assert "seatrial sandbox down" in out
    kubeconfig = shell.good("kubeconfig").strip()
    assert Path(kubeconfig).stat().st_mode & 0o777 == 0o600

    loaded = shell.good("load", str(EXAMPLE)).splitlines()
    assert loaded[0] == "serviceaccount/goldpinger created"
    assert loaded[3] == "deployment.apps/goldpinger created"
    assert shell.good("load", "-", stdin=EXAMPLE.read_text()).splitlines()[3] == "deployment.apps/goldpinger configured"

    (status,) = json.loads(shell.good("status", "--output", "json"))
    assert (status["name"], status["kubeconfig"], status["pods"]) == ("default", kubeconfig, 3)
    assert [(node["name"], node["zone"], node["ready"]) for node in status["nodes"]] == [
        ("node1", "west-1", True),
        ("node2", "east-1", True),
    ]
    assert status["memory_bytes"] > 1_000_000
    assert status["timings"]["ready_ms"] > 0
    text = shell.good("status")
    assert text.splitlines()[0].split("   ")[0] == "SANDBOX"
    assert "2/2" in text

    merged = shell.good("kubeconfig", "--merge")
    assert "kubectl --context seatrial-sandbox get nodes" in merged
    user = yaml.safe_load((tmp_path / ".kube/config").read_text())
    assert user["clusters"][0]["cluster"]["server"] == status["server"]

    log = Home(shell.state / "sandboxes/default").log
    with log.open("a") as file:
        file.write("something to say\n")
    assert shell.good("logs") == log.read_text()
    follower = shell.start("logs", "--follow")
    assert follower.stdout is not None
    assert follower.stdout.readline()
    assert shell.good("down") == "Sandbox default is gone.\n"
    follower.communicate(timeout=30)
    assert follower.returncode == 0
    assert list((shell.state / "sandboxes").iterdir()) == []


def test_foreground_until_ctrl_c(shell: Shell) -> None:
    """In the foreground it says what came up and what to try; Ctrl-C takes it down and exits with 0."""
    up = shell.start("up", "--nodes", "1", "--name", "fore")
    assert up.stdout is not None
    lines = []
    while not lines or not lines[-1].startswith("Ctrl-C"):
        lines.append(up.stdout.readline())
        assert lines[-1], up.communicate()
    assert "export KUBECONFIG=" in "".join(lines)
    assert "seatrial sandbox load --name fore" in "".join(lines)
    (status,) = json.loads(shell.good("status", "--name", "fore", "-o", "json"))
    up.send_signal(signal.SIGINT)
    out, err = up.communicate(timeout=30)
    assert (up.returncode, err) == (0, "")
    assert "nothing of it is left" in out
    assert not Path(status["kubeconfig"]).exists()
    with pytest.raises(ProcessLookupError):
        os.kill(status["pid"], 0)


def test_foreground_ends_with_its_terminal(shell: Shell) -> None:
    """When the command is killed the sandbox goes with it."""
    up = shell.start("up", "--nodes", "1")
    assert up.stdout is not None
    while not up.stdout.readline().startswith("Ctrl-C"):
        assert up.poll() is None
    (status,) = json.loads(shell.good("status", "-o", "json"))
    main = os.pidfd_open(status["pid"])
    up.kill()
    up.communicate()
    assert select.select([main], [], [], 30)[0]
    os.close(main)
    assert list((shell.state / "sandboxes").iterdir()) == []


def test_foreground_when_stopped_from_elsewhere(shell: Shell) -> None:
    """`down` from another terminal ends the foreground command too, with 0."""
    up = shell.start("up", "--nodes", "1")
    assert up.stdout is not None
    while not up.stdout.readline().startswith("Ctrl-C"):
        assert up.poll() is None
    shell.good("down")
    out, err = up.communicate(timeout=30)
    assert (up.returncode, err) == (0, "")
    assert "was stopped" in out


def test_taken_name(shell: Shell) -> None:
    """A second `up` of the same name fails in one line with a hint; another name works; `down --all` stops both."""
    shell.good("up", "--detach", "--nodes", "1")
    code, out, err = shell.run("up", "--detach", "--nodes", "1")
    assert (code, out) == (3, "")
    assert err.splitlines()[0] == "error: a sandbox named 'default' is running already"
    assert err.splitlines()[1].startswith("hint: ")
    shell.good("up", "--detach", "--nodes", "1", "--name", "two")
    assert [each["name"] for each in json.loads(shell.good("status", "-o", "json"))] == ["default", "two"]
    assert shell.good("down", "--all") == "Sandbox default is gone.\nSandbox two is gone.\n"


def test_nothing_runs(shell: Shell) -> None:
    """Without a sandbox, status says how to start one; commands that need one fail with a hint."""
    assert shell.good("status") == "No sandbox is running. Start one with:  seatrial sandbox up --detach\n"
    assert shell.good("status", "-o", "json") == "[]\n"
    assert shell.good("down", "--all") == "No sandbox is running.\n"
    for command in (["down"], ["kubeconfig"], ["logs"], ["status", "--name", "default"], ["load", str(EXAMPLE)]):
        code, out, err = shell.run(*command)
        assert (code, out) == (3, "")
        assert err.startswith("error: no sandbox named 'default' is running\nhint: start one with")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["up", "--nodes", "0"], "a sandbox has 1 to 126 nodes, not 0"),
        (["up", "--zones", "a,,b"], "no zone's name may be empty"),
        (["up", "--name", "No/Good"], "can't be a sandbox's name"),
        (["up", "--image", "nothing"], "--image 'nothing' is not of the form NAME=COMMAND"),
        (["up", "--image", "a='b"], "No closing quotation"),
        (["load", "/nonexistent.yml"], "can't read /nonexistent.yml: No such file or directory"),
    ],
)
def test_wrong_usage(shell: Shell, arguments: list[str], message: str) -> None:
    """What can't be done is said in one line, with exit code 2, and nothing is started."""
    code, _, err = shell.run(*arguments)
    assert code == 2
    assert message in err
    assert "Traceback" not in err
    assert not (shell.state / "sandboxes").exists() or not list((shell.state / "sandboxes").iterdir())


def test_refused_manifest(shell: Shell, tmp_path: Path) -> None:
    """An object that the API server refuses is named with its file and the server's reason."""
    shell.good("up", "--detach", "--nodes", "1")
    (tmp_path / "x.yml").write_text("apiVersion: v9\nkind: Nothing\nmetadata: {name: x}\n")
    code, _, err = shell.run("load", str(tmp_path / "x.yml"))
    assert (code, err) == (3, f"error: {tmp_path}/x.yml, document 1: there is no API version 'v9'\n")


def test_state_directory_that_can_not_be_used(shell: Shell, tmp_path: Path) -> None:
    """A state directory that can't be made is an error with the option that helps."""
    (tmp_path / "file").write_text("")
    code, _, err = shell.run("up", "--detach", "--state-dir", str(tmp_path / "file" / "x"))
    assert code == 3
    assert "--state-dir" in err


def test_disk_full(shell: Shell) -> None:
    """On a full disk `up` says so and leaves no process; skipped where no small disk can be mounted."""
    mount = shutil.which("mount")
    disk = shell.state.parent / "disk"
    disk.mkdir()
    if (
        mount is None
        or subprocess.run(
            [mount, "-t", "tmpfs", "-o", "size=16k,mode=0700", "tmpfs", str(disk)], check=False
        ).returncode
    ):
        pytest.skip("no right to mount a small disk")
    try:
        code, _, err = shell.run("up", "--detach", "--nodes", "1", "--state-dir", str(disk))
        assert code == 3
        assert "no space left on the disk" in err
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_help() -> None:
    """Every command explains itself, with examples where they help."""
    for command in ((), ("up",), ("down",), ("status",), ("kubeconfig",), ("logs",), ("load",)):
        done = subprocess.run([SEATRIAL, "sandbox", *command, "--help"], capture_output=True, text=True, check=True)
        assert "Usage: seatrial sandbox" in done.stdout
    assert "seatrial sandbox up --detach" in subprocess.check_output([SEATRIAL, "sandbox", "--help"], text=True)
