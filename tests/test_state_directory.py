import pwd
from pathlib import Path

import pytest

from seatrial.errors import StateError
from seatrial.state_directory import state_directory


@pytest.fixture(autouse=True)
def environ(monkeypatch, tmp_path):
    """A user whose home is a temporary directory, and who says nothing else."""
    for name in ("SEATRIAL_STATE_DIR", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return monkeypatch


def test_it_is_the_first_that_is_said(environ, tmp_path):
    """The flag, then SEATRIAL_STATE_DIR, then XDG_STATE_HOME, then the home directory."""
    assert state_directory() == tmp_path / "home" / ".local" / "state" / "seatrial"
    environ.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert state_directory() == tmp_path / "xdg" / "seatrial"
    environ.setenv("SEATRIAL_STATE_DIR", str(tmp_path / "mine"))
    assert state_directory() == tmp_path / "mine"
    assert state_directory(tmp_path / "flag") == tmp_path / "flag"


@pytest.mark.parametrize("name", ["SEATRIAL_STATE_DIR", "XDG_STATE_HOME"])
def test_an_empty_variable_says_nothing(environ, tmp_path, name):
    """`VARIABLE=` is as if it were not set (XDG Base Directory Specification)."""
    environ.setenv(name, "")
    assert state_directory() == tmp_path / "home" / ".local" / "state" / "seatrial"


def test_it_is_made_for_this_user_alone(tmp_path):
    """Nobody else may look into it; one that is there stays as it is."""
    made = state_directory(tmp_path / "a" / "b")
    assert made.is_dir()
    assert made.stat().st_mode & 0o777 == 0o700
    assert state_directory(made) == made


def test_a_user_without_a_home_is_told_what_to_do(environ):
    """No HOME and no entry for this user, as in some containers: an error with a hint."""

    def unknown(uid):
        raise KeyError(uid)

    environ.delenv("HOME")
    environ.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(StateError, match="no home directory") as caught:
        state_directory()
    assert "SEATRIAL_STATE_DIR" in caught.value.hint


@pytest.mark.parametrize("inside", [".", "deeper"])
def test_a_file_in_its_place_is_said(tmp_path, inside):
    """The path and the system's reason, with a hint."""
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(StateError, match=f"can't make the state directory {file}") as caught:
        state_directory(file / inside)
    assert "--state-dir" in caught.value.hint


def test_a_name_that_is_too_long_is_said(tmp_path):
    """Whatever the system refuses becomes the same error."""
    with pytest.raises(StateError, match="too long"):
        state_directory(tmp_path / ("x" * 300))


def test_a_place_where_nothing_can_be_written_is_said():
    """A file system of the kernel's own takes no directories, not even from root."""
    with pytest.raises(StateError, match="can't make the state directory /proc/seatrial"):
        state_directory(Path("/proc/seatrial"))


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o1777])
def test_one_that_others_may_write_to_is_refused(tmp_path, mode):
    """What the journal says is carried out: a directory below it, made for this user alone, will do."""
    directory = tmp_path / "shared"
    directory.mkdir()
    directory.chmod(mode)
    with pytest.raises(StateError, match="others may write to the state directory") as caught:
        state_directory(directory)
    assert f"{directory}/seatrial" in caught.value.hint
    assert state_directory(directory / "seatrial").is_dir()


def test_one_that_others_may_read_is_taken(tmp_path):
    """The files in it are for this user alone."""
    directory = tmp_path / "mine"
    directory.mkdir()
    directory.chmod(0o755)
    assert state_directory(directory) == directory


def test_another_users_is_refused(tmp_path, monkeypatch):
    """Also for root, who may write there: the files would be in their owner's way afterwards."""
    monkeypatch.setattr("os.geteuid", lambda: 4242)
    monkeypatch.setattr("os.access", lambda *_: True)
    with pytest.raises(StateError, match="belongs to another user"):
        state_directory(tmp_path)
