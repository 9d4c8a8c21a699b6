"""Where sandboxes live on disk."""

import os
from pathlib import Path

import pytest

from seatrial.errors import SandboxError, StateError, UsageError
from seatrial.sandbox.home import Home, Record, all_homes, home_of, state_error
from seatrial.sandbox.leftovers import remove_directory

RECORD = Record(name="a", sandbox_id="7", pid=1, launcher_pid=2, server="https://x", started_at=1.0, nodes=4)


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home that nobody lives in."""
    return home_of("a", state=tmp_path_factory.mktemp("s"))


@pytest.mark.parametrize("name", ["", "A", "a/b", "../a", "-a", "a-", "x" * 33, ".a"])
def test_names(name: str, tmp_path: Path) -> None:
    """A name is what can be a directory's and a context's name, and nothing else."""
    with pytest.raises(UsageError, match="sandbox's name"):
        home_of(name, state=tmp_path)


def test_a_claimed_home_is_taken(home: Home) -> None:
    """The second claim fails and says what to do; when the first is let go the name is free."""
    lock = home.claim()
    assert home.is_claimed()
    with pytest.raises(SandboxError, match="'a' is running already") as caught:
        home.claim()
    assert "--name" in caught.value.hint
    os.close(lock)
    assert not home.is_claimed()


def test_a_home_that_was_removed_while_claiming(home: Home) -> None:
    """A claim on a directory that is swept away gets a fresh one: two sandboxes never share a name."""
    lock = home.claim()
    remove_directory(home.directory)
    other = home.claim()
    assert home.directory.is_dir()
    os.close(lock)
    assert home.is_claimed()
    os.close(other)


def test_records(home: Home) -> None:
    """Who lives there is written as a whole and read back; nobody yet is None; garbage is an error."""
    os.close(home.claim())
    assert home.read() is None
    home.write(RECORD)
    assert home.read() == RECORD
    (home.directory / "sandbox.json").write_text("{")
    with pytest.raises(StateError, match="can't be read"):
        home.read()


def test_all_homes(home: Home) -> None:
    """All sandboxes of a state directory are found, also when there is none; other files don't count."""
    state = home.directory.parent.parent
    assert all_homes(state=state) == []
    os.close(home.claim())
    (home.directory.parent / ".b-7.gone").mkdir()
    assert all_homes(state=state) == [home]


def test_a_home_that_can_not_be_made(home: Home) -> None:
    """Where a directory can't be made the error names the place and the option."""
    home.directory.parent.write_text("a file is in the way")
    with pytest.raises(StateError, match="can't write to") as caught:
        home.claim()
    assert "--state-dir" in caught.value.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
@pytest.mark.parametrize("whose", ["", ".."], ids=["its own", "the sandboxes'"])
def test_another_users_home_is_refused(home: Home, whose: str) -> None:
    """Where somebody else could put other certificates in, nobody lives."""
    os.close(home.claim())
    os.chown(home.directory / whose, 4711, 4711)
    with pytest.raises(StateError, match="belongs to another user") as caught:
        home.claim()
    assert "--state-dir" in caught.value.hint


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_a_home_that_others_may_write_to_is_refused(home: Home, mode: int) -> None:
    """Group or world: the hint tells how to close it."""
    os.close(home.claim())
    home.directory.chmod(mode)
    with pytest.raises(StateError, match="other users may write") as caught:
        home.claim()
    assert caught.value.hint == f"chmod 700 {home.directory}"


def test_a_full_disk() -> None:
    """No space left is said in these words."""
    error = state_error(OSError(28, "No space left on device", "/s/pki/ca.crt"), Path("/s"))
    assert "no space left on the disk of /s/pki/ca.crt" in error.message
