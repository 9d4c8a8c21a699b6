import asyncio

from msgspec.structs import replace

from seatrial.engine.scenario import run_scenario
from seatrial.runtime.clock import SystemClock
from seatrial.runtime.context import Settings
from seatrial.runtime.events import FaultProven, PodKilled, RecoveryMissed, StepStarted
from seatrial.runtime.verdict import Verdict
from seatrial.steps.registry import policy_model

KILL = {
    "podAction": {
        "matches": [{"labels": {"selector": "app=web", "namespace": "default"}}],
        "actions": [{"kill": {"force": True}}],
    }
}


def scenario(**given):
    return policy_model().model_validate({"scenarios": [{"name": "the one", **given}]}).scenarios[0]


async def test_a_scenario_without_steps_is_inconclusive(on_cluster):
    """What did nothing showed nothing."""
    outcome = await run_scenario(scenario(steps=[]), on_cluster.context, hurry=asyncio.Event())
    assert (outcome.verdict, outcome.reasons) == (
        Verdict.INCONCLUSIVE,
        ("the scenario 'the one' has no steps",),
    )


async def test_nothing_is_killed_while_nobody_watches(control, on_cluster):
    """An observer that can't begin (its Service isn't there) ends the scenario before its first step."""
    await control.create_pods("a", app="web")
    watched = scenario(steps=[KILL], observe=[{"goldpinger": {"service": {"name": "nowhere"}}}])
    outcome = await run_scenario(watched, on_cluster.context, hurry=asyncio.Event())
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert outcome.reasons[0].startswith("observer goldpinger: ")
    assert "nowhere" in outcome.reasons[0]
    assert await control.pod_names() == ["a"]
    assert [event for event in await on_cluster.events() if isinstance(event, StepStarted | PodKilled)] == []


async def test_a_stopped_scenario_tells_how_long_it_has_waited(control, on_cluster):
    """A recovery that nobody waits for any more took longer than that; it is told once, and not left out."""
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "r"}
    await control.create_pods("a", owner=owner, app="web")
    context = replace(on_cluster.context, clock=SystemClock())
    loop, gone = asyncio.get_running_loop(), asyncio.Event()

    def hear(record):
        if isinstance(record.event, FaultProven):
            loop.call_soon_threadsafe(gone.set)

    on_cluster.stream.subscribe(hear)
    running = asyncio.create_task(run_scenario(scenario(steps=[KILL]), context, hurry=asyncio.Event()))
    async with asyncio.timeout(30):
        await gone.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    [missed] = [event for event in await on_cluster.events() if isinstance(event, RecoveryMissed)]
    assert missed.reason == "no replacement was created when the scenario was stopped"
    assert 0 <= missed.gone_ms <= missed.waited_ms


async def test_a_measurement_that_does_not_come_ends_with_its_scenario(control, on_cluster):
    """A killed pod that nobody replaces makes it inconclusive, and nothing goes on watching for it."""
    await control.create_pods(
        "a", owner={"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "r"}, app="web"
    )
    settings = Settings(recovery_timeout_seconds=0.01)
    context = replace(on_cluster.context, settings=settings)
    outcome = await run_scenario(scenario(steps=[KILL]), context, hurry=asyncio.Event())
    assert outcome.reasons == ("default/a was killed: no replacement was created within 0.01 s",)
    assert "recovery of killed pods" not in {task.get_name() for task in asyncio.all_tasks()}
