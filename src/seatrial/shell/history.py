"""The lines that were typed, kept from one shell to the next in the state directory; `history_search` finds them.

A line that begins with a blank is not kept, as in other shells. The file is this user's alone and does not grow.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from prompt_toolkit.history import History

MOST_LINES = 2_000
"""How many lines are kept; a file with twice as many is cut when a shell begins."""

_LINE_END = "\x1f"
"""Stands in the file for the line ends of what was typed or pasted as several lines."""


class LineHistory(History):
    """History in a file, or without one for this shell alone."""

    def __init__(self, file: Path | None) -> None:
        super().__init__()
        self._file = file

    def load_history_strings(self) -> Iterable[str]:
        """The lines of earlier shells, last first."""
        if self._file is None:
            return ()
        try:
            lines = self._file.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
        except OSError:  # there is none yet, or it can't be read: the shell does without
            return ()
        if len(lines) > 2 * MOST_LINES:
            lines = lines[-MOST_LINES:]
            self._replace("".join(f"{line}\n" for line in lines))
        return [line.replace(_LINE_END, "\n") for line in reversed(lines[-MOST_LINES:])]

    def append_string(self, string: str) -> None:
        """Keep a line, unless it is the same as the last, blank, or begins with a blank."""
        if string.strip() and not string.startswith(" ") and self._loaded_strings[:1] != [string]:
            super().append_string(string)

    def store_string(self, string: str) -> None:
        """Add a line to the file."""
        if self._file is None:
            return
        try:
            with open(self._file, "a", encoding="utf-8", opener=_for_this_user) as file:
                file.write(string.replace("\n", _LINE_END) + "\n")
        except OSError:  # a full disk, a folder that has gone: this shell remembers the line all the same
            self._file = None

    def _replace(self, text: str) -> None:
        assert self._file is not None  # noqa: S101 -- only what was read is cut
        shorter = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        try:
            with open(shorter, "w", encoding="utf-8", opener=_for_this_user) as file:
                file.write(text)
            shorter.replace(self._file)
        except OSError:  # it is cut another time
            shorter.unlink(missing_ok=True)


def _for_this_user(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
