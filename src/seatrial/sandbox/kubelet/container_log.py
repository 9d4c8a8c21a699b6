"""A container's output on disk, in the form of the Container Runtime Interface.

Each line is `TIME STREAM TAG TEXT`: RFC 3339 with nanoseconds, `stdout` or `stderr`, `F` for a full line or `P`
for a part of one that goes on in the next record (Kubernetes, "CRI logging"). The runtime writes here, so that no
line is lost while the kubelet is down; `log_reader` reads.
"""

import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from seatrial.sandbox.kubelet.streams.container_streams import Stream

# Longer lines are split, as container runtimes do.
LONGEST_LINE_BYTES: Final = 16 * 1024
# kubelet's containerLogMaxSize; one older file is kept.
MOST_BYTES: Final = 10 * 1024 * 1024

_log = structlog.get_logger(__name__)


def format_time(nanoseconds: int) -> str:
    """Nanoseconds since the epoch as RFC 3339 with all nine digits."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def format_record(stream: str, tag: str, text: bytes, *, nanoseconds: int) -> bytes:
    """One record, ended by a newline; `text` holds none."""
    return b"%s %s %s %s\n" % (format_time(nanoseconds).encode(), stream.encode(), tag.encode(), text)


class LogFile:
    """The file that both streams of a container are appended to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1
        self._size = 0
        self._is_losing = False
        self._open()

    def append(self, records: bytes) -> None:
        """Write whole records, or drop them where the disk takes no more; rotate the file when it has grown large."""
        try:
            self._write(records)
            if self._size > MOST_BYTES:
                self._rotate()
        except OSError as error:
            self._lose(error)
        else:
            self._is_losing = False

    def _write(self, records: bytes) -> None:
        rest = records
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError:
            # Half a record would spoil the next one.
            with suppress(OSError):
                os.ftruncate(self._fd, self._size)
            raise
        self._size += len(records)

    def _rotate(self) -> None:
        self._path.replace(rotated(self._path))
        full = self._fd
        self._open()
        os.close(full)

    def _lose(self, error: OSError) -> None:
        if not self._is_losing:
            self._is_losing = True
            _log.warning("container log incomplete: lines are dropped", path=str(self._path), why=error.strerror)

    def close(self) -> None:
        """No more to write."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> None:
        self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._fd).st_size


def rotated(path: Path) -> Path:
    """Where the records before the last rotation are."""
    return path.with_name(path.name + ".1")


class StreamWriter:
    """Cuts what a process writes to one stream into records of its log."""

    def __init__(self, log: LogFile, stream: Stream) -> None:
        self.stream = stream
        self._log = log
        self._rest = b""

    def write(self, chunk: bytes) -> None:
        """Take what was read from the process; an unfinished line waits for its end."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        now = time.time_ns()
        records = bytearray()
        for line in lines:
            records += self._records(line, now)
        while len(self._rest) >= LONGEST_LINE_BYTES:
            records += format_record(self.stream, "P", self._rest[:LONGEST_LINE_BYTES], nanoseconds=now)
            self._rest = self._rest[LONGEST_LINE_BYTES:]
        self._log.append(bytes(records))

    def close(self) -> None:
        """The process closed the stream: write what waits, as the part of a line that it is."""
        if self._rest:
            self._log.append(format_record(self.stream, "P", self._rest, nanoseconds=time.time_ns()))
            self._rest = b""

    def _records(self, line: bytes, now: int) -> bytes:
        records = b""
        while len(line) > LONGEST_LINE_BYTES:
            records += format_record(self.stream, "P", line[:LONGEST_LINE_BYTES], nanoseconds=now)
            line = line[LONGEST_LINE_BYTES:]
        return records + format_record(self.stream, "F", line, nanoseconds=now)
