"""What a container says of its own end: a file it may write, or the end of its log.

Kubernetes, "Determine the Reason for Pod Failure": 4096 bytes of `terminationMessagePath`; with the policy
FallbackToLogsOnError the last 80 lines or 2048 bytes of the log of a container that failed without a word.
"""

import contextlib
from pathlib import Path
from typing import Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.log_reader import LogQuery, read_log

_MOST_BYTES: Final = 4096
_MOST_LOG_BYTES: Final = 2048
_MOST_LOG_LINES: Final = 80


def read_termination_message(container: Object, *, file: Path, log_file: Path, failed: bool) -> str:
    """The message for the status, empty for none.

    Args:
        container: its entry in the pod's spec.
        file: what it wrote to `terminationMessagePath`.
        log_file: the log of the life that ended.
        failed: whether its exit code wasn't 0.
    """
    message = b""
    with contextlib.suppress(OSError), file.open("rb") as opened:
        message = opened.read(_MOST_BYTES)
    if not message and failed and container.get("terminationMessagePolicy") == "FallbackToLogsOnError":
        message = b"".join(read_log(log_file, LogQuery(tail_lines=_MOST_LOG_LINES)))[-_MOST_LOG_BYTES:]
    return message.decode(errors="replace")
