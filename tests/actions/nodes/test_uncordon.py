"""The node action uncordon: nodes take pods again, and end as they were before the scenario."""

import asyncio

import pytest

from seatrial.engine.unwind import unwind
from seatrial.kube.objects import Node
from seatrial.kube.resources import NODES
from seatrial.runtime.events import FaultCleared, NodeUncordoned
from seatrial.runtime.journal import RunEntry
from seatrial.runtime.verdict import Verdict
from seatrial.steps.node_action import NodeAction
from seatrial.steps.node_action import plan as plan_step
from seatrial.steps.node_action import run as run_step


def step(*actions):
    return NodeAction.model_validate(
        {"matches": [{"property": {"name": "name", "value": ".*"}}], "actions": list(actions)}
    )


@pytest.fixture
async def context(control, on_cluster):
    """Node a as it should be; b was cordoned by somebody."""
    await on_cluster.journal.begin(RunEntry(id="run-1", policy="p", seed="7", server="s"))
    await control.cluster.create(NODES, {"metadata": {"name": "a"}})
    await control.cluster.create(NODES, {"metadata": {"name": "b"}, "spec": {"unschedulable": True}})
    return on_cluster.context


async def cordoned(control):
    nodes = (await control.cluster.list(NODES, type=Node)).items
    return [node.metadata.name for node in nodes if node.spec.unschedulable]


async def test_what_others_cordoned_is_uncordoned_and_cordoned_again_at_the_end(control, context, on_cluster):
    """Only nodes that are cordoned are changed; the end of each cordon is proven."""
    assert (await plan_step(step({"uncordon": {}}), context)).changes == ("uncordon node b, put back at clean-up",)
    assert (await run_step(step({"uncordon": {}}), context)).passed
    assert await cordoned(control) == []
    await unwind(context.journal.newer_than(0), context, hurry=asyncio.Event())
    assert await cordoned(control) == ["b"]
    assert "seatrial.io/run" not in ((await control.cluster.get(NODES, "b", type=Node)).metadata.labels or {})
    events = list(await on_cluster.events())
    told = [(event.node.name, event.already) for event in events if isinstance(event, NodeUncordoned)]
    assert told == [("a", True), ("b", False)]
    assert [event.subject for event in events if isinstance(event, FaultCleared)] == ["cordon of node b"]


async def test_a_cordon_of_the_scenario_ends_before_its_end(control, context):
    """Both changes are undone in reverse, so each node ends as it was before."""
    assert (await run_step(step({"cordon": {}}), context)).passed
    assert await cordoned(control) == ["a", "b"]
    assert (await run_step(step({"uncordon": {}}), context)).passed
    assert await cordoned(control) == []
    await unwind(context.journal.newer_than(0), context, hurry=asyncio.Event())
    assert await cordoned(control) == ["b"]


async def test_where_no_node_is_cordoned_there_is_nothing_to_do(control, context):
    """Inconclusive, unless this scenario has uncordoned them before."""
    assert (await run_step(step({"uncordon": {}}), context)).passed
    assert (await run_step(step({"uncordon": {}}), context)).passed
    await control.cluster.delete(NODES, "b")
    again = context.at(where=context.where, scope=type(context.scope)())
    outcome = await run_step(step({"uncordon": {}}), again)
    assert (outcome.verdict, outcome.reasons) == (Verdict.INCONCLUSIVE, ("no node was cordoned",))


async def test_it_disrupts_nothing_and_is_not_limited(context):
    """A node that takes pods again counts for no guardrail."""
    assert (await plan_step(step({"uncordon": {}}), context)).victims == ()
    assert (await plan_step(step({"uncordon": {}}), context)).refused == ()
