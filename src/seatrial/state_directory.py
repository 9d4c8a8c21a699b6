"""Where Seatrial keeps what must outlive a process: the journal and the sandboxes.

`--state-dir`, else `SEATRIAL_STATE_DIR`, else `$XDG_STATE_HOME/seatrial`, else `~/.local/state/seatrial` (XDG Base
Directory Specification 0.8). It stands beside `errors` because the tool and the sandbox both need it.
"""

import os
import stat
from pathlib import Path

from seatrial.errors import StateError


def state_directory(chosen: Path | None = None) -> Path:
    """The state directory, made if it isn't there, for this user alone.

    Raises:
        StateError: it can't be made or written to, or somebody else may write to it: what the journal says is carried
            out.
    """
    directory = chosen or _default()
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StateError(f"can't make the state directory {directory}: {error.strerror}", hint=_HINT) from error
    if not os.access(directory, os.W_OK | os.X_OK):
        raise StateError(f"the state directory {directory} is not writable", hint=_HINT)
    found = directory.stat()
    if found.st_uid != os.geteuid():
        raise StateError(f"the state directory {directory} belongs to another user", hint=_OWN_HINT.format(directory))
    if found.st_mode & _WRITABLE_BY_OTHERS:
        raise StateError(f"others may write to the state directory {directory}", hint=_OWN_HINT.format(directory))
    return directory


_HINT = "choose another one with --state-dir or SEATRIAL_STATE_DIR"
_OWN_HINT = "name one that Seatrial makes for itself, such as {}/seatrial, with --state-dir or SEATRIAL_STATE_DIR"
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def _default() -> Path:
    if named := os.environ.get("SEATRIAL_STATE_DIR"):
        return Path(named)
    if base := os.environ.get("XDG_STATE_HOME"):
        return Path(base) / "seatrial"
    try:
        return Path.home() / ".local" / "state" / "seatrial"
    except RuntimeError as error:
        raise StateError("there is no state directory: this user has no home directory", hint=_HINT) from error
