"""`hostPath` volumes and their types."""

from pathlib import Path

import pytest

from seatrial.sandbox.kubelet.container_isolation.host_paths import prepare_host_path


def test_what_may_be_made_is_made(tmp_path: Path) -> None:
    """Directories and files, also where no type is named."""
    for kind, name in (("", "a/b"), ("DirectoryOrCreate", "c"), ("FileOrCreate", "d")):
        prepare_host_path({"path": str(tmp_path / name), "type": kind})
    assert (tmp_path / "a" / "b").is_dir()
    assert (tmp_path / "c").is_dir()
    assert (tmp_path / "d").is_file()


@pytest.mark.parametrize(
    ("kind", "words"), [("Directory", "a directory"), ("File", "a file"), ("Socket", "a socket file")]
)
def test_what_is_something_else_is_refused(tmp_path: Path, kind: str, words: str) -> None:
    """Also what isn't there, for the types that make nothing."""
    path = tmp_path / "x"
    with pytest.raises(ValueError, match=f"hostPath type check failed: {path} is not {words}"):
        prepare_host_path({"path": str(path), "type": kind})
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="hostPath type check failed"):
        prepare_host_path({"path": str(tmp_path / "file"), "type": "DirectoryOrCreate"})
