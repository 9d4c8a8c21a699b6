"""Channels in a WebSocket: the first byte of each message names one; in the base64 forms messages are text.

The framing that Kubernetes' older streaming protocols share; what the channels mean is theirs (`remote_websocket`,
`port_forward`).
"""

import base64
import binascii
from collections.abc import AsyncIterator

from aiohttp import WSMsgType, web


class MessageChannels:
    """Sends and receives by channel.

    Args:
        socket: a WebSocket that is open.
        is_text: the base64 form, in which the channel is a digit.
    """

    def __init__(self, socket: web.WebSocketResponse, *, is_text: bool) -> None:
        self._socket = socket
        self._is_text = is_text

    async def send(self, channel: int, data: bytes) -> None:
        """Send a message, and wait while the client has too much unread; ConnectionError when it is gone."""
        if self._is_text:
            await self._socket.send_str(f"{channel}{base64.b64encode(data).decode()}")
        else:
            await self._socket.send_bytes(bytes([channel]) + data)

    async def close(self) -> None:
        """Say goodbye."""
        await self._socket.close()

    async def __aiter__(self) -> AsyncIterator[tuple[int, bytes]]:
        """Channel and content of each message, until the client goes; what can't be read is left out."""
        async for message in self._socket:
            if message.type in (WSMsgType.BINARY, WSMsgType.TEXT):
                raw = message.data.encode() if isinstance(message.data, str) else message.data
                decoded = self._decode(raw)
                if decoded is not None:
                    yield decoded

    def _decode(self, raw: bytes) -> tuple[int, bytes] | None:
        if not raw:
            return None
        if not self._is_text:
            return raw[0], raw[1:]
        try:
            return int(chr(raw[0])), base64.b64decode(raw[1:])
        except (ValueError, binascii.Error):
            return None
