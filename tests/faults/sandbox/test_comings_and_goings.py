"""Sandboxes that are killed while they come or go, and many that come and go: nothing is left, and the name is free."""

import contextlib
import dataclasses
import os
import secrets
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from seatrial.errors import SeatrialError
from seatrial.sandbox.cluster_config import ClusterConfig
from seatrial.sandbox.home import Home
from seatrial.sandbox.leftovers import processes_of
from seatrial.sandbox.owner import OwnedSandbox, Starting, find_sandbox, start_sandbox, stop_sandbox
from tests.faults.sandbox.bodies import Body, until
from tests.sandbox.cluster.sandboxes import assert_nothing_left

pytestmark = pytest.mark.timeout(300)

_POD = """
apiVersion: v1
kind: Pod
metadata: {name: one}
spec:
  containers: [{name: c, image: busybox, command: [sh, -c, "while true; do echo line; sleep 0.01; done"]}]
"""


@pytest.fixture
def config(tmp_path: Path) -> ClusterConfig:
    """Two nodes in a directory of the test's."""
    return ClusterConfig(name="box", directory=tmp_path / "box", nodes=2)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The directory for temporary files, which is empty in the end."""
    directory = tmp_path / "tmp"
    directory.mkdir()
    monkeypatch.setenv("TMPDIR", str(directory))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield directory
    assert list(directory.iterdir()) == []


def _assert_gone(owned: OwnedSandbox) -> None:
    record = owned.sandbox.record
    assert_nothing_left(record.sandbox_id, server=record.server, directory=owned.sandbox.directory)


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _is_launcher(process: psutil.Process) -> bool:
    try:
        return process.name().startswith("seatrial warden")
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("victim", ["main", "launcher", "both", "all"])
@pytest.mark.parametrize("milestone", ["lock", "pki", "machines", "machines/node1/machine.sock", "kubeconfig"])
def test_killed_on_its_way_up(config: ClusterConfig, temporary: Path, victim: str, milestone: str) -> None:
    """Whatever is killed at whatever moment of the start: nothing is left, and the next one comes up."""
    config = dataclasses.replace(config, sandbox_id=secrets.token_hex(6))
    starting = Starting(config, detach=False)
    main = starting._process.pid
    until(lambda: (config.directory / milestone).exists() or starting._process.poll() is not None)
    processes = _descendants(main)
    launcher = [each for each in processes if _is_launcher(each)]
    doomed = {"main": [], "launcher": launcher, "both": launcher, "all": processes}[victim]
    for each in doomed:
        with contextlib.suppress(psutil.NoSuchProcess):  # it came to its end with another
            each.kill()
    if victim != "launcher":
        os.kill(main, signal.SIGKILL)
    with contextlib.suppress(SeatrialError):
        starting.finish()
    starting.give_up()
    until(lambda: not list(processes_of(config.sandbox_id)))
    assert not config.directory.exists()
    assert list(config.directory.parent.iterdir()) == [temporary]
    if milestone == "pki":
        again = start_sandbox(config)
        again.close()
        _assert_gone_but(again, temporary)


def _assert_gone_but(owned: OwnedSandbox, temporary: Path) -> None:
    record = owned.sandbox.record
    assert list(processes_of(record.sandbox_id)) == []
    assert list(owned.sandbox.directory.parent.iterdir()) == [temporary]


@pytest.mark.parametrize("victims", [("main",), ("launcher",), ("launcher", "main")])
def test_killed_on_its_way_down(config: ClusterConfig, victims: tuple[str, ...]) -> None:
    """Whoever is killed while the sandbox is being stopped: what is left goes when somebody looks again."""
    owned = start_sandbox(config, detach=True)
    record, home = owned.sandbox.record, owned.sandbox.home
    pids = {"main": record.pid, "launcher": record.launcher_pid}
    os.kill(record.pid, signal.SIGTERM)
    for victim in victims:
        os.kill(pids[victim], signal.SIGKILL)
    owned.process.wait(30)
    owned.close()
    until(lambda: not home.is_claimed())
    assert find_sandbox(home) is None
    _assert_gone(owned)


@pytest.mark.parametrize("frozen", ["main", "launcher", "both", "machine"])
def test_stopped_processes_go_too(config: ClusterConfig, frozen: str) -> None:
    """A sandbox some of whose processes somebody has stopped (SIGSTOP) goes down as quickly as any."""
    owned = start_sandbox(config, detach=True)
    body = Body(owned.sandbox)
    pids = {
        "main": [body.main],
        "launcher": [body.launcher],
        "both": [body.main, body.launcher],
        "machine": [body.switch("node1"), body.machine("node1"), body.kubelet("node2")],
    }[frozen]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    done = threading.Event()
    stopper = threading.Thread(target=lambda: (stop_sandbox(Home(config.directory)), done.set()))
    stopper.start()
    assert done.wait(10)
    stopper.join()
    owned.close()
    _assert_gone(owned)


def test_five_in_a_row(config: ClusterConfig, temporary: Path) -> None:
    """Five sandboxes, each with a pod, that come and go leave no process, no file and no open descriptor."""
    descriptors, children = psutil.Process().num_fds(), set(psutil.Process().children())
    for _ in range(5):
        owned = start_sandbox(config)
        Body(owned.sandbox).kubectl("apply", "-f", "-", stdin=_POD)
        owned.close()
        assert list(processes_of(owned.sandbox.record.sandbox_id)) == []
        assert list(config.directory.parent.iterdir()) == [temporary]
    assert psutil.Process().num_fds() <= descriptors
    assert set(psutil.Process().children()) <= children
