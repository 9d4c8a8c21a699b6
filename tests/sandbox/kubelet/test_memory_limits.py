"""Memory limits: who exceeds one is killed, by that name."""

import asyncio
import os

from seatrial.sandbox.kubelet.memory_watch import MemoryWatch
from seatrial.sandbox.kubelet.reactor import Reactor
from tests.sandbox.kubelet.node_under_test import NodeUnderTest, container, make_pod

LIMITED = {"resources": {"limits": {"memory": "24Mi"}, "requests": {"memory": "24Mi"}}}


async def test_a_container_that_takes_too_much_is_killed(node: NodeUnderTest) -> None:
    """Exit code 137 with the reason OOMKilled; its status tells the limit."""
    command = ["/bin/sh", "-c", "tail /dev/zero"]
    await node.create(make_pod(container={"command": command, **LIMITED}, restartPolicy="Never"))
    pod = await node.history.wait("web", lambda pod: pod["status"]["phase"] == "Failed")
    ended = container(pod)["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")
    assert container(pod)["resources"] == LIMITED["resources"]
    assert pod["status"]["resources"] == LIMITED["resources"]
    assert pod["status"]["allocatedResources"] == {"memory": "24Mi"}


async def test_a_built_in_program_lives_within_a_small_limit(node: NodeUnderTest) -> None:
    """What it shares with the machine doesn't count."""
    spec = {"image": "registry.k8s.io/pause:3.10", "command": None, **LIMITED}
    await node.create(make_pod(container=spec))
    await node.history.wait("web", lambda pod: container(pod).get("ready"))
    await asyncio.sleep(0.5)
    (record,) = [r for r in await node.runtime.list() if r.container.pod_name == "web"]
    assert record.running


async def test_a_limit_can_be_lowered_while_the_container_runs(node: NodeUnderTest) -> None:
    """A resize takes effect without a restart: the container is not replaced until it exceeds the limit."""
    hungry = "x=$(head -c 60000000 /dev/zero | tr '\\0' x); > up; while :; do sleep 1; done"
    limits = {"limits": {"memory": "400Mi"}, "requests": {"memory": "24Mi"}}
    probe = {"exec": {"command": ["/bin/sh", "-c", "until test -e up; do sleep 0.05; done"]}, "timeoutSeconds": 20}
    spec = {"command": ["/bin/sh", "-c", hungry], "resources": limits, "readinessProbe": probe}
    await node.create(make_pod(container=spec, restartPolicy="Never"))
    await node.history.wait("web", lambda pod: container(pod).get("ready"))
    smaller = {"limits": {"memory": "24Mi"}, "requests": {"memory": "24Mi"}}
    pod = await node.api.get("pods", "web", "default")
    containers = [{**pod["spec"]["containers"][0], "resources": smaller}]
    await node.api.patch("pods", "web", "default", {"spec": {"containers": containers}}, subresource="resize")
    pod = await node.history.wait("web", lambda pod: pod["status"]["phase"] == "Failed")
    assert container(pod)["state"]["terminated"]["reason"] == "OOMKilled"


def test_nobody_is_looked_at_without_a_limit() -> None:
    """The machine sleeps then; a limit that is taken back counts as none."""
    killed: list[int] = []
    reactor = Reactor()
    watch = MemoryWatch(reactor, kill=killed.append)
    watch.set_limit(os.getpid(), 1)
    watch.set_limit(os.getpid(), 0)
    reactor.call_later(0.3, reactor.stop)
    reactor.run()
    assert killed == []
    watch.set_limit(os.getpid(), 1)
    reactor.call_later(0.3, reactor.stop)
    reactor.run()
    assert os.getpid() in killed
