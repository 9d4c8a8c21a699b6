"""Events, as they reach the API server."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from seatrial.sandbox.api import Api, Object
from seatrial.sandbox.apiserver.local import local_api
from seatrial.sandbox.kubelet.events import EventReason, EventRecorder

POD: Object = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "web", "namespace": "default", "uid": "u-1"}}


@dataclass
class Recording:
    """A recorder that runs, and its API server."""

    recorder: EventRecorder
    api: Api

    async def events(self, *, until: str) -> list[Object]:
        """All events, once one of that reason is there."""
        async with asyncio.timeout(60):
            listed = await self.api.list("events", "default")
            while until not in {event["reason"] for event in listed.items}:
                async for _ in self.api.watch("events", "default", resource_version=listed.resource_version):
                    break
                listed = await self.api.list("events", "default")
        return listed.items


@pytest.fixture
async def recording() -> AsyncIterator[Recording]:
    """A recorder for the length of a test."""
    api = local_api()
    recorder = EventRecorder(api, node_name="node1", clock=lambda: 1000.0)
    task = asyncio.create_task(recorder.run())
    yield Recording(recorder, api)
    task.cancel()


async def test_events_are_listed_in_the_order_in_which_they_happened(recording: Recording) -> None:
    """Also those of one second."""
    for reason in ("Pulled", "Created", "Started"):
        recording.recorder.record(POD, EventReason("Normal", reason, "text", "spec.containers{c}"))
    events = await recording.events(until="Started")
    assert [event["reason"] for event in events] == ["Pulled", "Created", "Started"]
    assert events[0]["firstTimestamp"] == "1970-01-01T00:16:40Z"


async def test_the_same_event_again_raises_its_count(recording: Recording) -> None:
    """One object for all of them."""
    for _ in range(3):
        recording.recorder.record(POD, EventReason("Warning", "BackOff", "text"))
    recording.recorder.record(POD, EventReason("Normal", "Last", "text"))
    events = await recording.events(until="Last")
    assert [(event["reason"], event["count"]) for event in events] == [("BackOff", 3), ("Last", 1)]


async def test_a_pod_that_tells_too_much_is_silenced(recording: Recording) -> None:
    """After 25 in a row, of which similar ones are combined in a tenth; another pod is still heard."""
    for number in range(40):
        recording.recorder.record(POD, EventReason("Normal", "Noise", f"text {number}"))
    other = {**POD, "metadata": {**POD["metadata"], "name": "zoo", "uid": "u-2"}}
    recording.recorder.record(other, EventReason("Normal", "Last", "text"))
    events = await recording.events(until="Last")
    noise = [event for event in events if event["reason"] == "Noise"]
    assert (len(noise), sum(event["count"] for event in noise)) == (10, 25)
    assert noise[-1]["message"] == "(combined from similar events): text 24"
