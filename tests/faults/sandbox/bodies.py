"""The processes of a sandbox by what they are, and ways to wait for what becomes of them."""

import json
import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from seatrial.sandbox.kubelet.control import request
from seatrial.sandbox.owner import Sandbox
from tests.sandbox.cluster.sandboxes import Kubectl

WAIT_SECONDS = 40


class Body:
    """A sandbox's processes.

    Args:
        sandbox: the sandbox.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.kubectl = Kubectl(sandbox)

    @property
    def main(self) -> int:
        """The main process."""
        return self.sandbox.record.pid

    @property
    def launcher(self) -> int:
        """The launcher."""
        return self.sandbox.record.launcher_pid

    def switch(self, node: str) -> int:
        """A machine's power switch: what the launcher forked."""
        return psutil.Process(self.machine(node)).ppid()

    def machine(self, node: str) -> int:
        """A machine itself: its kubelet's parent."""
        return psutil.Process(self.kubelet(node)).ppid()

    def kubelet(self, node: str) -> int:
        """A machine's kubelet, which runs."""
        return int(until(lambda: self.status(node)["kubelet"].get("pid")))

    def status(self, node: str) -> dict[str, Any]:
        """What a machine says of itself."""
        return request(self.sandbox.directory / "machines" / node, {"status": {}})

    def container(self, pod: str, name: str = "") -> int:
        """The main process of a pod's container that runs."""
        node = self.kubectl("get", "pod", pod, "-o", "jsonpath={.spec.nodeName}")

        def pid() -> int | None:
            found = [
                each
                for each in self.status(node)["containers"]
                if each["pod"] == pod and each["running"] and name in ("", each["name"])
            ]
            return found[0]["pid"] if found else None

        return int(until(pid))

    def restarts(self, pod: str) -> int:
        """How often a pod's first container was restarted."""
        return int(self.kubectl.json("get", "pod", pod)["status"]["containerStatuses"][0]["restartCount"])

    def wait(self, condition: str, *what: str) -> None:
        """Wait for a condition."""
        self.kubectl("wait", f"--for={condition}", *what, f"--timeout={WAIT_SECONDS}s")


@contextmanager
def limited(what: int, most: int) -> Iterator[None]:
    """What is started in the block can have no more of a resource (`resource.RLIMIT_...`)."""
    before = resource.getrlimit(what)
    resource.setrlimit(what, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(what, before)


def until(answer: Callable[[], Any]) -> Any:
    """The first answer that isn't empty; a command that fails has none yet."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        try:
            if found := answer():
                return found
        except (AssertionError, OSError, psutil.Error, json.JSONDecodeError):
            pass
        time.sleep(0.02)
    raise AssertionError(f"{answer} comes to nothing")


@contextmanager
def stopped(*pids: int):
    """These processes don't run meanwhile (SIGSTOP)."""
    for pid in pids:
        psutil.Process(pid).suspend()
    try:
        yield
    finally:
        for pid in pids:
            if psutil.pid_exists(pid):
                psutil.Process(pid).resume()


def descriptors(pid: int) -> int:
    """How many files and sockets a process has open."""
    return len(os.listdir(Path(f"/proc/{pid}/fd")))  # noqa: PTH208 -- names only
