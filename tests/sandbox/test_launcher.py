"""The launcher: machines start and stop on request, and nothing survives the main process."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seatrial.sandbox.leftovers import MARKER, processes_of
from tests.processes import wait_for_end

# A main process of a sandbox that has a launcher and machines, and nothing else: their API server is not there.
_MAIN = """
import asyncio, json, os, signal, sys
from pathlib import Path
from seatrial.sandbox.kubelet.machine_config import MachineConfig
from seatrial.sandbox.launcher import Launcher, fork_launcher

directory = Path(sys.argv[1])
forked = fork_launcher(sandbox_id=os.environ["SEATRIAL_SANDBOX"], remove=directory)


def say(**what):
    print(json.dumps(what), flush=True)


async def main():
    launcher = Launcher(forked, on_exit=lambda name, code: say(ended=name, code=code))
    await launcher.connect()
    hearing = asyncio.create_task(launcher.run())
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    say(launcher=forked.pid)
    while line := await reader.readline():
        match line.decode().split():
            case ["start", name]:
                config = MachineConfig(
                    node_name=name, address="127.250.250.11", pod_cidr="127.250.251.0/24", zone="z-1", region="z",
                    group="g", instance_id=name, directory=directory / name, api_server="https://127.250.250.1:1",
                    ca_file=directory / "ca", client_cert_file=directory / "c", client_key_file=directory / "k",
                    serving_cert_file=directory / "c", serving_key_file=directory / "k",
                )
                say(started=name, pid=await launcher.start_machine(config), machines=sorted(launcher.machines))
            case ["cut", name]:
                launcher.cut_power(name)
            case ["shut", name]:
                os.kill(launcher.machines[name], signal.SIGTERM)
            case ["orphan"]:
                # Something that escaped from its container and calls nobody its parent.
                os.system("setsid sleep 600 >/dev/null 2>&1 &")
                say(orphan=True)
    hearing.cancel()
    await launcher.close()


asyncio.run(main())
"""


class Main:
    """A main process to talk to."""

    def __init__(self, directory: Path) -> None:
        self.sandbox_id = secrets.token_hex(6)
        self.directory = directory
        self.process = subprocess.Popen(
            [sys.executable, "-c", _MAIN, str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, MARKER: self.sandbox_id},
        )
        self.launcher_pid = self.hear()["launcher"]

    def ask(self, request: str) -> None:
        """Send a request."""
        assert self.process.stdin is not None
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()

    def hear(self) -> Any:
        """The next thing that it says."""
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def end(self) -> None:
        """Ask for an orderly end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.stdin = None

    def wait_for_processes(self, number: int) -> None:
        """Wait until there are so many processes; there is no event for a process that starts another one."""
        deadline = time.monotonic() + 60
        while len(found := list(processes_of(self.sandbox_id))) < number:
            assert time.monotonic() < deadline, found
            time.sleep(0.01)

    def wait_until_swept(self) -> None:
        """Wait for the launcher's end."""
        wait_for_end(self.launcher_pid)

    def close(self) -> None:
        """End whatever is left."""
        self.process.kill()
        self.process.communicate()
        self.wait_until_swept()


@pytest.fixture
def main(tmp_path: Path) -> Iterator[Main]:
    """A running main process with its launcher."""
    (tmp_path / "box").mkdir()
    main = Main(tmp_path / "box")
    yield main
    main.close()


def test_machines_start_and_report_their_end(main: Main) -> None:
    """A machine runs until its power is cut or it is shut down; the others go on; a name can be used again."""
    for name in ("node1", "node2"):
        main.ask(f"start {name}")
        assert main.hear()["started"] == name
    main.ask("cut node1")
    assert main.hear() == {"ended": "node1", "code": 128 + signal.SIGKILL}
    main.ask("start node1")
    assert main.hear()["machines"] == ["node1", "node2"]
    main.ask("shut node2")
    assert main.hear()["ended"] == "node2"


def test_killing_the_main_process_leaves_nothing(main: Main) -> None:
    """After SIGKILL of the main process no process of the sandbox is left, not even an escaped one, and no file."""
    main.ask("start node1")
    main.hear()
    main.ask("orphan")
    main.hear()
    main.wait_for_processes(5)
    main.process.kill()
    main.process.wait()
    main.wait_until_swept()
    assert list(processes_of(main.sandbox_id)) == []
    assert list(main.directory.parent.iterdir()) == []


def test_an_orderly_end_leaves_nothing(main: Main) -> None:
    """The main process waits until the launcher has swept up, so when it is gone all is."""
    main.ask("start node1")
    main.hear()
    main.end()
    assert main.process.wait(30) == 0
    assert list(processes_of(main.sandbox_id)) == []
    assert list(main.directory.parent.iterdir()) == []


def test_killing_the_launcher_ends_the_machines(main: Main) -> None:
    """Without a launcher the machines can't be governed, so they go with it; the main process hears of it."""
    main.ask("start node1")
    main.hear()
    os.kill(main.launcher_pid, signal.SIGKILL)
    assert main.process.stdout is not None
    # The pipe closes when the last machine's process is gone.
    os.kill(main.process.pid, signal.SIGKILL)
    main.process.stdout.read()
    remaining = set(processes_of(main.sandbox_id)) - {main.process.pid}
    assert remaining == set()
