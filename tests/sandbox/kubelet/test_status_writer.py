"""How a pod's status reaches the API server, whatever happens on the way."""

import asyncio
from typing import Any

import pytest

from seatrial.sandbox.api import ApiError, Object
from seatrial.sandbox.kubelet.container_state import ContainerState, Waiting
from seatrial.sandbox.kubelet.pod_status import PodFacts
from seatrial.sandbox.kubelet.status_writer import StatusWriter

POD: Object = {
    "metadata": {"name": "web", "namespace": "default", "uid": "u-1", "resourceVersion": "1"},
    "spec": {"containers": [{"name": "c", "image": "busybox"}]},
    "status": {"phase": "Pending"},
}


class TroubledApi:
    """An API server of one pod: each write meets the next of its troubles, until there are none left."""

    def __init__(self, *troubles: Exception) -> None:
        self.troubles = list(troubles)
        self.pod = POD

    async def get(self, *_: Any) -> Object:
        """The pod, which somebody else has changed."""
        return {**self.pod, "metadata": {**POD["metadata"], "resourceVersion": "2"}}

    async def patch(self, _resource: str, _name: str, _namespace: str, patch: Object, *, subresource: str) -> Object:
        """Write the status, or fail."""
        assert subresource == "status"
        if self.troubles:
            raise self.troubles.pop(0)
        self.pod = {**self.pod, "status": patch["status"], "metadata": {**POD["metadata"], "resourceVersion": "3"}}
        return self.pod


def refusal(code: int, reason: str) -> ApiError:
    """What an API server answers."""
    return ApiError({"code": code, "reason": reason, "message": reason})


@pytest.mark.looptime
@pytest.mark.parametrize(
    "trouble", [refusal(503, "ServiceUnavailable"), refusal(409, "Conflict"), RuntimeError("a mistake")]
)
async def test_a_status_is_written_in_the_end(trouble: Exception) -> None:
    """After a refusal, a conflict, even a mistake of the kubelet's own: who waits for it isn't left waiting."""
    api = TroubledApi(trouble, trouble)
    facts = PodFacts(pod=POD, host_ip="127.0.0.1", start_time=1000.0)
    facts.containers["c"] = ContainerState("c", Waiting("ContainerCreating"))
    writer = StatusWriter(api, facts)  # type: ignore[arg-type] # as much of an Api as it uses
    running = asyncio.create_task(writer.run())
    writer.touch()
    async with asyncio.timeout(60):
        await writer.flush()
    running.cancel()
    assert api.pod["status"]["hostIP"] == "127.0.0.1"


@pytest.mark.looptime
async def test_nothing_is_written_of_a_pod_that_is_gone() -> None:
    """The first answer that says so ends it."""
    api = TroubledApi(refusal(404, "NotFound"))
    facts = PodFacts(pod=POD, host_ip="127.0.0.1", start_time=1000.0)
    writer = StatusWriter(api, facts)  # type: ignore[arg-type] # as much of an Api as it uses
    running = asyncio.create_task(writer.run())
    writer.touch()
    async with asyncio.timeout(60):
        await writer.flush()
    running.cancel()
    assert (writer.gone, api.pod) == (True, POD)
