"""What the kubelet tells, as it reaches the API server."""

import asyncio
from typing import Final

from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.local import local_api
from seatrial.sandbox.kubelet.events import EventReason, KubeletEvents

POD: Final[Object] = {
    "kind": "Pod",
    "apiVersion": "v1",
    "metadata": {"name": "web", "namespace": "default", "uid": "u-1"},
}


async def test_an_event_says_which_kubelet_tells_what_of_which_container() -> None:
    """The node stands in its source, the container in the reference to the pod."""
    api = local_api()
    events = KubeletEvents(api, node_name="node1")
    events.record(POD, EventReason("Warning", "BackOff", "text", "spec.containers{c}"))
    running = asyncio.create_task(events.run())
    try:
        async with asyncio.timeout(60):
            async for change in api.watch(
                "events", "default", resource_version=(await api.list("events")).resource_version
            ):
                found = change.object
                break
    finally:
        running.cancel()
    assert found["source"] == {"component": "kubelet", "host": "node1"}
    assert found["involvedObject"]["fieldPath"] == "spec.containers{c}"
    assert (found["type"], found["reportingInstance"]) == ("Warning", "node1")
