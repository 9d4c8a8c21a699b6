"""Where Seatrial keeps what must outlive a process: the journal and the sandboxes.

`--state-dir`, else `SEATRIAL_STATE_DIR`, else `$XDG_STATE_HOME/seatrial`, else `~/.local/state/seatrial` (XDG Base
Directory Specification 0.8). It stands beside `errors` because the tool and the sandbox both need it.
"""

import os
from pathlib import Path

from seatrial.errors import StateError


def state_directory(chosen: Path | None = None) -> Path:
    """The state directory, made if it isn't there, for this user alone.

    Raises:
        StateError: it can't be made or written to.
    """
    directory = chosen or _default()
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StateError(f"can't make the state directory {directory}: {error.strerror}", hint=_HINT) from error
    if not os.access(directory, os.W_OK | os.X_OK):
        raise StateError(f"the state directory {directory} is not writable", hint=_HINT)
    return directory


_HINT = "choose another one with --state-dir or SEATRIAL_STATE_DIR"


def _default() -> Path:
    if named := os.environ.get("SEATRIAL_STATE_DIR"):
        return Path(named)
    if base := os.environ.get("XDG_STATE_HOME"):
        return Path(base) / "seatrial"
    try:
        return Path.home() / ".local" / "state" / "seatrial"
    except RuntimeError as error:
        raise StateError("there is no state directory: this user has no home directory", hint=_HINT) from error
