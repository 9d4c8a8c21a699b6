"""Programs out of Debian's archive, for tests that need other people's and a machine that has them not.

Packages are pinned by their checksums, so it doesn't matter who hands them over. Nothing is installed: single files are
taken out of them, without root.
"""

import hashlib
import io
import lzma
import os
import platform
import shutil
import subprocess
import tarfile
import tempfile
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

MIRROR_VARIABLE = "SEATRIAL_DEBIAN_MIRROR"
"""Where Debian's archive is, as `http://HOST/debian`; by default wherever apt gets its packages from."""

MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
"""Kinds of machines as the kernel names them, and as Debian does."""

_APT_HELPER = Path("/usr/lib/apt/apt-helper")
_TIMEOUT_SECONDS = 120


class DownloadError(Exception):
    """A package could not be had; the message says why."""


class DebianPackage(NamedTuple):
    """A package: its name, the folder of the archive that it stands in, and its checksum for each kind of machine."""

    name: str
    version: str
    folder: str
    sha256: dict[str, str]

    def fetch(self) -> bytes:
        """Its content, checked."""
        machine = MACHINES.get(platform.machine(), "")
        if machine not in self.sha256:
            raise DownloadError(f"there is no package for {platform.machine()}")
        content = _fetch_from_any(mirrors(), f"{self.folder}/{self.name}_{self.version}_{machine}.deb")
        if hashlib.sha256(content).hexdigest() != self.sha256[machine]:
            raise DownloadError(f"what was sent for {self.name} {self.version} is not what was pinned")
        return content


def files_in(package: bytes) -> tarfile.TarFile:
    """The files of a Debian package: an `ar` archive, in which a compressed tar archive has them."""
    position = len(b"!<arch>\n")
    while position < len(package):
        header = package[position : position + 60]
        name, size = header[:16].decode().strip(), int(header[48:58])
        start = position + 60
        if name.startswith("data.tar.xz"):
            return tarfile.open(fileobj=io.BytesIO(lzma.decompress(package[start : start + size])))
        position = start + size + size % 2
    raise DownloadError("the package has no files in it")


def take(package: bytes, names: Iterable[str], directory: Path) -> None:
    """Put single files of a package into a directory, each named by the end of its path; links are followed."""
    with files_in(package) as files:
        members = {member.name: member for member in files}
        for name in names:
            found = next((each for path, each in members.items() if path.endswith(f"/{name}")), None)
            if found is None:
                raise DownloadError(f"the package has no {name} in it")
            if found.issym():
                found = members[f"{found.name.rpartition('/')[0]}/{found.linkname}"]
            content = files.extractfile(found)
            assert content is not None
            put(content.read(), directory / Path(name).name)


def put(content: bytes, target: Path) -> None:
    """Write a program, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
        file.write(content)
    Path(file.name).chmod(0o755)
    Path(file.name).rename(target)


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
