"""A wire between a client and an API server, which can be cut and mended."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import yaml

_CHUNK = 65536


class Wire:
    """Relays bytes from a port of its own to a server's; while it is cut, nobody gets through."""

    def __init__(self, server: str) -> None:
        place = urlsplit(server)
        self._host, self._port = place.hostname, place.port
        self._is_cut = False
        self._writers: set[asyncio.StreamWriter] = set()
        self.refused = 0
        """How many connections were refused while it was cut."""
        self.url = ""

    def cut(self) -> None:
        """Break all connections, and take no others."""
        self._is_cut = True
        for writer in self._writers:
            writer.transport.abort()

    def mend(self) -> None:
        """Let everybody through again."""
        self._is_cut = False

    @classmethod
    @asynccontextmanager
    async def to(cls, kubeconfig: Path) -> AsyncIterator[tuple[Self, Path]]:
        """A wire to the server of a kubeconfig, and a kubeconfig that leads through it."""
        text = kubeconfig.read_text()
        server = yaml.safe_load(text)["clusters"][0]["cluster"]["server"]
        wire = cls(server)
        listening = await asyncio.start_server(wire._relay, "127.0.0.1", 0)
        wire.url = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        through = kubeconfig.with_name("wire.kubeconfig")
        through.write_text(text.replace(server, wire.url))
        try:
            yield wire, through
        finally:
            listening.close()
            wire.cut()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            self.refused += 1
            writer.transport.abort()
            return
        onward_reader, onward_writer = await asyncio.open_connection(self._host, self._port)
        both = {writer, onward_writer}
        self._writers |= both
        try:
            await asyncio.gather(_pump(reader, onward_writer), _pump(onward_reader, writer))
        finally:
            self._writers -= both
            for each in both:
                each.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    writer.close()
