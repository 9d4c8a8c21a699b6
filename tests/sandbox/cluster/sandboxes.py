"""Sandboxes of the tests, and kubectl to talk to them."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

from seatrial.sandbox.kubelet import process
from seatrial.sandbox.leftovers import MARKER, processes_of
from seatrial.sandbox.owner import Sandbox
from tests.kubectls import newest

EXAMPLES = Path(__file__).parents[3] / "examples"


class Kubectl:
    """kubectl with a sandbox's kubeconfig; a failing command fails the test with what it said."""

    def __init__(self, sandbox: Sandbox) -> None:
        found = newest()
        if found is None:
            pytest.skip("there is no kubectl on this machine")
        self._command = [found, "--kubeconfig", str(sandbox.kubeconfig), "--cache-dir", str(sandbox.directory / "kc")]

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        """Run and answer standard output."""
        done = subprocess.run(
            [*self._command, *arguments], input=stdin, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """Run with `-o json`."""
        return json.loads(self(*arguments, "-o", "json"))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Run in the background."""
        return subprocess.Popen([*self._command, *arguments], stdout=subprocess.PIPE, text=True)


def listener_at(address: str, port: int) -> int:
    """The process that listens there."""
    for connection in psutil.net_connections("tcp4"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr == (address, port):
            assert connection.pid is not None
            return connection.pid
    raise AssertionError(f"nobody listens on {address}:{port}")


def listeners_of(sandbox_id: str, server: str) -> list[tuple[str, int]]:
    """Where the sandbox listens, or somebody unknown does in its block; another sandbox may have taken it over."""
    foreign = re.compile(rf"(^|\0){MARKER}=(?!{sandbox_id}\0)")
    listening = (c for c in psutil.net_connections("inet") if c.status == psutil.CONN_LISTEN)
    ours = (c for c in listening if c.laddr.ip.startswith(block_of(server)))
    return sorted((c.laddr.ip, c.laddr.port) for c in ours if not foreign.search(_environ_of(c.pid)))


def _environ_of(pid: int | None) -> str:
    return process.environ_of(pid).decode(errors="replace") if pid else ""


def block_of(server: str) -> str:
    """The first two parts of the API server's address, which all addresses of a sandbox share."""
    return server.removeprefix("https://").rpartition(".0.1:")[0] + "."


def assert_nothing_left(sandbox_id: str, *, server: str, directory: Path) -> None:
    """No process, no listener, no file of the sandbox is left."""
    assert [Path(f"/proc/{pid}/cmdline").read_text() for pid in processes_of(sandbox_id)] == []
    assert listeners_of(sandbox_id, server) == []
    assert not directory.exists()
    assert list(directory.parent.iterdir()) == []
