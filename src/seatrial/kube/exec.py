"""Running a command in a container: `kubectl exec` without a terminal.

Channel 0 is standard input, 1 and 2 are the outputs, 3 brings a Status at the end, from which the exit code comes.
v5 (Kubernetes 1.30 and later) can end standard input with a message on channel 255; v4 can't, and a command
that reads its input to the end would wait for ever there. So input is sent over v5 alone.

v5 takes another way inside a cluster than v4, through a translation in the API server or (from 1.36) the kubelet, and
some container runtimes break it. Where it fails before the command has begun, v4 is tried, as kubectl tries SPDY.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec

from seatrial.errors import ClusterError
from seatrial.kube import errors
from seatrial.kube.transport import Transport, decoded
from seatrial.kube.websocket import V4, V5, Channels, open_channels

_STDIN, _STDOUT, _STDERR, _STATUS, _CLOSE = 0, 1, 2, 3, 255
_MOST_OUTPUT_BYTES = 1024 * 1024
_MOST_STATUS_BYTES = 64 * 1024
_status_decoder = msgspec.json.Decoder(errors.Status)


class ExecResult(msgspec.Struct, frozen=True):
    """What a command came to; `truncated` tells that it wrote more than is kept (the first MiB of each output)."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    truncated: bool = False


class _Kept:
    """The first bytes of an output; a command that never stops writing must not fill our memory."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self.data = bytearray()
        self.truncated = False

    def add(self, data: bytes) -> None:
        room = self._most_bytes - len(self.data)
        self.data += data[:room]
        self.truncated = self.truncated or len(data) > room


async def execute(
    transport: Transport,
    path: str,
    *,
    command: Sequence[str],
    container: str | None,
    stdin: bytes,
    timeout_seconds: float,
) -> ExecResult:
    """Run a command to its end.

    Args:
        transport: how to ask.
        path: the pod's `exec`.
        command: program and arguments; no shell in between.
        container: which one; None for the only or the default one.
        stdin: what the command may read.
        timeout_seconds: how long it may take. It may go on running in the container after that.

    Raises:
        ClusterError: it could not be started, or it is not known what became of it.
    """
    query = [*(("command", word) for word in command), ("stdout", "true"), ("stderr", "true")]
    if container:
        query.append(("container", container))
    if stdin:
        query.append(("stdin", "true"))
    try:
        async with (
            asyncio.timeout(timeout_seconds),
            _open(transport, path, query=query, has_input=bool(stdin)) as channels,
        ):
            return await _converse(channels, stdin)
    except TimeoutError:
        raise errors.RequestTimeout(
            f"'{command[0]}' did not end within {timeout_seconds:g} s",
            hint="it may still run in its container",
            url=transport.server,
        ) from None


@asynccontextmanager
async def _open(
    transport: Transport, path: str, *, query: Sequence[tuple[str, str]], has_input: bool
) -> AsyncIterator[Channels]:
    async with AsyncExitStack() as stack:
        try:
            protocols = (V5,) if has_input else (V5, V4)
            channels = await stack.enter_async_context(open_channels(transport, path, query=query, protocols=protocols))
        except errors.ServerError:
            # An answer instead of a WebSocket: no command has begun, so that asking again runs none twice.
            if has_input:
                raise
            channels = await stack.enter_async_context(open_channels(transport, path, query=query, protocols=(V4,)))
        yield channels


async def _converse(channels: Channels, stdin: bytes) -> ExecResult:
    kept = {_STDOUT: _Kept(_MOST_OUTPUT_BYTES), _STDERR: _Kept(_MOST_OUTPUT_BYTES), _STATUS: _Kept(_MOST_STATUS_BYTES)}
    # No TaskGroup: it would wrap the errors of the conversation.
    sending = asyncio.create_task(_send_input(channels, stdin))
    try:
        while (message := await channels.receive()) is not None:
            channel, data = message
            if channel in kept:
                kept[channel].add(data)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    out, err = kept[_STDOUT], kept[_STDERR]
    return ExecResult(
        exit_code=_exit_code(bytes(kept[_STATUS].data)),
        stdout=bytes(out.data),
        stderr=bytes(err.data),
        truncated=out.truncated or err.truncated,
    )


async def _send_input(channels: Channels, stdin: bytes) -> None:
    if not stdin:
        return
    try:
        await channels.send(_STDIN, stdin)
        await channels.send(_CLOSE, bytes([_STDIN]))
    except ClusterError:
        # A command may end without having read it all; a broken connection shows where the outputs are read.
        return


def _exit_code(body: bytes) -> int:
    if not body:
        raise errors.UnexpectedAnswer(
            "the connection ended before the command did",
            hint="the pod, its node or the API server went away; the command may still run",
        )
    status = decoded(_status_decoder, body)
    if status.status == "Success":
        return 0
    causes = (status.details.causes or ()) if status.details else ()
    code = next((cause.message for cause in causes if cause.reason == "ExitCode"), "")
    if status.reason == "NonZeroExitCode" and code.isdecimal():
        return int(code)
    raise errors.error_for_status(status, code=status.code or 500)
