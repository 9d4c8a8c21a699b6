"""busybox's `tar`, as `kubectl cp` calls it."""

import io
import tarfile
from pathlib import Path

import pytest

from tests.sandbox.images.containers import Containers


@pytest.fixture
def tree(volumes: Path) -> Path:
    (volumes / "data" / "deep").mkdir(parents=True)
    (volumes / "data" / "deep" / "file").write_text("some text\n")
    (volumes / "data" / "link").symlink_to("deep/file")
    return volumes


def test_an_archive_comes_back(containers: Containers, tree: Path) -> None:
    """What `tar cf` packs from a container's path, `tar xf` unpacks at another."""
    environ = {"SEATRIAL_ROOTFS": str(tree)}
    code, _, err = containers.run("busybox", "tar", "cf", "/archive", "/data", environ=environ)
    assert (code, err) == (0, "tar: removing leading '/' from member names\n")
    (tree / "there").mkdir()
    assert containers.run("busybox", "tar", "-xmf", "/archive", "-C", "/there", environ=environ) == (0, "", "")
    assert (tree / "there" / "data" / "deep" / "file").read_text() == "some text\n"
    assert (tree / "there" / "data" / "link").is_symlink()


def test_a_missing_file_fails_in_the_end(containers: Containers, tree: Path) -> None:
    """A file that isn't there is told, the others are packed, and the exit code tells of it."""
    environ = {"SEATRIAL_ROOTFS": str(tree)}
    code, _, err = containers.run("busybox", "tar", "cf", "/archive", "/nosuch", "/data", environ=environ)
    assert code == 1
    assert err.splitlines()[1:] == [
        "tar: /nosuch: No such file or directory",
        "tar: error exit delayed from previous errors",
    ]
    with tarfile.open(tree / "archive") as archive:
        assert "data/deep/file" in archive.getnames()


def test_an_archive_reaches_no_further_than_its_directory(containers: Containers, tree: Path) -> None:
    """A member whose name leads out of the directory is refused."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("../escaped"))
    (tree / "archive").write_bytes(packed.getvalue())
    (tree / "there").mkdir()
    environ = {"SEATRIAL_ROOTFS": str(tree)}
    code, _, err = containers.run("busybox", "tar", "xf", "/archive", "-C", "/there", environ=environ)
    assert code == 1
    assert "outside the destination" in err
    assert not (tree / "escaped").exists()


@pytest.mark.parametrize("arguments", [(), ("-f",), ("-ct",), ("c",), ("x", "-C")])
def test_wrong_usage_is_told(containers: Containers, arguments: tuple[str, ...]) -> None:
    """Arguments that make no sense are a failure with a message, not a traceback."""
    code, _, err = containers.run("busybox", "tar", *arguments)
    assert code == 1
    assert err.startswith("tar: ")
    assert err.count("\n") == 1


def test_what_is_no_archive_is_told(containers: Containers) -> None:
    """Standard input that holds no archive is a failure with a message."""
    code, _, err = containers.run("busybox", "tar", "xf", "-", stdin="this is no archive" * 100)
    assert code == 1
    assert err.startswith("tar: ")
