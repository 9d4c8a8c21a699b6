"""Fetches kubectl for the tests where this machine has none of a version that they want; `make test` runs it.

    python -m tests.kubectl_download

Debian's archive carries kubectl as a package, built from Kubernetes' own source: one file, which needs no root and
nothing but the C library. The packages are pinned by their checksums, so it doesn't matter who hands them over. They
are unpacked into the virtual environment, and found there by `kubectls`.
"""

import hashlib
import io
import lzma
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
from pathlib import Path
from typing import NamedTuple

from tests.kubectls import INSTALLED, kubectls

MIRROR_VARIABLE = "SEATRIAL_DEBIAN_MIRROR"
"""Where Debian's archive is, as `http://HOST/debian`; by default wherever apt gets its packages from."""

_POOL = "pool/main/k/kubernetes/"
_APT_HELPER = Path("/usr/lib/apt/apt-helper")
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_TIMEOUT_SECONDS = 120


class Package(NamedTuple):
    """A Debian package of kubectl, and the checksum of its file for each kind of machine."""

    minor: str
    version: str
    sha256: dict[str, str]


# Unstable's package goes when a newer one comes; stable's stays for years.
_PACKAGES = (
    Package(
        "1.36",
        "1.36.4+ds-1",
        {
            "amd64": "407dad9ec755a64ef8c96dd2f5c0c093f9d334193c91cc0ce8424928cd5734d3",
            "arm64": "5710b3f09f454702b7342852021612d0215bbcaa2520cb539ff0105b1e349e2c",
        },
    ),
    Package(
        "1.32",
        "1.32.3+ds-2",
        {
            "amd64": "9825aaf4c14913027aae04af8688e580459f781c829bd5de00cc4dc2cc5a867f",
            "arm64": "b85800b5e2d2ecc958e2b9dfa7d4ce13b14e1175242de1f71acb4fa4b0b63212",
        },
    ),
)


class DownloadError(Exception):
    """A kubectl could not be had; the message says why."""


def install(package: Package, *, directory: Path = INSTALLED) -> Path:
    """Fetch, check and unpack one package; answers the program's path."""
    machine = _MACHINES.get(platform.machine(), "")
    if machine not in package.sha256:
        raise DownloadError(f"there is no package for {platform.machine()}")
    content = _fetch_from_any(mirrors(), f"{_POOL}kubectl_{package.version}_{machine}.deb")
    if hashlib.sha256(content).hexdigest() != package.sha256[machine]:
        raise DownloadError(f"what was sent for kubectl {package.version} is not what was pinned")
    target = directory / f"kubectl.{package.minor}"
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=directory, delete=False) as file:
        file.write(program_in(content))
    Path(file.name).chmod(0o755)
    Path(file.name).rename(target)
    return target


def program_in(package: bytes) -> bytes:
    """The program in a Debian package: an `ar` archive, in which a compressed tar archive has the files."""
    position = len(b"!<arch>\n")
    while position < len(package):
        header = package[position : position + 60]
        name, size = header[:16].decode().strip(), int(header[48:58])
        start = position + 60
        if name.startswith("data.tar.xz"):
            data = lzma.decompress(package[start : start + size])
            with tarfile.open(fileobj=io.BytesIO(data)) as files:
                member = files.extractfile("./usr/bin/kubectl")
                if member is not None:
                    return member.read()
        position = start + size + size % 2
    raise DownloadError("the package has no kubectl in it")


def mirrors() -> list[str]:
    """Where Debian's archive can be had."""
    if own := os.environ.get(MIRROR_VARIABLE):
        return [own]
    apt = shutil.which("apt-get")
    if apt is None:
        return []
    command = [apt, "indextargets", "--format", "$(SITE)"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
    return [site for site in dict.fromkeys(done.stdout.split()) if not site.endswith("-security")]


def _fetch_from_any(sites: list[str], path: str) -> bytes:
    problem = DownloadError(f"nobody here knows a mirror of Debian's archive: set {MIRROR_VARIABLE}")
    for site in sites:
        try:
            return _fetch(f"{site.rstrip('/')}/{path}")
        except DownloadError as error:
            problem = error
    raise problem


def _fetch(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 -- apt's mirrors are http or https
            content: bytes = answer.read()
            return content
    except OSError as error:
        return _fetch_as_apt(url, error)


def _fetch_as_apt(url: str, error: OSError) -> bytes:
    """A machine may reach the archive by apt's own configuration only."""
    if not _APT_HELPER.exists():
        raise DownloadError(f"{url}: {error}") from error
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "package"
        command = [str(_APT_HELPER), "download-file", url, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
        if done.returncode != 0 or not path.exists():
            raise DownloadError(f"{url}: {error}") from error
        return path.read_bytes()


def main() -> int:
    """Install what is missing; fails only where no kubectl at all can be had."""
    missing = [package for package in _PACKAGES if package.minor not in kubectls()]
    for package in missing:
        try:
            print(f"kubectl {package.version}: {install(package)}")  # noqa: T201 -- a command's output
        except (DownloadError, subprocess.TimeoutExpired, lzma.LZMAError, tarfile.TarError) as error:
            print(f"kubectl {package.version} could not be had: {error}", file=sys.stderr)  # noqa: T201 -- likewise
    kubectls.cache_clear()
    return os.EX_OK if kubectls() else os.EX_UNAVAILABLE


if __name__ == "__main__":
    sys.exit(main())
