"""Preemption: who has to go for whom, what budgets have to say, and what is told."""

import pytest

from tests.sandbox.controllers.world import NAMESPACE, World, running_world
from tests.sandbox.scheduler.placing import PRIORITIES, asking, create, node_of, placed, priorities, said_of

pytestmark = pytest.mark.looptime


async def gone(world: World, name: str) -> None:
    """Wait until a pod is no more."""
    await world.until(lambda: name not in [item["metadata"]["name"] for item in world.seen("pods")])


async def test_a_more_important_pod_takes_the_room_of_a_lesser_one() -> None:
    """The victim is ended gracefully, marked and told by whom; the other is nominated, then bound."""
    async with running_world(nodes=1) as world:
        await priorities(world, high=1000)
        await create(world, "low", containers=asking("3"))
        await placed(world, "low")
        await create(world, "high", containers=asking("3"), priorityClassName="high")
        assert await placed(world, "high") == ["node1"]
        await gone(world, "low")
        states = [item for _, kind, item in world.history if kind == "pods"]
        targets = [
            entry
            for item in states
            if item["metadata"]["name"] == "low"
            for entry in item["status"].get("conditions") or ()
            if entry["type"] == "DisruptionTarget"
        ]
        assert (targets[0]["status"], targets[0]["reason"]) == ("True", "PreemptionByScheduler")
        assert targets[0]["message"] == "default-scheduler: preempting to accommodate a higher priority pod"
        assert any(item["status"].get("nominatedNodeName") == "node1" for item in states)
        uid = world.one("pods", "high")["metadata"]["uid"]
        event = next(event for event in world.seen("events") if event["reason"] == "Preempted")
        assert event["message"] == f"Preempted by pod {uid} on node node1"
        assert event["involvedObject"]["name"] == "low"


async def test_nobody_of_the_same_importance_has_to_go() -> None:
    """And the pod that waits is told that there was nobody to preempt."""
    async with running_world(nodes=2) as world:
        await world.api.patch("nodes", "node2", None, {"spec": {"unschedulable": True}})
        await world.settled()
        await create(world, "first", containers=asking("3"))
        await placed(world, "first")
        await create(world, "second", containers=asking("3"))
        await world.until(lambda: said_of(world, "second"))
        assert said_of(world, "second") == (
            "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable. no new claims to deallocate, "
            "preemption: 0/2 nodes are available: 1 No preemption victims found for incoming pod, "
            "1 Preemption is not helpful for scheduling."
        )


async def test_a_polite_pod_waits() -> None:
    """`preemptionPolicy: Never`."""
    async with running_world(nodes=1) as world:
        body = {"metadata": {"name": "polite"}, "value": 1000, "preemptionPolicy": "Never"}
        await world.api.create(PRIORITIES, body)
        await create(world, "low", containers=asking("3"))
        await placed(world, "low")
        await create(world, "polite", containers=asking("3"), priorityClassName="polite")
        await world.until(lambda: said_of(world, "polite"))
        assert said_of(world, "polite").endswith("preemption: not eligible due to preemptionPolicy=Never.")
        await world.settled()
        assert node_of(world, "low") == "node1"


async def test_what_no_node_could_ever_give_costs_nobody_anything() -> None:
    """A pod that asks for more than a whole node preempts nobody."""
    async with running_world(nodes=1) as world:
        await priorities(world, high=1000)
        await create(world, "low", containers=asking("3"))
        await placed(world, "low")
        await create(world, "huge", containers=asking("64"), priorityClassName="high")
        await world.until(lambda: said_of(world, "huge"))
        assert said_of(world, "huge").endswith("1 Preemption is not helpful for scheduling.")
        assert node_of(world, "low") == "node1"


async def test_no_more_have_to_go_than_must() -> None:
    """Of three lesser pods on a node the least important is enough."""
    async with running_world(nodes=1) as world:
        await priorities(world, high=1000, middle=100)
        await create(world, "keep1", containers=asking("1"), priorityClassName="middle")
        await create(world, "keep2", containers=asking("1"), priorityClassName="middle")
        await create(world, "drop", containers=asking("1"))
        await placed(world, "keep1", "keep2", "drop")
        await create(world, "high", containers=asking("2"), priorityClassName="high")
        await gone(world, "drop")
        await placed(world, "high")
        assert node_of(world, "keep1") == node_of(world, "keep2") == "node1"


async def test_the_node_that_costs_least_is_chosen() -> None:
    """A node whose victims are less important comes before one whose are more; a protected pod comes last of all."""
    async with running_world(nodes=3) as world:
        await priorities(world, high=1000, middle=100)
        where = {"important": "node1", "protected": "node2", "plain": "node3"}
        for name, node in where.items():
            priority = {"priorityClassName": "middle"} if name == "important" else {}
            await create(world, name, containers=asking("3"), nodeSelector={"kubernetes.io/hostname": node}, **priority)
        await placed(world, *where)
        await world.until(lambda: len(world.ready_pods()) == 3)
        budget = {
            "metadata": {"name": "keep"},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "protected"}}},
        }
        await world.api.create("poddisruptionbudgets.policy", budget, NAMESPACE)
        await world.until(lambda: world.one("poddisruptionbudgets.policy", "keep")["status"].get("currentHealthy") == 1)
        await create(world, "high", containers=asking("3"), priorityClassName="high")
        assert await placed(world, "high") == ["node3"]
        await create(world, "high2", containers=asking("3"), priorityClassName="high")
        assert await placed(world, "high2") == ["node1"]
        await create(world, "high3", containers=asking("3"), priorityClassName="high")
        assert await placed(world, "high3") == ["node2"]


async def test_room_that_is_being_made_is_not_given_away() -> None:
    """While the victim ends, a lesser pod that would fit has to wait."""
    async with running_world(nodes=1) as world:
        world.slow_to_end_seconds = 20.0
        await priorities(world, high=1000)
        await create(world, "low", containers=asking("2"))
        await create(world, "other", containers=asking("1"))
        await placed(world, "low", "other")
        await create(world, "high", containers=asking("3"), priorityClassName="high")
        await world.until(lambda: world.one("pods", "high")["status"].get("nominatedNodeName") == "node1")
        await create(world, "sneaky", containers=asking("1"))
        await placed(world, "high")
        assert node_of(world, "sneaky") is None


async def test_the_most_important_comes_first() -> None:
    """Of pods that wait together, whatever the order in which they came."""
    async with running_world(nodes=0) as world:
        await priorities(world, high=1000, middle=100)
        await create(world, "low", containers=asking("3"))
        await create(world, "middle", containers=asking("3"), priorityClassName="middle")
        await create(world, "high", containers=asking("3"), priorityClassName="high")
        await world.until(lambda: all(said_of(world, name) for name in ("low", "middle", "high")))
        await world.settled()
        await world.add_node("late")
        await placed(world, "high")
        await world.settled()
        assert [node_of(world, name) for name in ("low", "middle", "high")] == [None, None, "late"]
