"""Containers' logs: written in the runtime's form, read as `kubectl logs` shows them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.sandbox.kubelet import container_log
from seatrial.sandbox.kubelet.container_log import LONGEST_LINE_BYTES, LogFile, StreamWriter, format_record, rotated
from seatrial.sandbox.kubelet.log_reader import LogFollower, LogQuery, read_log


def write(path: Path, *chunks: bytes, stream: str = "stdout") -> None:
    """Have a process write these chunks and end."""
    log = LogFile(path)
    writer = StreamWriter(log, stream)
    for chunk in chunks:
        writer.write(chunk)
    writer.close()
    log.close()


def text(path: Path, query: LogQuery | None = None) -> bytes:
    """What a reader sees."""
    return b"".join(read_log(path, query or LogQuery()))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the log is."""
    return tmp_path / "0.log"


@given(st.lists(st.binary(max_size=40000), max_size=4))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes]) -> None:
    """However the process cuts its output, long lines and missing newlines included."""
    path = tmp_path_factory.mktemp("log") / "0.log"
    write(path, *chunks)
    assert text(path) == b"".join(chunks)


def test_a_long_line_is_written_in_parts(path: Path) -> None:
    """Tag P until its end, which has F."""
    write(path, b"x" * (LONGEST_LINE_BYTES + 1) + b"\n")
    tags = [record.split(b" ", 3)[2] for record in path.read_bytes().splitlines()]
    assert tags == [b"P", b"F"]


def test_the_last_lines_can_be_read(path: Path) -> None:
    """TailLines counts lines, not records."""
    write(path, b"one\ntwo\n" + b"x" * (LONGEST_LINE_BYTES + 1) + b"\n")
    assert text(path, LogQuery(tail_lines=2)) == b"two\n" + b"x" * (LONGEST_LINE_BYTES + 1) + b"\n"
    assert text(path, LogQuery(tail_lines=0)) == b""


def test_bytes_are_limited(path: Path) -> None:
    """LimitBytes cuts, even within a line."""
    write(path, b"one\ntwo\n")
    assert text(path, LogQuery(limit_bytes=5)) == b"one\nt"


def test_old_lines_can_be_left_out(path: Path) -> None:
    """SinceTime compares with the time of the record."""
    records = [format_record("stdout", "F", str(s).encode(), nanoseconds=s * 10**9) for s in (10, 20)]
    path.write_bytes(b"".join(records))
    query = LogQuery.of({"sinceTime": "1970-01-01T00:00:15Z"}, now=0)
    assert text(path, query) == b"20\n"
    assert text(path, LogQuery.of({"sinceSeconds": "5"}, now=21)) == b"20\n"


def test_timestamps_stand_before_lines(path: Path) -> None:
    """RFC 3339 with nanoseconds."""
    path.write_bytes(format_record("stderr", "F", b"x", nanoseconds=1_500_000_000))
    assert text(path, LogQuery(timestamps=True)) == b"1970-01-01T00:00:01.500000000Z x\n"


def test_a_number_that_is_none_is_refused() -> None:
    """The server answers 400."""
    with pytest.raises(ValueError, match="invalid literal"):
        LogQuery.of({"tailLines": "many"}, now=0)


def test_a_log_that_grew_too_large_is_rotated(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One older file is kept, and readers see both."""
    monkeypatch.setattr(container_log, "MOST_BYTES", 100)
    log = LogFile(path)
    writer = StreamWriter(log, "stdout")
    for word in (b"a" * 80, b"b" * 80, b"c"):
        writer.write(word + b"\n")
    log.close()
    assert rotated(path).exists()
    assert text(path) == b"b" * 80 + b"\nc\n"


def test_a_follower_reads_on_across_a_rotation(path: Path) -> None:
    """The rest of the old file first, then the new one."""
    write(path, b"one\n")
    follower = LogFollower(path, LogQuery(follow=True, tail_lines=5))
    assert follower.read() == b"one\n"
    write(path, b"two\n")
    path.replace(rotated(path))
    write(path, b"three\n")
    assert follower.read() == b"two\nthree\n"
    follower.close()


def test_a_follower_waits_for_whole_records(path: Path) -> None:
    """Half a record is not shown."""
    record = format_record("stdout", "F", b"whole", nanoseconds=0)
    path.write_bytes(record[:10])
    follower = LogFollower(path, LogQuery(follow=True))
    assert follower.read() == b""
    path.write_bytes(record)
    assert follower.read() == b"whole\n"
    follower.close()


def test_there_may_be_no_log_yet(path: Path) -> None:
    """Nothing to read is no error."""
    assert text(path) == b""
    assert LogFollower(path, LogQuery()).read() == b""
