import asyncio
import json
from typing import Any

import pytest

from seatrial.sandbox.apiserver import watch_stream
from seatrial.sandbox.apiserver.built_in_resources import built_in
from seatrial.sandbox.apiserver.lists import ListOptions
from seatrial.sandbox.apiserver.negotiation import Form
from seatrial.sandbox.apiserver.store import Store
from seatrial.sandbox.apiserver.watch_stream import WatchStream


def put(store: Store, name: str) -> int:
    """Store a ConfigMap; its revision."""
    return store.put("configmaps", "default", name, {"metadata": {"name": name, "namespace": "default"}}).revision


def events(chunk: bytes) -> list[tuple[str, int]]:
    """Type and revision of each event."""
    found: list[Any] = [json.loads(line) for line in chunk.splitlines()]
    return [(event["type"], int(event["object"]["metadata"]["resourceVersion"])) for event in found]


async def test_a_bookmark_never_runs_ahead_of_what_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that resumes after a bookmark misses nothing, however slowly it reads."""
    monkeypatch.setattr(watch_stream, "BOOKMARK_SECONDS", 0.0)
    store = Store()
    options = ListOptions(resource_version=str(store.revision), allow_bookmarks=True, timeout_seconds=60)
    chunks = WatchStream(store, built_in().of("configmaps"), None, options, Form()).chunks()
    sent: set[int] = set()
    stored: set[int] = set()
    bookmarks = 0
    try:
        for number in range(20):
            stored.add(put(store, f"c{number}"))
            async with asyncio.timeout(5):
                chunk = await anext(chunks)
            for event, revision in events(chunk):
                if event == "BOOKMARK":
                    bookmarks += 1
                    assert {old for old in stored if old <= revision} <= sent
                else:
                    sent.add(revision)
            # While the client reads, the alarm rings and something changes.
            await asyncio.sleep(0)
            stored.add(put(store, f"d{number}"))
    finally:
        await chunks.aclose()
    assert bookmarks
