"""The toxics: what can befall one direction of a connection.

Names, attributes and their units are Toxiproxy's (its README, "Toxics"). Each toxic is a coroutine that carries chunks
from one pipe to the next and returns when the stream is over; it is cancelled when it is changed or removed, and the
next one carries on at the same chunk.
"""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from seatrial.sandbox.images.toxiproxy.pipe import Chunk, Pipe

_SLICE_SECONDS = 0.1
_LARGEST = 2**63 - 1


class ResetWanted(Exception):  # noqa: N818 -- it is no error: the toxic asks for it
    """The connection is to be reset instead of closed."""


@dataclass(frozen=True)
class Toxic:
    """One kind of trouble; its fields are its attributes."""

    kind: ClassVar[str] = ""
    closes_when_removed: ClassVar[bool] = False

    async def carry(self, source: Pipe, target: Pipe, randomness: random.Random) -> None:
        """Carry chunks until the source ends; the end is passed on by the caller."""
        del randomness
        while (chunk := await source.first()) is not None:
            await target.room()
            target.put_now(chunk)
            source.drop_first()

    def attributes(self) -> dict[str, int]:
        """The attributes as the interface shows them."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def changed(self, attributes: Mapping[str, Any]) -> "Toxic":
        """The same with other attributes; unknown ones are ignored, as the original does.

        Raises:
            ValueError: a value is not a whole number.
        """
        known = {each.name for each in fields(self)}
        values = {}
        for name, value in attributes.items():
            if name not in known:
                continue
            is_whole = isinstance(value, int | float) and not isinstance(value, bool) and value % 1 == 0
            if not is_whole or abs(value) > _LARGEST:
                raise ValueError(f"json: cannot unmarshal {_go_kind(value)} into Go struct field {name} of type int64")
            values[name] = int(value)
        return type(self)(**{**self.attributes(), **values})


def _go_kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    return "string" if isinstance(value, str) else "number" if isinstance(value, int | float) else "object"


@dataclass(frozen=True)
class Nothing(Toxic):
    """No trouble: chunks go through."""


@dataclass(frozen=True)
class Latency(Toxic):
    """Each chunk comes `latency` ms later, give or take `jitter` ms."""

    kind: ClassVar[str] = "latency"
    latency: int = 0
    jitter: int = 0

    async def carry(self, source: Pipe, target: Pipe, randomness: random.Random) -> None:
        """Hold up each chunk, counted from its arrival."""
        loop = asyncio.get_running_loop()
        while (chunk := await source.first()) is not None:
            delay = (self.latency + randomness.uniform(-self.jitter, self.jitter)) / 1000
            await asyncio.sleep(max(0.0, chunk.arrived + delay - loop.time()))
            await target.room()
            target.put_now(Chunk(chunk.data, loop.time()))
            source.drop_first()


@dataclass(frozen=True)
class Bandwidth(Toxic):
    """At most `rate` KB per second get through; 0 lets nothing through."""

    kind: ClassVar[str] = "bandwidth"
    rate: int = 0

    async def carry(self, source: Pipe, target: Pipe, randomness: random.Random) -> None:
        """Pass on a tenth of a second's worth at a time."""
        del randomness
        loop = asyncio.get_running_loop()
        free_at = loop.time()
        while (chunk := await source.first()) is not None:
            if self.rate <= 0:
                await asyncio.get_running_loop().create_future()
            part = chunk.data[: max(1, int(self.rate * 1000 * _SLICE_SECONDS))]
            free_at = max(free_at, loop.time()) + len(part) / (self.rate * 1000)
            await asyncio.sleep(free_at - loop.time())
            await target.room()
            target.put_now(Chunk(part, loop.time()))
            source.shorten_first(len(part))


@dataclass(frozen=True)
class SlowClose(Toxic):
    """The end of the stream comes `delay` ms later."""

    kind: ClassVar[str] = "slow_close"
    delay: int = 0

    async def carry(self, source: Pipe, target: Pipe, randomness: random.Random) -> None:
        """Carry on, and wait at the end."""
        await super().carry(source, target, randomness)
        await asyncio.sleep(self.delay / 1000)


@dataclass(frozen=True)
class Timeout(Toxic):
    """Nothing gets through, and the connection is closed after `timeout` ms; 0 leaves it open until removed."""

    kind: ClassVar[str] = "timeout"
    closes_when_removed: ClassVar[bool] = True
    timeout: int = 0

    async def carry(self, source: Pipe, target: Pipe, randomness: random.Random) -> None:
        """Drop what comes until the time is over."""
        del target, randomness
        await _drop_for(source, self.timeout or None)


@dataclass(frozen=True)
class ResetPeer(Toxic):
    """Nothing gets through, and the connection is reset after `timeout` ms; 0 resets it at once."""

    kind: ClassVar[str] = "reset_peer"
    timeout: int = 0

    async def carry(self, source: Pipe, target: Pipe, randomness: random.Random) -> None:
        """Drop what comes until the time is over."""
        del target, randomness
        await _drop_for(source, self.timeout)
        raise ResetWanted


@dataclass(frozen=True)
class Slicer(Toxic):
    """Data comes in pieces of `average_size` bytes, give or take `size_variation`, `delay` microseconds apart."""

    kind: ClassVar[str] = "slicer"
    average_size: int = 0
    size_variation: int = 0
    delay: int = 0

    async def carry(self, source: Pipe, target: Pipe, randomness: random.Random) -> None:
        """Cut pieces off the first chunk."""
        loop = asyncio.get_running_loop()
        while (chunk := await source.first()) is not None:
            size = self.average_size + randomness.randint(-abs(self.size_variation), abs(self.size_variation))
            part = chunk.data[: max(1, size)] if self.average_size else chunk.data
            await target.room()
            target.put_now(Chunk(part, loop.time()))
            source.shorten_first(len(part))
            await asyncio.sleep(self.delay / 1e6)


@dataclass(frozen=True)
class LimitData(Toxic):
    """The connection is closed after `bytes` bytes."""

    kind: ClassVar[str] = "limit_data"
    bytes: int = 0

    async def carry(self, source: Pipe, target: Pipe, randomness: random.Random) -> None:
        """Carry on until the limit is reached."""
        del randomness
        left = self.bytes
        while left > 0 and (chunk := await source.first()) is not None:
            part = chunk.data[:left]
            await target.room()
            target.put_now(Chunk(part, chunk.arrived))
            source.shorten_first(len(part))
            left -= len(part)


async def _drop_for(source: Pipe, milliseconds: int | None) -> None:
    """Lose what comes, for so long or for ever."""
    try:
        async with asyncio.timeout(None if milliseconds is None else milliseconds / 1000):
            while await source.first() is not None:
                source.drop_first()
            if milliseconds is not None:
                await asyncio.get_running_loop().create_future()
    except TimeoutError:
        return


KINDS: Mapping[str, type[Toxic]] = {
    each.kind: each for each in (Latency, Bandwidth, SlowClose, Timeout, ResetPeer, Slicer, LimitData)
}
