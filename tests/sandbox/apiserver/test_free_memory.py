"""Large answers leave no memory behind."""

import asyncio

from aiohttp import web

from seatrial.sandbox.apiserver.free_memory import FreeMemory
from tests.sandbox.apiserver.conftest import Served


async def test_memory_is_returned_after_a_large_answer() -> None:
    """Some time after large answers memory is given back, once for all of them."""
    returned = asyncio.Queue[str]()
    memory = FreeMemory(give_back=lambda: returned.put_nowait("returned"), pause_seconds=0)
    for _ in range(3):
        memory.after(web.Response(body=bytes(8_000_000)))
    async with asyncio.timeout(5):
        await returned.get()
    await asyncio.sleep(0)
    assert returned.empty()


async def test_small_answers_and_streams_leave_nothing_to_return() -> None:
    """Only large answers make the server return memory."""
    returned = asyncio.Queue[str]()
    memory = FreeMemory(give_back=lambda: returned.put_nowait("returned"), pause_seconds=0)
    for response in (web.Response(body=b"small"), web.Response(), web.StreamResponse()):
        memory.after(response)
    await asyncio.sleep(0.01)
    assert returned.empty()


async def test_a_large_answer_written_in_slices_is_whole(served: Served) -> None:
    """A list of megabytes arrives complete, and the connection serves the next request."""
    text = "x" * 900_000
    for number in range(4):
        body = {"metadata": {"name": f"large-{number}"}, "data": {"text": text}}
        await served.api.create("configmaps", body, "default")
    for _ in range(2):
        async with served.session.get("/api/v1/namespaces/default/configmaps") as answer:
            assert answer.content_length is not None
            items = (await answer.json())["items"]
        assert [item["data"]["text"] for item in items if item["metadata"]["name"].startswith("large")] == [text] * 4
    async with served.session.head("/api/v1/namespaces/default/configmaps") as answer:
        assert await answer.read() == b""
