"""Log lines in a file that never fills the disk, and a full disk that never hurts the run.

The file is rotated by its size or by the clock, as Python's own handlers do it. Where something else rotates it
(logrotate), the file that was moved away is let go of by itself with the next line: no signal is needed, and SIGHUP
stays what it is for a run, the end of its terminal.
"""

import logging
import os
import re
import sys
from logging.handlers import RotatingFileHandler, TimedRotatingFileHandler
from pathlib import Path

import msgspec

from seatrial.errors import UsageError
from seatrial.telemetry.log_lines import JsonLines, TextLines

_log = logging.getLogger(__name__)

_SIZE = re.compile(r"([1-9][0-9]{0,8})\s?([kMG]?)B?")
_UNITS = {"": 1, "k": 1_000, "M": 1_000_000, "G": 1_000_000_000}
_CLOCKS = {"hourly": "H", "daily": "midnight"}


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """When a file is begun anew: at a size, `hourly` or `daily`, or never; `keep` is how many older ones stay."""

    most_bytes: int = 0
    every: str = ""
    keep: int = 5


def parse_rotation(text: str, *, keep: int) -> Rotation:
    """What `10MB`, `hourly`, `daily` and `never` say.

    Raises:
        UsageError: it is none of them.
    """
    if text == "never":
        return Rotation(keep=keep)
    if text in _CLOCKS:
        return Rotation(every=text, keep=keep)
    if found := _SIZE.fullmatch(text):
        return Rotation(most_bytes=int(found[1]) * _UNITS[found[2]], keep=keep)
    raise UsageError(f"--log-rotate {text}: neither a size (10MB) nor hourly, daily or never")


def open_log_file(path: Path, *, as_json: bool, rotation: Rotation) -> logging.Handler:
    """A handler that writes lines to a file.

    Raises:
        UsageError: it can't be written.
    """
    try:
        handler = _handler(path, rotation)
    except OSError as error:
        raise UsageError(
            f"can't write the log file {path}: {error.strerror}", hint="name another --log-file"
        ) from error
    handler.setFormatter(JsonLines() if as_json else TextLines(colours=False))
    return handler


def _handler(path: Path, rotation: Rotation) -> logging.Handler:
    if rotation.every:
        when = _CLOCKS[rotation.every]
        return _ByClock(path, when=when, backupCount=rotation.keep, encoding="utf-8")
    return _BySize(path, maxBytes=rotation.most_bytes, backupCount=rotation.keep, encoding="utf-8")


class _CarefulHandler(logging.FileHandler):
    """Follows its path, and says once what keeps it from writing."""

    _lost = 0
    _is_telling = False

    def emit(self, record: logging.LogRecord) -> None:
        lost = self._lost
        self._reopen_if_moved()
        super().emit(record)
        if lost and self._lost == lost:
            self._lost = 0
            _log.warning("the log file %s can be written again; %d lines are missing", self.baseFilename, lost)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 -- logging's name
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        self._lost += 1
        if self._lost == 1 and not self._is_telling:
            self._is_telling = True  # what is told here comes by this handler, too
            _log.warning("can't write the log file %s: %s; the run goes on", self.baseFilename, error.strerror)
            self._is_telling = False

    def _reopen_if_moved(self) -> None:
        if self.stream is None:
            return
        mine = os.fstat(self.stream.fileno())
        try:
            is_same = os.path.samestat(mine, Path(self.baseFilename).stat())
        except OSError:
            is_same = False
        if not is_same:
            self.stream.close()
            self.stream = None  # opened with the next line


class _BySize(_CarefulHandler, RotatingFileHandler):
    """Begins anew at a size."""


class _ByClock(_CarefulHandler, TimedRotatingFileHandler):
    """Begins anew every hour, or at midnight."""
