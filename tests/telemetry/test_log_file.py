import errno
import io
import json
import logging
import os

import pytest

from seatrial.errors import UsageError
from seatrial.telemetry.log import LogReport, configure_logging, file_logger
from seatrial.telemetry.log_file import Rotation, open_log_file, parse_rotation
from tests.report.conftest import records_of
from tests.telemetry.test_log import KILL, restored  # noqa: F401 -- a fixture

logger = logging.getLogger("seatrial.test")


@pytest.fixture
def log_file(tmp_path):
    """A log file that is written beside standard error; both can be read."""
    made = []

    def make(*, rotation=None, as_json=False, **options):
        path = tmp_path / "seatrial.log"
        handler = open_log_file(path, as_json=as_json, rotation=rotation or Rotation())
        made.append(handler)
        make.shown = io.StringIO()
        make.handler = handler
        configure_logging(log_format="text", stream=make.shown, file=handler, **options)
        return path

    yield make
    for handler in made:
        handler.close()
    logging.getLogger("seatrial.file").handlers.clear()


@pytest.mark.parametrize(
    ("text", "rotation"),
    [
        ("10MB", Rotation(most_bytes=10_000_000, keep=3)),
        ("500 kB", Rotation(most_bytes=500_000, keep=3)),
        ("1G", Rotation(most_bytes=1_000_000_000, keep=3)),
        ("4096", Rotation(most_bytes=4096, keep=3)),
        ("daily", Rotation(every="daily", keep=3)),
        ("hourly", Rotation(every="hourly", keep=3)),
        ("never", Rotation(keep=3)),
    ],
)
def test_when_a_file_is_begun_anew(text, rotation):
    """At a size, by the clock, or never."""
    assert parse_rotation(text, keep=3) == rotation


@pytest.mark.parametrize("text", ["", "10 MiB", "0", "-1MB", "weekly", "1.5MB"])
def test_what_says_no_rotation(text):
    """What is meant is not guessed."""
    with pytest.raises(UsageError, match="neither a size"):
        parse_rotation(text, keep=3)


def test_a_file_that_can_not_be_written_is_said_before_anything_runs(tmp_path):
    """A directory that isn't there is not made: it may be a mount that is missing."""
    with pytest.raises(UsageError, match=r"can't write the log file .*: No such file or directory"):
        open_log_file(tmp_path / "none" / "x.log", as_json=True, rotation=Rotation())


def test_what_is_logged_is_shown_and_kept(log_file):
    """The same lines, in the form that each has."""
    path = log_file(as_json=True)
    LogReport()(records_of([KILL])[0])
    assert "pod_killed" in log_file.shown.getvalue()
    assert json.loads(path.read_text())["event"] == "pod_killed"


def test_silence_is_not_for_the_file(log_file):
    """`--silent` shows errors alone; the file has all that happened."""
    path = log_file(silent=True)
    logger.warning("a warning")
    LogReport(file_logger(log_file.handler))(records_of([KILL])[0])
    assert log_file.shown.getvalue() == ""
    assert [word in path.read_text() for word in ("a warning", "pod_killed")] == [True, True]


def test_what_a_terminal_shows_in_another_way_is_logged_to_the_file_alone(log_file):
    """The account of a run on a terminal has no log lines between its own."""
    path = log_file()
    LogReport(file_logger(log_file.handler))(records_of([KILL])[0])
    assert log_file.shown.getvalue() == ""
    assert path.read_text().count("pod_killed") == 1


def test_files_stay_below_their_size_and_their_number(log_file):
    """Ten times as much as is kept leaves the latest lines only."""
    path = log_file(rotation=Rotation(most_bytes=2000, keep=2))
    for number in range(400):
        logger.info("line %d", number)
    files = sorted(path.parent.glob("seatrial.log*"))
    assert [each.name for each in files] == ["seatrial.log", "seatrial.log.1", "seatrial.log.2"]
    assert all(each.stat().st_size <= 2000 for each in files)
    assert "line 399" in path.read_text()


def test_a_file_that_is_older_than_today_is_begun_anew(log_file, tmp_path):
    """Also after a restart: what counts is when the file was last written."""
    old = tmp_path / "seatrial.log"
    old.write_text("of yesterday\n")
    os.utime(old, (0, 0))
    path = log_file(rotation=Rotation(every="daily", keep=2))
    logger.info("of today")
    [rotated] = path.parent.glob("seatrial.log.*")
    assert rotated.read_text() == "of yesterday\n"
    assert "of today" in path.read_text()


def test_a_file_that_was_moved_away_is_let_go_of(log_file):
    """As logrotate does it; the next line is in a file of the old name, without a signal."""
    path = log_file()
    logger.info("before")
    path.rename(path.with_suffix(".old"))
    logger.info("after")
    assert ("before" in path.with_suffix(".old").read_text(), "after" in path.read_text()) == (True, True)
    assert "after" not in path.with_suffix(".old").read_text()
    path.unlink()
    logger.info("once more")
    assert "once more" in path.read_text()


def test_a_full_disk_is_said_once_and_hurts_nobody(log_file):
    """Until it is no longer full: how many lines are missing is said then."""
    path = log_file()
    real = log_file.handler.stream

    class Full(io.TextIOBase):
        def write(self, text):
            raise OSError(errno.ENOSPC, "No space left on device")

        def fileno(self):
            return real.fileno()

    log_file.handler.stream = Full()
    for _ in range(5):
        logger.info("lost")
    log_file.handler.stream = real
    logger.info("kept")
    shown = [line for line in log_file.shown.getvalue().splitlines() if "log file" in line]
    assert "No space left on device; the run goes on" in shown[0]
    assert "can be written again; 6 lines are missing" in shown[1]  # five, and the warning itself
    assert len(shown) == 2
    assert ("lost" in path.read_text(), "kept" in path.read_text()) == (False, True)
