"""Files of a volume that are replaced all at once."""

from pathlib import Path

from seatrial.sandbox.kubelet.volume_payload import File, write_payload


def test_content_is_replaced_at_once(tmp_path: Path) -> None:
    """By another `..data`; what is no longer in it goes, what is unchanged is not written again."""
    write_payload(tmp_path, {"a": File(b"1"), "deep/b": File(b"2", 0o600)})
    first = (tmp_path / "..data").readlink()
    assert (tmp_path / "a").read_text() == "1"
    assert (tmp_path / "deep" / "b").stat().st_mode & 0o777 == 0o600
    write_payload(tmp_path, {"a": File(b"1"), "deep/b": File(b"2", 0o600)})
    assert (tmp_path / "..data").readlink() == first
    write_payload(tmp_path, {"a": File(b"3")})
    assert (tmp_path / "a").read_text() == "3"
    assert sorted(entry.name for entry in tmp_path.iterdir() if not entry.name.startswith("..")) == ["a"]
    assert not (tmp_path / first).exists()


def test_a_volume_may_be_empty(tmp_path: Path) -> None:
    """An optional ConfigMap that isn't there, one without data."""
    write_payload(tmp_path, {})
    assert (tmp_path / "..data").is_dir()
