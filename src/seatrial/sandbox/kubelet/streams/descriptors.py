"""Pipes and terminals in asyncio: read when asked, written when there is room, closed once.

Unlike asyncio's own transports nothing is read ahead, so that whoever does not read holds up whoever writes.
"""

import asyncio
import fcntl
import os
import struct
import termios
from typing import Final

_CHUNK_BYTES: Final = 64 * 1024


class _Descriptor:
    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._waiter: asyncio.Future[None] | None = None

    @property
    def fd(self) -> int:
        """The descriptor, -1 once it is closed."""
        return self._fd

    def close(self) -> None:
        """Close it; who waits for it is told that it has ended."""
        if self._fd < 0:
            return
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._fd)
        loop.remove_writer(self._fd)
        os.close(self._fd)
        self._fd = -1

    async def _wait(self, *, writable: bool) -> None:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiter = waiter

        def wake() -> None:
            if not waiter.done():
                waiter.set_result(None)

        watch, unwatch = (loop.add_writer, loop.remove_writer) if writable else (loop.add_reader, loop.remove_reader)
        watch(self._fd, wake)
        try:
            await waiter
        finally:
            if self._fd >= 0:
                unwatch(self._fd)


class DescriptorReader(_Descriptor):
    """Reads from a pipe, or from a terminal's other side."""

    _ends_when_empty = False

    def end_when_empty(self) -> None:
        """Take what is there for all there will be."""
        self._ends_when_empty = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def read(self) -> bytes:
        """What came in; empty at the end, or when this is closed."""
        while self._fd >= 0:
            try:
                return os.read(self._fd, _CHUNK_BYTES)
            except BlockingIOError:
                if self._ends_when_empty:
                    return b""
                await self._wait(writable=False)
            except OSError:
                # A terminal that nobody holds open any more says EIO.
                return b""
        return b""


class DescriptorWriter(_Descriptor):
    """Writes to a pipe or terminal."""

    async def write(self, data: bytes) -> None:
        """Write all of it; BrokenPipeError when nobody reads any more."""
        rest = memoryview(data)
        while rest:
            if self._fd < 0:
                raise BrokenPipeError("closed")
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                await self._wait(writable=True)
            except OSError as error:
                raise BrokenPipeError(str(error)) from error

    def resize(self, columns: int, rows: int) -> None:
        """Tell a terminal its size; its programs get SIGWINCH."""
        if self._fd >= 0:
            size = struct.pack("HHHH", rows & 0xFFFF, columns & 0xFFFF, 0, 0)
            fcntl.ioctl(self._fd, termios.TIOCSWINSZ, size)
