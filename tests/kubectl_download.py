"""Fetches kubectl for the tests where this machine has none of a version that they want; `make test` runs it.

    python -m tests.kubectl_download

Debian's archive carries kubectl as a package, built from Kubernetes' own source: one file, which needs no root and
nothing but the C library. It is unpacked into the virtual environment, and found there by `kubectls`.
"""

import lzma
import os
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.debian_packages import DebianPackage, DownloadError, files_in, put
from tests.kubectls import INSTALLED, kubectls

_POOL = "pool/main/k/kubernetes"

# By minor version. Unstable's package goes when a newer one comes; stable's stays for years.
_PACKAGES = {
    "1.36": DebianPackage(
        "kubectl",
        "1.36.4+ds-1",
        _POOL,
        {
            "amd64": "407dad9ec755a64ef8c96dd2f5c0c093f9d334193c91cc0ce8424928cd5734d3",
            "arm64": "5710b3f09f454702b7342852021612d0215bbcaa2520cb539ff0105b1e349e2c",
        },
    ),
    "1.32": DebianPackage(
        "kubectl",
        "1.32.3+ds-2",
        _POOL,
        {
            "amd64": "9825aaf4c14913027aae04af8688e580459f781c829bd5de00cc4dc2cc5a867f",
            "arm64": "b85800b5e2d2ecc958e2b9dfa7d4ce13b14e1175242de1f71acb4fa4b0b63212",
        },
    ),
}


def install(minor: str, package: DebianPackage, *, directory: Path = INSTALLED) -> Path:
    """Fetch, check and unpack the package of a version; answers the program's path."""
    program = program_in(package.fetch())
    target = directory / f"kubectl.{minor}"
    put(program, target)
    return target


def program_in(package: bytes) -> bytes:
    """The program in a package of kubectl."""
    with files_in(package) as files:
        if (member := files.extractfile("./usr/bin/kubectl")) is not None:
            return member.read()
    raise DownloadError("the package has no kubectl in it")


def main() -> int:
    """Install what is missing; fails only where no kubectl at all can be had."""
    for minor, package in _PACKAGES.items():
        if minor in kubectls():
            continue
        try:
            print(f"kubectl {package.version}: {install(minor, package)}")  # noqa: T201 -- a command's output
        except (DownloadError, subprocess.TimeoutExpired, lzma.LZMAError, tarfile.TarError) as error:
            print(f"kubectl {package.version} could not be had: {error}", file=sys.stderr)  # noqa: T201 -- likewise
    kubectls.cache_clear()
    return os.EX_OK if kubectls() else os.EX_UNAVAILABLE


if __name__ == "__main__":
    sys.exit(main())
