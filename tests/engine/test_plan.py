import pytest
from msgspec.structs import replace

from seatrial.engine.plan import make_plan
from seatrial.runtime.randomness import Randomness
from seatrial.steps.registry import policy_model

KILL_TWO = {
    "podAction": {
        "matches": [{"labels": {"selector": "app=web", "namespace": "default"}}],
        "filters": [{"randomSample": {"size": 2}}],
        "actions": [{"kill": {"force": True}}],
    }
}


def policy(*scenarios, **config):
    named = [{"name": f"scenario {number}", "steps": steps} for number, steps in enumerate(scenarios, start=1)]
    return policy_model().model_validate({"config": config, "scenarios": named})


async def test_a_plan_has_every_step_of_the_first_round_and_changes_nothing(control, on_cluster):
    """All scenarios in the order written, each step with its key and what it would hit; all pods live on."""
    await control.create_pods("a", "b", "c", app="web")
    made = await make_plan(policy([KILL_TWO, {"wait": {"seconds": 3}}], []), on_cluster.context, name="p.yml")
    assert (made.policy, made.seed, made.server) == ("p.yml", "7", control.cluster.server)
    assert [scenario.name for scenario in made.scenarios] == ["scenario 1", "scenario 2"]
    [(kill, hit), (wait, pause)] = made.scenarios[0].steps
    assert (kill, wait, pause.summary) == ("podAction", "wait", "pause for 3 s")
    assert len(hit.victims) == 2
    assert await control.pod_names() == ["a", "b", "c"]
    assert on_cluster.context.journal.mark == 0


async def test_the_same_seed_makes_the_same_plan(control, on_cluster):
    """Two plans with one seed name the same pods; another seed names others sooner or later."""
    await control.create_pods(*(f"p{number}" for number in range(8)), app="web")

    async def victims(seed):
        context = replace(on_cluster.context, randomness=Randomness(seed))
        made = await make_plan(policy([KILL_TWO]), context, name="p")
        return {pod.name for pod in made.scenarios[0].steps[0][1].victims}

    assert await victims("7") == await victims("7")
    assert len({frozenset(await victims(str(seed))) for seed in range(6)}) > 1


async def test_the_same_step_at_another_place_makes_its_own_choice(control, on_cluster):
    """A choice belongs to its round, scenario and step: the same step written twice need not hit the same pods."""
    await control.create_pods(*(f"p{number}" for number in range(20)), app="web")
    made = await make_plan(policy([KILL_TWO] * 4), on_cluster.context, name="p")
    assert len({frozenset(pod.name for pod in step.victims) for _, step in made.scenarios[0].steps}) > 1


@pytest.mark.parametrize("seed", ["1", "2", "3", "4"])
async def test_a_random_strategy_plans_the_scenario_that_the_seed_picks(on_cluster, seed):
    """With the strategy `random` a round, and so its plan, has one scenario."""
    scenarios = policy([], [], [], runStrategy={"strategy": "random"})
    context = replace(on_cluster.context, randomness=Randomness(seed))
    [scenario] = (await make_plan(scenarios, context, name="p")).scenarios
    picked = Randomness(seed).stream(1, "scenario").choice(scenarios.scenarios)
    assert scenario.name == picked.name


async def test_a_policy_without_scenarios_has_an_empty_plan(on_cluster):
    """Nothing to do is a plan too."""
    assert (await make_plan(policy(), on_cluster.context, name="p")).scenarios == ()


async def test_a_plan_tells_what_is_watched_beside_the_steps(control, on_cluster):
    """Each observer, each probe of the steady state and each condition with its terms; the same in each wording."""
    probe = {"probeHTTP": {"target": {"url": "http://web/healthz"}}}
    scenario = {
        "name": "watched",
        "steps": [],
        "observe": [{"goldpinger": {"service": {"name": "goldpinger"}, "wholeWithin": 30}}],
        "steadyState": {"probes": [probe], "interval": 0.2, "tolerance": {"failures": 20, "outage": 3}},
        "abortWhen": [{"probe": probe, "seconds": 10}, {"probe": probe, "failures": 3}, {"probe": probe}],
    }
    untold = {"name": "counted", "steps": [], "steadyState": {"probes": [probe]}}
    made = await make_plan(
        policy_model().model_validate({"scenarios": [scenario, untold]}), on_cluster.context, name="p.yml"
    )
    look = "probeHTTP: GET http://web/healthz, expecting 200"
    graph = "goldpinger: the graph of Service default/goldpinger, every 0.5 s"
    assert [(each.key, each.summary) for each in made.scenarios[0].watches] == [
        ("observe", f"{graph}; all calls succeed within 30 s of the end"),
        ("steadyState", f"{look}; every 0.2 s, may fail 20 times at most and for 3 s at most, back within 30 s"),
        ("abortWhen", f"{look}; every 1 s, ends the experiment when it fails for 10 s"),
        ("abortWhen", f"{look}; every 1 s, ends the experiment when it fails 3 times in a row"),
        ("abortWhen", f"{look}; every 1 s, ends the experiment when it fails once"),
    ]
    [counted] = made.scenarios[1].watches
    assert counted.summary == f"{look}; every 1 s, failures are counted, back within 30 s"
