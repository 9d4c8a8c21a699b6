"""The streams of a remote command, whatever protocol the client speaks: standard streams, terminal sizes, the outcome.

Kubernetes has two protocols for `exec` and `attach`: channels in a WebSocket (`remote_websocket`) and streams of SPDY
(`remote_spdy`). `remote_command` talks to either through `RemoteStreams`. The outcome is a Status on an error stream of
its own, since version 4; before that its text, and nothing for a success.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Protocol

from seatrial.sandbox.api import Object

Output = Literal["stdout", "stderr"]
ALL_OUTPUTS: Final[tuple[Output, ...]] = ("stdout", "stderr")
_FALSE = frozenset({"false", "0"})


class TerminalSize(NamedTuple):
    """How large a terminal's window is, in characters."""

    columns: int
    rows: int


class NoStreamsError(ValueError):
    """A client that wants none of the three streams."""

    def __init__(self) -> None:
        super().__init__("you must specify at least 1 of stdin, stdout, stderr")


@dataclass(frozen=True, kw_only=True)
class StreamOptions:
    """Which streams a client wants."""

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The outputs among them."""
        return tuple(output for output in ALL_OUTPUTS if getattr(self, output))

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "StreamOptions":
        """Those of a kubelet's query: `input`, `output`, `error`, `tty`.

        Raises:
            NoStreamsError: it wants none.
        """
        stdin, stdout, stderr, tty = (is_true(query, name) for name in ("input", "output", "error", "tty"))
        if not (stdin or stdout or stderr):
            raise NoStreamsError
        # A terminal has one output.
        return cls(stdin=stdin, stdout=stdout, stderr=stderr and not tty, tty=tty)


def is_true(query: Mapping[str, str], name: str) -> bool:
    """Whether a query's flag is set, as Kubernetes reads it: anything but false and 0."""
    value = query.get(name)
    return value is not None and value.lower() not in _FALSE


class RemoteStreams(Protocol):
    """A client's ends of the streams."""

    translated: bool
    """Whether the outcome is worded by the API server, which real clusters put between client and kubelet for v5."""

    async def read_stdin(self) -> bytes:
        """What the client typed; empty when there will be no more."""
        ...

    async def read_size(self) -> TerminalSize | None:
        """The next size of the client's terminal; None when there will be no more."""
        ...

    async def write(self, output: Output, data: bytes) -> None:
        """Send output; ConnectionError when the client is gone."""
        ...

    async def conclude(self, status: Object) -> None:
        """Tell the outcome and end all streams; ConnectionError when the client is gone."""
        ...

    async def wait_gone(self) -> None:
        """Wait until the client has gone."""
        ...


def parse_size(data: bytes | str) -> TerminalSize | None:
    """A `TerminalSize` of the Kubernetes API; None for what is none."""
    try:
        size = json.loads(data)
        return TerminalSize(int(size.get("Width", 0)), int(size.get("Height", 0)))
    except (ValueError, AttributeError, TypeError):
        return None


def encode_status(status: Object, *, version: int) -> bytes:
    """What the error stream says of an outcome."""
    if version >= 4:
        return json.dumps(status, separators=(",", ":"), ensure_ascii=False).encode()
    return b"" if status["status"] == "Success" else str(status.get("message", "")).encode()
