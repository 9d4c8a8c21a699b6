"""Two byte channels that are connected with each other, for tests without a network."""

import asyncio


class PipeChannel:
    """One end: what is written here is read there."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[bytes] = asyncio.Queue(8)
        self.other: PipeChannel | None = None
        self.is_closed = False

    async def read(self) -> bytes:
        """What came in; empty at the end."""
        return await self.incoming.get()

    async def write(self, data: bytes) -> None:
        """Send; ConnectionError when the other end has hung up."""
        assert self.other is not None
        if self.is_closed or self.other.is_closed:
            raise ConnectionResetError
        await self.other.incoming.put(data)

    async def close(self) -> None:
        """Hang up."""
        if not self.is_closed:
            self.is_closed = True
            assert self.other is not None
            await self.other.incoming.put(b"")


def connected() -> tuple[PipeChannel, PipeChannel]:
    """Both ends."""
    one, other = PipeChannel(), PipeChannel()
    one.other, other.other = other, one
    return one, other
