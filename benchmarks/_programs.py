"""What the benchmarks of whole runs share: running programs and counting what they took, and a bare peer.

Not a benchmark itself, which the underscore says.
"""

import json
import os
import ssl
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

FOLDER = Path(__file__).parent
# Runs a program and tells what it took. A process of its own: the largest memory that the kernel remembers of a program
# includes what the process had that it was forked from.
_MEASURE = """
import json, os, sys, time
began, clock = time.time(), time.perf_counter()
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])
_, status, used = os.wait4(pid, 0)
told = {"wall_seconds": time.perf_counter() - clock, "cpu_seconds": used.ru_utime + used.ru_stime}
told |= {"memory_mb": used.ru_maxrss / 1024, "began": began, "code": os.waitstatus_to_exitcode(status)}
print(json.dumps(told))
"""
PODS_PATH = "/api/v1/namespaces/default/pods"


@dataclass(frozen=True)
class Usage:
    """What a program took from its start to its end; memory is the largest that it ever had resident."""

    wall_seconds: float
    cpu_seconds: float
    memory_mb: float
    began: float
    """Seconds since the epoch."""


class Programs:
    """Runs programs against one cluster, with a home of their own and modules compiled as those of installed tools."""

    def __init__(self, kubeconfig: Path, directory: Path) -> None:
        self.kubeconfig = kubeconfig
        self.directory = directory
        kept = {key: value for key, value in os.environ.items() if key in {"PATH", "LANG", "TMPDIR"}}
        self.environ = {
            **kept,
            "HOME": str(directory),
            "KUBECONFIG": str(kubeconfig),
            "SEATRIAL_STATE_DIR": str(directory / "state"),
            "PYTHONPYCACHEPREFIX": str(directory / "compiled"),
        }
        config = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
        self._access = json.dumps(
            {
                "server": config["clusters"][0]["cluster"]["server"],
                "ca": config["clusters"][0]["cluster"]["certificate-authority-data"],
                "token": config["users"][0]["user"]["token"],
            }
        )

    def run(self, *command: str, expected: Sequence[int] = (0,)) -> Usage:
        """Run a program to its end."""
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _MEASURE, *command],
            env=self.environ, capture_output=True, stdin=subprocess.DEVNULL, check=True,
        )  # fmt: skip
        told = json.loads(done.stdout)
        assert told.pop("code") in expected, (command, done.stderr.decode()[-2000:])
        return Usage(**told)

    def seatrial(self, policy: Path, *flags: str) -> Usage:
        """Run a policy."""
        command = (sys.executable, "-m", "seatrial", "autonomous", "--policy-file", str(policy))
        return self.run(*command, "--log-format", "json", *flags)

    def bare(self, *, selector: str, number: int) -> Usage:
        """Run the plainest program that chooses and force-kills so many pods."""
        return self.run(sys.executable, str(FOLDER / "_bare_kill.py"), self._access, selector, str(number))


def tls_of(sandbox_directory: Path) -> ssl.SSLContext:
    """What a client of a sandbox checks certificates against."""
    return ssl.create_default_context(cafile=str(sandbox_directory / "pki" / "ca.crt"))


def write(file: Path, text: str) -> Path:
    """Write a file, and answer it."""
    file.write_text(text, encoding="utf-8")
    return file


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios of measurements that were taken in turns."""
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
