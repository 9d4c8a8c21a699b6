"""The smallest pod there is."""

import asyncio

from tests.sandbox.kubelet.node_under_test import NodeUnderTest, container, make_pod

PAUSE = {"image": "registry.k8s.io/pause:3.10", "command": None}
_MOST_BYTES = 1024 * 1024


async def test_a_pod_of_pause_takes_next_to_nothing(node: NodeUnderTest) -> None:
    """Less than a megabyte of its own, so that there can be a thousand of them."""
    pod = await node.create(make_pod(container=PAUSE))
    await node.history.wait("web", lambda pod: container(pod).get("ready"))
    (process,) = await node.processes(pod)
    async with asyncio.timeout(60):
        while process.memory_full_info().uss >= _MOST_BYTES:  # noqa: ASYNC110 -- another process becomes smaller
            await asyncio.sleep(0.01)


async def test_pause_ends_well_when_it_is_told_to(node: NodeUnderTest) -> None:
    """Exit code 0, long before its grace period is over."""
    await node.create(make_pod(container=PAUSE))
    await node.history.wait("web", lambda pod: container(pod).get("ready"))
    await node.api.delete("pods", "web", "default")
    await node.history.wait_gone("web", seconds=25)
    last = node.history.of("web")[-1]
    assert last["status"]["phase"] == "Succeeded"
    assert container(last)["state"]["terminated"]["exitCode"] == 0
