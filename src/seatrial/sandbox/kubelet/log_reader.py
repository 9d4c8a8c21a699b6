"""Reads containers' logs for `kubectl logs`: the options of the pod log API over the files of `container_log`."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from seatrial.sandbox.kubelet.container_log import rotated
from seatrial.sandbox.timestamps import parse_time

_TRUE: Final = frozenset({"true", "1", "t"})


@dataclass(frozen=True, kw_only=True)
class LogQuery:
    """What to read; times are seconds since the epoch.

    Args:
        follow: go on until the container ends.
        previous: the life before this one.
        timestamps: put the time before each line.
        tail_lines: only so many of what there is at the start.
        limit_bytes: stop after that much.
        since: only what was written at or after this time.
    """

    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    limit_bytes: int | None = None
    since: float = 0.0

    @classmethod
    def of(cls, query: Mapping[str, str], *, now: float) -> "LogQuery":
        """That of a request's query string.

        Raises:
            ValueError: a number or time that is none.
        """
        since = 0.0
        if query.get("sinceTime"):
            since = parse_time(query["sinceTime"])
        elif query.get("sinceSeconds"):
            since = now - int(query["sinceSeconds"])
        return cls(
            follow=query.get("follow", "").lower() in _TRUE,
            previous=query.get("previous", "").lower() in _TRUE,
            timestamps=query.get("timestamps", "").lower() in _TRUE,
            tail_lines=int(query["tailLines"]) if query.get("tailLines") else None,
            limit_bytes=int(query["limitBytes"]) if query.get("limitBytes") else None,
            since=since,
        )


def format_record(record: bytes, query: LogQuery) -> bytes:
    """What a reader sees of a record: its text, with a newline unless the line goes on; empty if it is too old."""
    parts = record.rstrip(b"\n").split(b" ", 3)
    if len(parts) != 4:
        return b""
    stamp, _, tag, text = parts
    if query.since and parse_time(stamp.decode()) < query.since:
        return b""
    return (stamp + b" " if query.timestamps else b"") + text + (b"\n" if tag == b"F" else b"")


def read_log(path: Path, query: LogQuery) -> Iterator[bytes]:
    """The lines of a log that is not followed; nothing for one that isn't there."""
    return _limited(_texts(_all_records(path), query), query.limit_bytes)


class LogFollower:
    """Reads what is appended to a log, from its start or its last lines on.

    It reads when it is told (`read`): whoever follows awaits the writer, not the clock.
    """

    def __init__(self, path: Path, query: LogQuery) -> None:
        self._path = path
        self._query = query
        self._left = query.limit_bytes
        self._file: BinaryIO | None = None
        self._inode = 0
        self._rest = b""
        self._first = True

    @property
    def is_full(self) -> bool:
        """Whether the limit is reached."""
        return self._left is not None and self._left <= 0

    def read(self) -> bytes:
        """All that is there and was not read."""
        records = list(self._records())
        texts = list(_texts(records, self._query if self._first else _without_tail(self._query)))
        self._first = False
        text = b"".join(texts)
        if self._left is not None:
            text = text[: self._left]
            self._left -= len(text)
        return text

    def close(self) -> None:
        """Read no more."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _records(self) -> Iterator[bytes]:
        if self._file is None and not self._open():
            return
        yield from self._read_open_file()
        try:
            moved = self._path.stat().st_ino != self._inode
        except FileNotFoundError:
            return
        if moved:
            self.close()
            self._open()
            yield from self._read_open_file()

    def _open(self) -> bool:
        try:
            self._file = self._path.open("rb")
        except FileNotFoundError:
            return False
        self._inode = self._path.stat().st_ino
        return True

    def _read_open_file(self) -> Iterator[bytes]:
        if self._file is None:
            return
        *records, self._rest = (self._rest + self._file.read()).split(b"\n")
        yield from records


def _all_records(path: Path) -> Iterator[bytes]:
    for file in (rotated(path), path):
        try:
            with file.open("rb") as lines:
                yield from lines
        except FileNotFoundError:
            continue


def _texts(records: Iterable[bytes], query: LogQuery) -> Iterable[bytes]:
    texts = (text for record in records if (text := format_record(record, query)))
    if query.tail_lines is None:
        return texts
    return _tail(texts, query.tail_lines)


def _tail(texts: Iterable[bytes], lines: int) -> list[bytes]:
    """The last lines; parts of one line count as one."""
    kept: deque[list[bytes]] = deque(maxlen=lines)
    unfinished = False
    for text in texts:
        if unfinished and kept:
            kept[-1].append(text)
        else:
            kept.append([text])
        unfinished = not text.endswith(b"\n")
    return [text for parts in kept for text in parts]


def _without_tail(query: LogQuery) -> LogQuery:
    return LogQuery(timestamps=query.timestamps, since=query.since)


def _limited(texts: Iterable[bytes], limit: int | None) -> Iterator[bytes]:
    left = limit
    for text in texts:
        if left is None:
            yield text
            continue
        if left <= 0:
            return
        yield text[:left]
        left -= len(text)
