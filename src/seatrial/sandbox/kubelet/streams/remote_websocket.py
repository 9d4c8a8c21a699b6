"""Remote commands over WebSocket: each message begins with a byte that names its channel.

0 is standard input, 1 and 2 are outputs, 3 the outcome, 4 the terminal's size; from v5 on 255 closes the channel that
its second byte names. In the `base64` protocols messages are text, and the channel is a digit. As Kubernetes does, an
empty message comes first and tells that the connection stands.
"""

import asyncio
from collections.abc import Collection, Sequence
from typing import Final

from aiohttp import web

from seatrial.sandbox.api import Object
from seatrial.sandbox.kubelet.streams.message_channels import MessageChannels
from seatrial.sandbox.kubelet.streams.remote_streams import (
    Output,
    StreamOptions,
    TerminalSize,
    encode_status,
    parse_size,
)

PROTOCOLS: Final = {
    "": 1,
    "channel.k8s.io": 1,
    "base64.channel.k8s.io": 1,
    "v4.channel.k8s.io": 4,
    "v4.base64.channel.k8s.io": 4,
    "v5.channel.k8s.io": 5,
}
_STDIN: Final = 0
_ERROR: Final = 3
_RESIZE: Final = 4
_CLOSE: Final = 255
_OUTPUTS: Final[dict[Output, int]] = {"stdout": 1, "stderr": 2}
_MOST_WAITING: Final = 16


def choose_protocol(offered: Sequence[str], known: Collection[str]) -> str | None:
    """Which of the protocols that a client offers is spoken, "" for none offered; None if none of them is known."""
    if not offered:
        return ""
    if "v5.channel.k8s.io" in offered and "v5.channel.k8s.io" in known:
        return "v5.channel.k8s.io"
    return next((protocol for protocol in offered if protocol and protocol in known), None)


class WebSocketStreams:
    """`RemoteStreams` over a WebSocket.

    Args:
        socket: a WebSocket that is open.
        protocol: the one chosen.
        options: the streams that the client wants.
    """

    def __init__(self, socket: web.WebSocketResponse, protocol: str, options: StreamOptions) -> None:
        self._channels = MessageChannels(socket, is_text="base64" in protocol)
        self._version = PROTOCOLS[protocol]
        self._options = options
        self._stdin: asyncio.Queue[bytes] = asyncio.Queue(_MOST_WAITING)
        self._sizes: asyncio.Queue[TerminalSize | None] = asyncio.Queue()
        self._stdin_ended = False
        self._gone = asyncio.Event()
        self.translated = self._version >= 5

    async def greet(self) -> None:
        """Send the empty message that comes first."""
        first = next((number for output, number in _OUTPUTS.items() if getattr(self._options, output)), _ERROR)
        await self._channels.send(first, b"")

    async def run(self) -> None:
        """Sort what the client sends, until it goes."""
        try:
            async for channel, data in self._channels:
                await self._take(channel, data)
        finally:
            self._gone.set()
            self._sizes.put_nowait(None)
            await self._end_stdin()

    async def read_stdin(self) -> bytes:
        """What the client typed; empty when there will be no more."""
        if not self._options.stdin:
            return b""
        return await self._stdin.get()

    async def read_size(self) -> TerminalSize | None:
        """The next size of the client's terminal; None when there will be no more."""
        return await self._sizes.get()

    async def write(self, output: Output, data: bytes) -> None:
        """Send output; ConnectionError when the client is gone."""
        await self._channels.send(_OUTPUTS[output], data)

    async def conclude(self, status: Object) -> None:
        """Tell the outcome and close; ConnectionError when the client is gone."""
        text = encode_status(status, version=self._version)
        if text:
            await self._channels.send(_ERROR, text)
        await self._channels.close()

    async def wait_gone(self) -> None:
        """Wait until the client has gone."""
        await self._gone.wait()

    async def _take(self, channel: int, data: bytes) -> None:
        if channel == _STDIN and data and not self._stdin_ended and self._options.stdin:
            await self._stdin.put(data)
        elif channel == _RESIZE:
            self._sizes.put_nowait(parse_size(data) or TerminalSize(0, 0))
        elif channel == _CLOSE and self._version >= 5 and data[:1] == bytes([_STDIN]):
            await self._end_stdin()

    async def _end_stdin(self) -> None:
        if not self._stdin_ended and self._options.stdin:
            self._stdin_ended = True
            await self._stdin.put(b"")
