"""SPDY connections: streams side by side, back pressure, ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from seatrial.sandbox.streaming.spdy import SpdyConnection, SpdyStream
from seatrial.sandbox.streaming.spdy_frames import FrameReader, FrameWriter
from tests.sandbox.streaming.pipes import PipeChannel, connected


@asynccontextmanager
async def _pair() -> AsyncIterator[tuple[SpdyConnection, SpdyConnection]]:
    ours, theirs = connected()
    client, server = SpdyConnection(ours, is_client=True), SpdyConnection(theirs)
    tasks = [asyncio.create_task(client.run()), asyncio.create_task(server.run())]
    try:
        async with asyncio.timeout(20):
            yield client, server
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _all(stream: SpdyStream) -> bytes:
    found = b""
    while data := await stream.read():
        found += data
    return found


async def _accepted(connection: SpdyConnection) -> SpdyStream:
    stream = await connection.accept()
    assert stream is not None
    return stream


async def test_streams_carry_data_both_ways() -> None:
    """What one side writes to a stream the other reads, until each has ended its half."""
    async with _pair() as (client, server):
        ours = await client.open({"streamtype": "data", "Port": "80"})
        theirs = await _accepted(server)
        assert theirs.headers == {"streamtype": "data", "port": "80"}
        await ours.write(b"question")
        await ours.finish()
        assert await _all(theirs) == b"question"
        await theirs.write(b"answer" * 30_000)
        await theirs.finish()
        assert await _all(ours) == b"answer" * 30_000


async def test_streams_are_told_apart() -> None:
    """Streams of one connection don't mix."""
    async with _pair() as (client, server):
        ours = [await client.open({"name": str(number)}) for number in range(50)]
        for number, stream in enumerate(ours):
            await stream.write(str(number).encode())
            await stream.finish()
        for number in range(50):
            stream = await _accepted(server)
            assert stream.headers["name"] == str(number)
            assert await _all(stream) == str(number).encode()


async def test_a_reset_ends_a_stream_at_once() -> None:
    """A stream that is reset ends for both; writing to it fails."""
    async with _pair() as (client, server):
        ours = await client.open({})
        theirs = await _accepted(server)
        await theirs.reset()
        assert await ours.read() == b""
        try:
            await ours.write(b"x")
        except ConnectionError:
            return
        raise AssertionError("written to a stream that is no more")


async def test_who_does_not_read_holds_up_the_sender() -> None:
    """A sender waits when as much is unread as may be, and goes on when it is read."""
    async with _pair() as (client, server):
        ours = await client.open({})
        theirs = await _accepted(server)
        sending = asyncio.create_task(ours.write(bytes(5_000_000)))
        for _ in range(200):
            await asyncio.sleep(0)
        assert not sending.done()
        got = 0
        while got < 5_000_000:
            got += len(await theirs.read())
        await sending


async def test_pings_are_answered() -> None:
    """A ping of the peer comes back with its number."""
    ours, theirs = connected()
    connection = SpdyConnection(theirs)
    running = asyncio.create_task(connection.run())
    await ours.write(FrameWriter.ping(7))
    async with asyncio.timeout(5):
        frames = list(FrameReader().feed(await ours.read()))
    assert [(frame.kind, frame.number) for frame in frames] == [(6, 7)]  # type: ignore[union-attr]
    await ours.close()
    await running


async def test_what_is_no_spdy_ends_the_connection() -> None:
    """Bytes that are no frames are answered with a goodbye, and everything that waits ends."""
    ours, theirs = connected()
    connection = SpdyConnection(theirs)
    running = asyncio.create_task(connection.run())
    await ours.write(b"GET / HTTP/1.1\r\n\x80\xff\x00\x00")
    await ours.write(b"\xff" * 2000)
    await _hang_up(ours)
    async with asyncio.timeout(5):
        await running
        assert await connection.accept() is None


async def _hang_up(channel: PipeChannel) -> None:
    await channel.close()


async def test_the_end_of_the_connection_ends_its_streams() -> None:
    """When the peer is gone, readers see an end and nobody waits for further streams."""
    ours, theirs = connected()
    client, server = SpdyConnection(ours, is_client=True), SpdyConnection(theirs)
    tasks = [asyncio.create_task(client.run()), asyncio.create_task(server.run())]
    async with asyncio.timeout(5):
        await client.open({})
        stream = await _accepted(server)
        await client.close()
        assert await stream.read() == b""
        assert await server.accept() is None
        await server.close()
        await asyncio.wait(tasks)
