"""Reads a watch as far as the recording goes, while another client acts."""

import asyncio
import json
from typing import Any

import aiohttp

from tests.conformance.meanwhile import Meanwhile

_GRACE_SECONDS = 5
# Acts and events were timed by two clients: an event that answers an act may seem to come before it.
_CLOCKS_MS = 60
_SURPLUS_SECONDS = 0.15


class Watching:
    """One watch.

    Args:
        answer: the server's, just begun.
        expected: the recorded response.
        acts: what another client did meanwhile, in the recording's words.
        other: that client.
    """

    def __init__(
        self,
        answer: aiohttp.ClientResponse,
        expected: dict[str, Any],
        acts: list[dict[str, Any]],
        other: Meanwhile,
    ) -> None:
        self._answer = answer
        self._expected = untimed(expected["events"])
        self._acts = list(acts)
        self._other = other
        self._events: list[dict[str, Any]] = []
        self._rest = b""
        self._ended = False

    async def events(self) -> list[dict[str, Any]]:
        """The events that came, without bookmarks by the clock."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        for act in self._acts:
            before = [event for event in self._expected if event["ms"] < act["ms"] - _CLOCKS_MS]
            await self._read(len(before), self._patience(act["ms"]))
            if _has_pods(self._expected):
                await asyncio.sleep(max(0, began + act["ms"] / 1000 - loop.time()))
            await self._other.act(act["did"], self._expected[len(before) :])
        await self._read(len(self._expected), self._patience(self._expected[-1]["ms"] if self._expected else 0))
        await self._read(len(self._expected) + 1, _SURPLUS_SECONDS)
        if not self._ended:
            self._answer.close()
        return untimed(self._events)

    def _patience(self, ms: int) -> float:
        return ms / 1000 + _GRACE_SECONDS

    async def _read(self, count: int, seconds: float) -> None:
        """Until so many events have come, the server ends the watch, or time is up."""
        try:
            async with asyncio.timeout(seconds):
                while len(untimed(self._events)) < count and not self._ended:
                    data = await self._answer.content.readany()
                    self._ended = not data
                    *lines, self._rest = (self._rest + data).split(b"\n")
                    self._events += [json.loads(line) for line in lines if line.startswith(b'{"type"')]
        except TimeoutError:
            pass


def _has_pods(events: list[dict[str, Any]]) -> bool:
    """Pods take their own time between two acts, which no count of events tells."""
    objects = [row.get("object") or {} for event in events for row in event["object"].get("rows") or [event]]
    return any(obj.get("kind") == "Pod" for obj in objects)


def untimed(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Events without the bookmarks that come by the clock: how many there are depends on when a watch begins."""
    return [event for event in events if event["type"] != "BOOKMARK" or "annotations" in event["object"]["metadata"]]
