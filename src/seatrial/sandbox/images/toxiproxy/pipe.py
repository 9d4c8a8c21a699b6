"""What lies between two stages of a link: chunks of a stream, in order, with the time at which each arrived.

A stage may be interrupted at any moment, when its toxic is changed or taken away. So it looks at the first chunk, does
what it has to do, and takes the chunk off only together with passing it on: nothing is lost or sent twice.
"""

import asyncio
from collections import deque
from dataclasses import dataclass

# As many as the original's latency toxic buffers.
_MOST_CHUNKS = 1024


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some bytes, and when they arrived by the event loop's clock."""

    data: bytes
    arrived: float


class Pipe:
    """A bounded queue of chunks with an end."""

    def __init__(self) -> None:
        self._chunks: deque[Chunk] = deque()
        self._changed = asyncio.Event()
        self._is_ended = False

    async def first(self) -> Chunk | None:
        """The first chunk, which stays; None at the end of the stream."""
        while not self._chunks:
            if self._is_ended:
                return None
            await self._change()
        return self._chunks[0]

    def drop_first(self) -> None:
        """Take the first chunk off."""
        self._chunks.popleft()
        self._tell()

    def shorten_first(self, size: int) -> None:
        """Take the first `size` bytes off the first chunk."""
        first = self._chunks[0]
        if size >= len(first.data):
            self.drop_first()
        else:
            self._chunks[0] = Chunk(first.data[size:], first.arrived)

    async def put(self, chunk: Chunk) -> None:
        """Add a chunk, as soon as there is room."""
        await self.room()
        self.put_now(chunk)

    async def room(self) -> None:
        """Wait until a chunk can be added; one that has ended takes everything and forgets it."""
        while len(self._chunks) >= _MOST_CHUNKS and not self._is_ended:
            await self._change()

    def put_now(self, chunk: Chunk) -> None:
        """Add a chunk, whether there is room or not."""
        if not self._is_ended:
            self._chunks.append(chunk)
            self._tell()

    def end(self) -> None:
        """Nothing follows any more."""
        self._is_ended = True
        self._tell()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
