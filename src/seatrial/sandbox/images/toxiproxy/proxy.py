"""A proxy: listens, and carries each connection to its upstream through the toxics."""

import asyncio
import random
import socket
import struct
from collections.abc import Callable
from dataclasses import replace

from seatrial.sandbox.images.serving import say
from seatrial.sandbox.images.toxiproxy.link import Link, ToxicSettings

Dial = Callable[[str, int], tuple[str, int]]
"""Where an address of the pod's point of view lies: `localhost` is the pod, not the machine."""

_LINGER_SECONDS = 10.0
_RESET = struct.pack("ii", 1, 0)
_HIGHEST_PORT = 65535


class Connection:
    """A client and the connection made for it."""

    def __init__(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        upstream: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        *,
        toxics: list[ToxicSettings],
        randomness: random.Random,
        on_end: Callable[["Connection"], None],
    ) -> None:
        self._writers = (client[1], upstream[1])
        self._on_end = on_end
        pairs = {"upstream": (client[0], upstream[1]), "downstream": (upstream[0], client[1])}
        self._links = {
            stream: Link(
                *pair,
                toxics=[each for each in toxics if each.stream == stream],
                randomness=randomness,
                on_end=self._end,
            )
            for stream, pair in pairs.items()
        }
        for link in self._links.values():
            link.start()

    def add(self, settings: ToxicSettings) -> None:
        """One more toxic."""
        self._links[settings.stream].add(settings)

    def update(self, settings: ToxicSettings) -> None:
        """A toxic that has changed."""
        self._links[settings.stream].update(settings)

    def remove(self, settings: ToxicSettings) -> None:
        """A toxic that is gone."""
        self._links[settings.stream].remove(settings.name)

    def close(self) -> None:
        """End both directions; what has not been taken yet is lost."""
        self._end(False)
        for writer in self._writers:
            if writer.transport.get_write_buffer_size():
                writer.transport.abort()

    def _end(self, is_reset: bool) -> None:  # noqa: FBT001 -- a callback's one argument
        for link in self._links.values():
            link.close()
        for writer in self._writers:
            _close(writer, is_reset=is_reset)
        self._on_end(self)


class Proxy:
    """One proxy, enabled or not.

    Args:
        name: its name.
        listen: address to listen on, `host:port`; port 0 for any.
        upstream: address to connect to.
        address_of: see `Dial`.
        randomness: for toxicity and jitter.
    """

    def __init__(self, name: str, listen: str, upstream: str, *, address_of: Dial, randomness: random.Random) -> None:
        self.name = name
        self.listen = listen
        self.upstream = upstream
        self.toxics: list[ToxicSettings] = []
        self._address_of = address_of
        self._randomness = randomness
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()

    @property
    def enabled(self) -> bool:
        """Whether it listens."""
        return self._server is not None

    async def start(self) -> None:
        """Listen; raises `OSError` when the address can't be bound."""
        if self._server is not None:
            return
        host, port = split_address(self.listen)
        address = self._address_of(host, port)
        self._server = await asyncio.start_server(self._accept, *address)
        if port == 0:
            self.listen = f"{host or '[::]'}:{self._server.sockets[0].getsockname()[1]}"
        say(f'level=info msg="Started proxy" name={self.name} proxy={self.listen} upstream={self.upstream}')

    def stop(self) -> None:
        """Listen no more and end every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
            say(f'level=info msg="Terminated proxy" name={self.name} proxy={self.listen} upstream={self.upstream}')
        for connection in list(self._connections):
            connection.close()

    def toxic(self, name: str) -> ToxicSettings | None:
        """The toxic of that name."""
        return next((each for each in self.toxics if each.name == name), None)

    def add(self, settings: ToxicSettings) -> None:
        """Add a toxic; it befalls connections that stand, too."""
        self.toxics.append(settings)
        for connection in self._connections:
            connection.add(settings)

    def update(self, settings: ToxicSettings) -> None:
        """Change the toxic of that name; its direction stays."""
        self.toxics = [
            replace(settings, stream=each.stream) if each.name == settings.name else each for each in self.toxics
        ]
        for connection in self._connections:
            connection.update(settings)

    def remove(self, settings: ToxicSettings) -> None:
        """Take a toxic away."""
        self.toxics = [each for each in self.toxics if each.name != settings.name]
        for connection in list(self._connections):
            connection.remove(settings)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream = await self._dial()
        except OSError as error:
            say(f'level=error msg="Unable to open connection to upstream" name={self.name} err="{error}"')
            _close(writer, is_reset=False)
            return
        if self._server is None:
            _close(upstream[1], is_reset=False)
            _close(writer, is_reset=False)
            return
        self._connections.add(
            Connection(
                (reader, writer),
                upstream,
                toxics=self.toxics,
                randomness=self._randomness,
                on_end=self._connections.discard,
            )
        )

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the upstream; from the pod's own address, as whatever a pod sends on the machine's network."""
        host, port = self._address_of(*split_address(self.upstream))
        own, _ = self._address_of("", 0)
        return await asyncio.open_connection(host, port, local_addr=(own, 0) if _is_local(host) else None)


def split_address(text: str) -> tuple[str, int]:
    """Host and port of `host:port`, `:port` or `[::]:port`; raises `ValueError`."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal():
        raise ValueError(f"address {text}: missing port in address")
    if int(port) > _HIGHEST_PORT:
        raise ValueError(f"address {port}: invalid port")
    return host.strip("[]"), int(port)


def _is_local(host: str) -> bool:
    return host.startswith("127.")


def _close(writer: asyncio.StreamWriter, *, is_reset: bool) -> None:
    if writer.is_closing():
        return
    if is_reset:
        sock: socket.socket = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        writer.transport.abort()
    else:
        writer.close()
        if writer.transport.get_write_buffer_size():
            # Whoever reads nothing any more would hold the connection for ever.
            asyncio.get_running_loop().call_later(_LINGER_SECONDS, writer.transport.abort)
