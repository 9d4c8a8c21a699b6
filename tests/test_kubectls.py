"""Finding kubectls, and fetching one."""

import hashlib
import http.server
import io
import lzma
import platform
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.debian_packages import MACHINES, MIRROR_VARIABLE, DebianPackage, DownloadError
from tests.kubectl_download import install, program_in
from tests.kubectls import kubectls, nearest


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine whose kubectls stand in one directory."""
    for version in ("1.27", "1.33"):
        program = tmp_path / f"kubectl.{version}"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    (tmp_path / "kubectl.1.30").write_text("can't be run")
    monkeypatch.setenv("SEATRIAL_KUBECTLS", str(tmp_path))
    monkeypatch.setattr("tests.kubectls.INSTALLED", tmp_path / "none")
    monkeypatch.setattr("tests.kubectls._CLOUD_SDK", tmp_path / "none")
    monkeypatch.setattr("tests.kubectls.shutil.which", lambda _: None)
    kubectls.cache_clear()
    yield tmp_path
    kubectls.cache_clear()


def test_programs_are_found_by_version(elsewhere: Path) -> None:
    """Those that can be run, oldest first."""
    assert kubectls() == {version: str(elsewhere / f"kubectl.{version}") for version in ("1.27", "1.33")}


@pytest.mark.parametrize(("wanted", "found"), [("1.27", "1.27"), ("1.28", "1.27"), ("1.36", "1.33"), ("1.30", "1.33")])
def test_the_nearest_version_stands_in(elsewhere: Path, wanted: str, found: str) -> None:
    """The same version, else the closest one, else the newer of two."""
    assert nearest(wanted) == (found, str(elsewhere / f"kubectl.{found}"))


def debian_package(content: bytes) -> bytes:
    """A package with one file: an `ar` archive of a version, control data of odd length and the files."""
    files = io.BytesIO()
    with tarfile.open(fileobj=files, mode="w") as archive:
        member = tarfile.TarInfo("./usr/bin/kubectl")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    members = {"debian-binary": b"2.0\n", "control.tar.xz": b"odd", "data.tar.xz": lzma.compress(files.getvalue())}
    package = b"!<arch>\n"
    for name, data in members.items():
        package += (
            f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
        )
    return package


def test_the_program_is_taken_out_of_the_package() -> None:
    """Its bytes are those of the file in the package; a package without it is refused."""
    assert program_in(debian_package(b"a program")) == b"a program"
    with pytest.raises(DownloadError, match="no files"):
        program_in(b"!<arch>\n")


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[bytes]:
    """An archive that serves one package, whatever is asked of it."""
    content = debian_package(b"#!/bin/sh\n")

    class Archive(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Archive)
    monkeypatch.setenv(MIRROR_VARIABLE, f"http://127.0.0.1:{server.server_port}/debian")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield content
    server.shutdown()
    thread.join()
    server.server_close()


def package_of(content: bytes) -> DebianPackage:
    """A pin for this machine."""
    machine = MACHINES[platform.machine()]
    return DebianPackage("kubectl", "1.99.0", "pool", {machine: hashlib.sha256(content).hexdigest()})


def test_a_package_is_fetched_and_unpacked(archive: bytes, tmp_path: Path) -> None:
    """The program can be run, and stands under its version."""
    program = install("1.99", package_of(archive), directory=tmp_path / "kubectl")
    assert program == tmp_path / "kubectl" / "kubectl.1.99"
    assert program.read_bytes() == b"#!/bin/sh\n"
    assert program.stat().st_mode & 0o111


def test_another_package_than_the_pinned_one_is_refused(archive: bytes, tmp_path: Path) -> None:
    """Nothing is installed of what doesn't have the pinned checksum."""
    with pytest.raises(DownloadError, match="not what was pinned"):
        install("1.99", package_of(b"something else"), directory=tmp_path / "kubectl")
    assert not (tmp_path / "kubectl").exists()


def test_without_a_mirror_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that is no Debian, the variable to set is named."""
    monkeypatch.setattr("tests.debian_packages.shutil.which", lambda _: None)
    monkeypatch.delenv(MIRROR_VARIABLE, raising=False)
    with pytest.raises(DownloadError, match="SEATRIAL_DEBIAN_MIRROR"):
        install("1.99", package_of(b""), directory=tmp_path / "kubectl")
