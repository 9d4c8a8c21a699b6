"""Programs of the built-in images, run as processes on addresses of their own."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress

from seatrial.sandbox.network.low_ports import bindable

_RUNNER = """
import json, os, sys
from seatrial.sandbox.images import registry
image, argv = json.loads(sys.argv[1])
sys.exit(registry.find(image, {}).programs[argv[0]](argv, dict(os.environ)))
"""


class Containers:
    """Starts programs of images as a node would, without one."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[str]] = []

    def start(self, image: str, *argv: str, environ: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a program with an environment of its own."""
        process = subprocess.Popen(
            [sys.executable, "-c", _RUNNER, json.dumps([image, argv])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"PATH": os.environ["PATH"], **(environ or {})},
        )
        self._processes.append(process)
        return process

    def run(
        self, image: str, *argv: str, environ: Mapping[str, str] | None = None, stdin: str = ""
    ) -> tuple[int, str, str]:
        """Run a program to its end: exit code, standard output, standard error."""
        process = self.start(image, *argv, environ=environ)
        out, err = process.communicate(stdin, timeout=30)
        return process.returncode, out, err

    def stop(self, process: subprocess.Popen[str], number: int = signal.SIGTERM) -> int:
        """Send a signal and answer the exit code."""
        process.send_signal(number)
        process.communicate(timeout=30)
        return process.returncode

    def close(self) -> None:
        """Kill what still runs."""
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.communicate()


def random_address() -> str:
    """An address of the loopback range beyond the blocks that sandboxes take."""
    return f"127.{random.randint(251, 254)}.{random.randint(1, 254)}.{random.randint(1, 254)}"


async def listening(address: str, port: int) -> str:
    """Wait until somebody listens there; answers the base URL. There is no event for another process's listen()."""
    async with asyncio.timeout(60):
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection(address, bindable(port))
                writer.close()
                await writer.wait_closed()
                return f"http://{address}:{bindable(port)}"
            await asyncio.sleep(0.01)
