"""The program as its users run it: a process of its own, on a sandbox of its own."""

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from seatrial.testing import sandbox_cluster
from tests.programs import ROOT, Process

EXAMPLES = ROOT / "examples"


class Program:
    """`seatrial` with a state directory of its own and no kubeconfig but the one it is given."""

    def __init__(self, state: Path, kubeconfig: Path | None = None) -> None:
        self.state = state
        home = state / "home"
        home.mkdir(exist_ok=True)
        kept = {key: value for key, value in os.environ.items() if key in {"PATH", "LANG", "TMPDIR"}}
        self.environ = {**kept, "HOME": str(home), "SEATRIAL_STATE_DIR": str(state)}
        if kubeconfig:
            self.environ["KUBECONFIG"] = str(kubeconfig)
        self._started = ExitStack()

    def start(self, *arguments: object) -> Process:
        process = Process([*map(str, arguments)], environ=self.environ)
        process.stdin.close()
        return self._started.enter_context(process)

    def run(self, *arguments: object, timeout: float = 100) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        output, errors = process.communicate(timeout=timeout)
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    def close(self) -> None:
        """Stop what still runs."""
        self._started.close()


def events(process: Process) -> Iterator[dict[str, Any]]:
    """The events that a process started with `--log-format json` logs, as they come."""
    for line in process.stderr:
        yield json.loads(line)


def metrics_address(told: Iterator[dict[str, Any]]) -> str:
    """Where a run serves its metrics (`host:port`), as its log says early on."""
    before = "metrics are served at http://"
    said = next(each["event"] for each in told if each["event"].startswith(before))
    return str(said.removeprefix(before).removesuffix("/metrics"))


@pytest.fixture
def program(tmp_path) -> Iterator[Program]:
    """The program, without a cluster."""
    made = Program(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def cluster():
    """A sandbox with goldpinger that a module's tests share."""
    with asyncio.Runner() as runner:
        block = sandbox_cluster(nodes=2)
        sandbox = runner.run(block.__aenter__())
        yield sandbox
        runner.run(block.__aexit__(None, None, None))


@pytest.fixture
def on_cluster(cluster, tmp_path) -> Iterator[Program]:
    """The program, with that sandbox as its cluster."""
    made = Program(tmp_path, cluster.kubeconfig)
    yield made
    made.close()
