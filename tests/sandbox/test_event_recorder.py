"""Events, as they reach the API server."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from seatrial.sandbox.api import Api, Object
from seatrial.sandbox.apiserver.local import local_api
from seatrial.sandbox.event_recorder import EventRecorder

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
    recorder = EventRecorder(api, now=lambda: datetime.fromtimestamp(1000, UTC))
    task = asyncio.create_task(recorder.run())
    yield Recording(recorder, api)
    task.cancel()


async def test_events_are_listed_in_the_order_in_which_they_happened(recording: Recording) -> None:
    """Also those of one second."""
    for reason in ("Pulled", "Created", "Started"):
        recording.recorder.record("kubelet", POD, reason, "text", field_path="spec.containers{c}")
    events = await recording.events(until="Started")
    assert [event["reason"] for event in events] == ["Pulled", "Created", "Started"]
    assert events[0]["firstTimestamp"] == "1970-01-01T00:16:40Z"


async def test_the_same_event_again_raises_its_count(recording: Recording) -> None:
    """One object for all of them."""
    for _ in range(3):
        recording.recorder.record("kubelet", POD, "BackOff", "text", kind="Warning")
    recording.recorder.record("kubelet", POD, "Last", "text")
    events = await recording.events(until="Last")
    assert [(event["reason"], event["count"]) for event in events] == [("BackOff", 3), ("Last", 1)]


async def test_an_object_of_which_too_much_is_told_is_silenced(recording: Recording) -> None:
    """After 25 in a row, of which similar ones are combined in a tenth; other objects, other components are heard."""
    for number in range(40):
        recording.recorder.record("kubelet", POD, "Noise", f"text {number}")
    other = {**POD, "metadata": {**POD["metadata"], "name": "zoo", "uid": "u-2"}}
    recording.recorder.record("kubelet", other, "Last", "text")
    recording.recorder.record("default-scheduler", POD, "Preempted", "text")
    events = await recording.events(until="Preempted")
    noise = [event for event in events if event["reason"] == "Noise"]
    assert (len(noise), sum(event["count"] for event in noise)) == (10, 25)
    assert noise[-1]["message"] == "(combined from similar events): text 24"


async def test_an_event_that_somebody_deleted_is_written_anew(recording: Recording) -> None:
    """With a count of one."""
    recording.recorder.record("kubelet", POD, "BackOff", "text")
    (first,) = await recording.events(until="BackOff")
    await recording.api.delete("events", first["metadata"]["name"], "default")
    recording.recorder.record("kubelet", POD, "BackOff", "text")
    (second,) = await recording.events(until="BackOff")
    assert (second["count"], second["metadata"]["name"] > first["metadata"]["name"]) == (1, True)
