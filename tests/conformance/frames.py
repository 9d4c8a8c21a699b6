"""An exchange that asks for an upgrade: the handshake, and a recorded WebSocket session message by message.

Written on the bytes themselves, so that what a client library would smooth over is seen: empty first messages, close
codes, the end of the connection. How output is cut into messages is the network's business: data is compared as a
whole, channel by channel.
"""

import asyncio
import base64
import os
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from multidict import CIMultiDict
from yarl import URL

from tests.conformance.comparison import Comparison, parsed

_PATIENCE_SECONDS = 6
_SURPLUS_SECONDS = 0.3
_OPCODES = {1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
_HTTP_HEAD = re.compile(r"HTTP/1\.[01] 200 OK\r\n.*?\r\n\r\n", re.DOTALL)
_NUMBERS = {name: number for number, name in _OPCODES.items()}


@dataclass
class Received:
    """What a server said: data by channel (None: no channels), how the first message of each was, how it ended."""

    data: dict[int | None, bytes] = field(default_factory=dict)
    opened_empty: list[int | None] = field(default_factory=list)
    opcodes: set[str] = field(default_factory=set)
    close_code: int | None = None
    is_closed: bool = False

    def add(self, opcode: str, channel: int | None, data: bytes) -> None:
        """Take one message."""
        if channel not in self.data and not data:
            self.opened_empty.append(channel)
        self.opcodes.add(opcode)
        self.data[channel] = self.data.get(channel, b"") + data

    @property
    def size(self) -> int:
        """Bytes that came."""
        return sum(map(len, self.data.values()))

    def report(self) -> dict[str, Any]:
        """For comparison: what JSON is, is data."""
        data = {str(channel): parsed(_shown(text)) for channel, text in self.data.items()}
        return {
            "data": data,
            "opened_empty": sorted(map(str, self.opened_empty)),
            "opcodes": sorted(self.opcodes),
            "close_code": self.close_code,
        }


@dataclass(frozen=True)
class Head:
    """The first lines of an answer."""

    status: int
    headers: CIMultiDict[str]
    body: bytes


class Upgrade:
    """A connection of its own for one request.

    Args:
        reader: from the server.
        writer: to it.
        has_channels: whether the first byte of a message is its channel.
        in_digits: whether that byte is a digit, as in the base64 protocols.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, has_channels: bool, in_digits: bool
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._has_channels = has_channels
        self._first_channel = ord("0") if in_digits else 0
        self._received = Received()
        self._news = asyncio.Event()

    @classmethod
    async def open(cls, url: URL, tls: Any, *, has_channels: bool, in_digits: bool = False) -> "Upgrade":
        """Connect."""
        reader, writer = await asyncio.open_connection(url.host, url.port, ssl=tls)
        return cls(reader, writer, has_channels=has_channels, in_digits=in_digits)

    async def ask(self, url: URL, headers: Mapping[str, str]) -> Head:
        """Send the request, and read the answer as far as it is HTTP."""
        lines = [f"GET {url.raw_path_qs} HTTP/1.1", f"Host: {url.host}", "Connection: Upgrade"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._writer.write("\r\n".join([*lines, "", ""]).encode())
        first, *rest = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        found: CIMultiDict[str] = CIMultiDict()
        for line in rest:
            name, colon, value = line.partition(": ")
            if colon:
                found.add(name, value)
        status = int(first.split()[1])
        body = await self._reader.readexactly(int(found.get("Content-Length", 0))) if status != 101 else b""
        return Head(status, found, body)

    async def differences(self, recorded: list[dict[str, Any]], comparison: Comparison) -> list[str]:
        """Send the client's messages when those before them have come; compare what the server says."""
        reading = asyncio.create_task(self._read())
        expected = Received()
        for frame in recorded:
            if frame["from"] == "client":
                await self._until(expected)
                if "data" in frame:
                    self._send(frame)
            elif frame["opcode"] == "close":
                expected.close_code = frame["code"]
            elif frame["opcode"] in _NUMBERS:
                expected.add(frame["opcode"], frame.get("channel"), _bytes(frame.get("data", "")))
            else:
                expected.is_closed = True
        await self._until(expected)
        await asyncio.sleep(0 if expected.is_closed else _SURPLUS_SECONDS)
        reading.cancel()
        return comparison.differences(self._received.report(), expected.report())

    async def _until(self, expected: Received) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while self._received.size < expected.size or self._received.is_closed < expected.is_closed:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return

    async def _read(self) -> None:
        try:
            while True:
                await self._read_message()
        except (asyncio.IncompleteReadError, ConnectionError):
            self._received.is_closed = True
        finally:
            self._news.set()

    async def _read_message(self) -> None:
        first, size = await self._reader.readexactly(2)
        size &= 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", await self._reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await self._reader.readexactly(8))
        data = await self._reader.readexactly(size)
        opcode = _OPCODES.get(first & 0x0F, "continuation")
        if opcode == "close":
            self._received.close_code = struct.unpack("!H", data[:2])[0] if data else None
            self._send({"opcode": "close", "data": "\u0003\u00e8"})
        elif opcode in ("text", "binary", "continuation"):
            channel = data[0] - self._first_channel if self._has_channels and data else None
            self._received.add(opcode, channel, data[1:] if self._has_channels else data)
        self._news.set()

    def _send(self, frame: dict[str, Any]) -> None:
        data = _bytes(frame["data"])
        if frame.get("channel") is not None:
            data = bytes([frame["channel"] + self._first_channel]) + data
        key = os.urandom(4)
        size = bytes([0x80 | len(data)]) if len(data) < 126 else bytes([0x80 | 126]) + struct.pack("!H", len(data))
        masked = bytes(byte ^ key[index % 4] for index, byte in enumerate(data))
        self._writer.write(bytes([0x80 | _NUMBERS[frame["opcode"]]]) + size + key + masked)

    def close(self) -> None:
        """End the connection."""
        self._writer.close()


def _shown(data: bytes) -> str:
    """What came, as text; of an HTTP server's answer the body, since which headers it sends is its own affair."""
    return _HTTP_HEAD.sub("", data.decode(errors="replace"))


def _bytes(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


def handshake_headers(line: dict[str, Any]) -> dict[str, str]:
    """What a WebSocket client sends beside the recorded headers."""
    headers = dict(line["request"]["headers"])
    if headers.get("Upgrade", "").lower() != "websocket":
        return headers
    headers |= {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode()}
    return headers if "without an Origin" in line["case"] else {**headers, "Origin": "http://localhost"}
