"""The pod action stopHost."""

import pytest
from msgspec.structs import replace

from seatrial.actions.pods.stop_host import StopHost, plan, run
from seatrial.kube.objects import Pod
from seatrial.kube.resources import NODES, PODS
from seatrial.machines.driver import MachineState
from seatrial.runtime.context import Identity, Settings
from seatrial.runtime.events import MachineStopped
from seatrial.runtime.guardrails import Guardrails
from seatrial.runtime.journal import RunEntry
from seatrial.runtime.verdict import Verdict
from tests.machines.made import MemoryCloud, machine


@pytest.fixture
async def hosted(control, on_cluster):
    """Three pods on the nodes a, a and b; c has none. A cloud with their machines."""
    await on_cluster.journal.begin(RunEntry(id="run-1", policy="p", seed="7", server="s"))
    for index, name in enumerate("abc"):
        body = {"metadata": {"name": name}, "spec": {"providerID": f"memory:///{name}"}}
        await control.server.api.create("nodes", body)
        status = {"addresses": [{"type": "InternalIP", "address": f"10.0.0.{index + 1}"}]}
        await control.cluster.patch(NODES, name, {"status": status}, subresource="status")
    for name, node in (("p1", "a"), ("p2", "a"), ("p3", "b"), ("unscheduled", "")):
        spec = {"containers": [{"name": "c", "image": "busybox"}], **({"nodeName": node} if node else {})}
        await control.server.api.create("pods", {"metadata": {"name": name}, "spec": spec}, "default")
    cloud = MemoryCloud(*(machine(name, provider_id=f"memory:///{name}") for name in "abc"))
    pods = tuple((await control.cluster.list(PODS, namespace="default", type=Pod)).items)
    context = replace(on_cluster.context, machines=cloud, settings=Settings(recovery_timeout_seconds=0))
    return cloud, pods, context


async def test_each_machine_is_stopped_once(hosted, on_cluster):
    """Two pods on one machine: one stop. Machines without such a pod run on, and a pod without a node has none."""
    cloud, pods, context = hosted
    planned = await plan(StopHost(), pods, context)
    assert planned.nodes == ("a", "b")
    assert (await run(StopHost(), pods, context)).passed
    assert cloud.states() == {"a": "DOWN", "b": "DOWN", "c": "UP"}
    assert [event.id for event in await on_cluster.events() if isinstance(event, MachineStopped)] == ["a", "b"]
    assert {each.undo.args["id"] for each in context.journal.newer_than(0)} == {"a", "b"}


async def test_its_own_machine_is_left_alone(hosted):
    """Pods on the node that Seatrial runs on don't take it down; where there are no others, nothing is to do."""
    cloud, pods, context = hosted
    here = replace(context, identity=Identity(host_ip="10.0.0.1"))
    outcome = await run(StopHost(), pods[:2], here)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "the node that Seatrial itself runs on is left out" in outcome.reasons[0]
    assert cloud.states()["a"] == "UP"


async def test_a_machine_that_was_down_before_is_not_started_at_the_end(hosted):
    """Only what this action stopped has an undo."""
    cloud, pods, context = hosted
    cloud.machines["a"] = replace(cloud.machines["a"], state=MachineState.DOWN)
    assert (await run(StopHost(), pods, context)).passed
    assert [each.undo.args["id"] for each in context.journal.newer_than(0)] == ["b"]


async def test_guardrails_and_a_missing_driver_refuse_before_anything_is_touched(hosted, on_cluster):
    """Too many machines at once, or no cloud: inconclusive, said in the plan as well."""
    cloud, pods, context = hosted
    careful = replace(context, settings=Settings(guardrails=Guardrails(most_nodes=1)))
    assert (await run(StopHost(), pods, careful)).reasons[0].startswith("refused by a guardrail: maxNodes")
    assert (await plan(StopHost(), pods, careful)).refused != ()
    assert cloud.states() == {"a": "UP", "b": "UP", "c": "UP"}
    outcome = await run(StopHost(), pods, on_cluster.context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "no cloud is configured" in outcome.reasons[0]
    assert (await plan(StopHost(), pods, on_cluster.context)).refused == outcome.reasons
