"""The run strategy `failures`: rounds that come of themselves."""

import asyncio

import pytest
from msgspec.structs import replace

from seatrial.engine.plan import make_plan
from seatrial.kube.resources import CLUSTERROLEBINDINGS, NODES
from seatrial.policy.spans import DAY
from seatrial.runtime.events import (
    FailureAwaited,
    FailuresCounted,
    FailureStruck,
    RoundStarted,
    ScenarioStarted,
)
from seatrial.runtime.verdict import PASSED, Verdict, failed
from seatrial.steps.registry import policy_model
from seatrial.testing import FakeClock

ALL_NODES = {"nodes": [{"property": {"name": "name", "value": ".*"}}], "mttf": "5y", "scenario": "scenario 1"}
A_YEAR_A_MINUTE = 365.25 * 24 * 60


@pytest.fixture
async def fleet(bench, control):
    """The engine on an API server with twelve nodes in three zones; a year takes a minute."""
    for number in range(12):
        await add_node(control, f"node{number:02}", zone=f"zone-{number % 3}")
    bench.context = replace(bench.context, cluster=control.cluster)
    return bench


async def add_node(control, name, *, zone="zone-0", ready="True"):
    labels = {"topology.kubernetes.io/zone": zone}
    await control.cluster.create(NODES, {"metadata": {"name": name, "labels": labels}})
    status = {"conditions": [{"type": "Ready", "status": ready}]}
    await control.server.api.patch("nodes", name, None, {"status": status}, subresource="status")


def policy(bench, *kinds, scenarios=(["a"],), config=None, **strategy):
    """A policy of steps made for the test, whose failures have the matchers of a whole policy."""
    said = {"strategy": "failures", "accelerate": A_YEAR_A_MINUTE, "failures": list(kinds or [ALL_NODES]), **strategy}
    whole = {**(config or {}), "runStrategy": said}
    names = [{"name": f"scenario {number}", "steps": []} for number in range(1, len(scenarios) + 1)]
    read = policy_model().model_validate({"config": whole, "scenarios": names})
    return read.model_copy(update={"scenarios": bench.policy(*scenarios).scenarios})


async def foretold(bench, **strategy):
    """The first failures of such a policy; what its scenario does is left out."""
    return (await make_plan(policy(bench, scenarios=([],), **strategy), bench.context, name="p")).failures


class EventfulClock(FakeClock):
    """A clock in whose n-th sleep something happens."""

    def __init__(self, happenings):
        super().__init__()
        self._happenings = dict(happenings)

    async def sleep(self, seconds):
        await super().sleep(seconds)
        if happening := self._happenings.pop(len(self.slept), None):
            await happening()


async def test_a_round_is_a_failure_and_the_pause_the_time_to_it(fleet):
    """Three failures of twelve machines of five years: at a minute a year, one every 25 seconds or so."""
    result = await fleet.run(policy(fleet, runs=3))
    assert (result.verdict, result.rounds) == (Verdict.PASSED, 3)
    assert [event.number for event in fleet.events(RoundStarted)] == [1, 2, 3]
    assert [event.name for event in fleet.events(ScenarioStarted)] == ["scenario 1"] * 3
    struck = fleet.events(FailureStruck)
    assert [(event.number, event.kind, event.zone) for event in struck] == [(n, "node", "") for n in (1, 2, 3)]
    assert sum(fleet.clock.slept) == pytest.approx(struck[-1].life_seconds / A_YEAR_A_MINUTE)
    assert sum(event.seconds for event in fleet.events(FailureAwaited)) == pytest.approx(sum(fleet.clock.slept))
    assert max(fleet.clock.slept) <= 5  # who is there is looked at now and then


async def test_a_scenario_knows_what_failed(fleet):
    """The step finds the node that the event names."""
    told = []

    async def asks(context):
        told.append(context.failed.nodes)
        return PASSED

    fleet.steps["asks"] = asks
    await fleet.run(policy(fleet, scenarios=(["asks"],), runs=3))
    assert told == [event.units for event in fleet.events(FailureStruck)]


async def test_the_run_is_what_the_plan_foretold(fleet):
    """The same nodes at the same moments; the plan names the first five, and how many are to be expected."""
    made = await foretold(fleet, runs=9)
    await fleet.run(policy(fleet, runs=5))
    struck = fleet.events(FailureStruck)
    assert [each.units for each in made.first] == [event.units for event in struck]
    assert [each.life_seconds for each in made.first] == pytest.approx([each.life_seconds for each in struck])
    [rate] = made.rates
    assert (rate.units, rate.kind, rate.mttf, rate.note) == (12, "node", "5y", "")
    assert rate.per_day == pytest.approx(12 / (5 * 365.25))
    assert rate.mean_seconds_between == pytest.approx(25)


async def test_how_long_scenarios_take_changes_nothing(fleet):
    """No time passes for what fails while one runs: the failures are the same, and so are the waits."""

    async def takes_long(context):
        await context.clock.sleep(100_000)
        return PASSED

    fleet.steps["long"] = takes_long
    first = (await foretold(fleet, runs=4)).first
    await fleet.run(policy(fleet, scenarios=(["long"],), runs=4))
    struck = fleet.events(FailureStruck)
    assert [each.units for each in first] == [event.units for event in struck]
    assert first[-1].life_seconds == pytest.approx(struck[-1].life_seconds)


async def test_a_duration_is_of_the_cluster_s_life(fleet):
    """Ten years of twelve machines of five years: two dozen failures are to be expected; the end isn't waited for."""
    result = await fleet.run(policy(fleet, duration="10y"))
    [counted] = fleet.events(FailuresCounted)
    assert counted.expected == pytest.approx(24)
    assert (counted.seen, counted.life_seconds) == (result.rounds, 10 * 365.25 * DAY)
    assert 10 <= counted.seen <= 40
    assert sum(fleet.clock.slept) < 600


async def test_a_duration_in_which_nothing_failed_shows_nothing(fleet):
    """A minute in the life of twelve machines: inconclusive, and no wait for what comes too late."""
    result = await fleet.run(policy(fleet, duration="1m"))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.reasons == ("nothing failed within 1m of the cluster's life",)
    assert fleet.clock.slept == []


async def test_what_names_nothing_makes_it_inconclusive(fleet):
    """Nothing at all: the run ends at once. One kind of two: the other fails, and the verdict says so."""
    none = {**ALL_NODES, "nodes": [{"labels": {"selector": "no=such"}}]}
    result = await fleet.run(policy(fleet, none, runs=2))
    reason = "nothing that could fail: no node matched (nodes with labels no=such)"
    assert (result.verdict, result.rounds, result.reasons) == (Verdict.INCONCLUSIVE, 0, (reason,))
    assert fleet.events(FailuresCounted) == []


async def test_one_kind_that_names_nothing_does_not_stop_the_others(fleet):
    """They fail as often as they do; the verdict says what was missing."""
    none = {**ALL_NODES, "nodes": [{"labels": {"selector": "no=such"}}]}
    result = await fleet.run(policy(fleet, none, ALL_NODES, runs=2))
    assert (result.verdict, result.rounds) == (Verdict.INCONCLUSIVE, 2)
    assert [event.seen for event in fleet.events(FailuresCounted)] == [0, 2]


async def test_a_node_that_leaves_does_not_fail(fleet, control):
    """It is looked at right before: the next one fails, and what was to be expected counts the node no more."""
    [first, *_] = (await foretold(fleet)).first

    async def leaves():
        await control.server.api.delete("nodes", first.units[0], None)

    fleet.context = replace(fleet.context, clock=EventfulClock({1: leaves}))
    await fleet.run(policy(fleet, runs=1))
    [struck] = fleet.events(FailureStruck)
    assert struck.units != first.units
    assert struck.life_seconds > first.life_seconds
    [counted] = fleet.events(FailuresCounted)
    years = struck.life_seconds / (365.25 * DAY)
    assert 11 * years / 5 < counted.expected < 12 * years / 5


async def test_a_node_that_comes_may_fail(fleet, control):
    """One that joins an empty cluster is the one that fails; until then nothing can, which is said once."""
    for number in range(12):
        await control.server.api.delete("nodes", f"node{number:02}", None)
    await add_node(control, "other", ready="True")
    kinds = [ALL_NODES, {**ALL_NODES, "nodes": [{"property": {"name": "name", "value": "other"}}]}]

    async def leaves():
        await control.server.api.delete("nodes", "other", None)

    async def comes():
        await add_node(control, "newcomer")

    fleet.context = replace(fleet.context, clock=EventfulClock({1: leaves, 4: comes}))
    await fleet.run(policy(fleet, *kinds, runs=1))
    [struck] = fleet.events(FailureStruck)
    assert struck.units == ("newcomer",)
    nothing = [event.note for event in fleet.events(FailureAwaited) if event.seconds is None]
    assert len(nothing) == 1
    assert nothing[0].startswith("no node matched")


async def test_an_api_server_that_refuses_meanwhile_ends_nothing(fleet, control, caplog):
    """An experiment may have taken it along: who was there is taken to be there still."""
    binding = {
        "metadata": {"name": "jane"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane"}],
    }
    await control.cluster.create(CLUSTERROLEBINDINGS, binding)

    async def is_taken_away():
        await control.cluster.delete(CLUSTERROLEBINDINGS, "jane")

    async with await control.connect_as("jane") as jane:
        fleet.context = replace(fleet.context, cluster=jane, clock=EventfulClock({1: is_taken_away}))
        result = await fleet.run(policy(fleet, runs=2))
    assert (result.verdict, result.rounds) == (Verdict.PASSED, 2)
    assert caplog.text.count('who may fail could not be looked at: nodes is forbidden: User "jane"') == 1


async def test_whole_zones_fail_where_failures_are_correlated(fleet):
    """With a share of 1 nothing else does: four nodes at once, and the event names the zone."""
    told = []

    async def asks(context):
        told.append(len(context.failed.nodes))
        return PASSED

    fleet.steps["asks"] = asks
    kind = {**ALL_NODES, "correlation": {"by": "zone", "share": 1}}
    await fleet.run(policy(fleet, kind, scenarios=(["asks"],), runs=3))
    assert told == [4, 4, 4]
    assert {event.zone for event in fleet.events(FailureStruck)} <= {"zone-0", "zone-1", "zone-2"}
    [counted] = fleet.events(FailuresCounted)
    assert counted.seen == 3


async def test_a_stop_request_ends_the_wait(fleet):
    """Ctrl-C while nothing fails: the run ends at once, and what came until then is counted."""

    async def stops():
        fleet.interrupts.request("SIGINT")

    fleet.context = replace(fleet.context, clock=EventfulClock({2: stops}))
    slow = policy(fleet, accelerate=1)
    result = await fleet.run(slow)
    assert result.exit_code == 130
    assert result.reasons == ("stopped by SIGINT before the first round",)
    assert [event.seen for event in fleet.events(FailuresCounted)] == [0]


async def test_what_was_waited_until_then_counts(fleet):
    """A wait that is broken off after two of five seconds has been two minutes in the life of the cluster."""

    class BrokenOff(FakeClock):
        async def sleep(self, seconds):
            await super().sleep(2)
            fleet.interrupts.request("SIGINT")
            await asyncio.Event().wait()

    fleet.context = replace(fleet.context, clock=BrokenOff())
    await fleet.run(policy(fleet, accelerate=60))
    [counted] = fleet.events(FailuresCounted)
    assert counted.life_seconds == pytest.approx(120)


async def test_fail_fast_ends_it_at_the_first_scenario_that_fails(fleet):
    """As in the other strategies."""

    async def fails(context):
        return failed("it broke")

    fleet.steps["fails"] = fails
    config = {"exitStrategy": {"strategy": "fail-fast"}}
    result = await fleet.run(policy(fleet, scenarios=(["fails"],), config=config, runs=5))
    assert (result.verdict, result.rounds) == (Verdict.FAILED, 1)


async def test_each_kind_has_its_scenario(fleet):
    """The failures of a kind are the scenario that it names, not the others of the file."""
    slow = {**ALL_NODES, "mttf": "500y", "scenario": "scenario 2"}
    await fleet.run(policy(fleet, ALL_NODES, slow, scenarios=(["a"], ["b"], ["c"]), runs=40))
    names = [event.name for event in fleet.events(ScenarioStarted)]
    assert names == [event.scenario for event in fleet.events(FailureStruck)]
    assert set(names) <= {"scenario 1", "scenario 2"}
    assert names.count("scenario 1") > 30


async def test_the_plan_says_what_the_first_failure_would_hit(control, on_cluster):
    """Each scenario is planned with the first failure of its own; nothing is changed."""
    for number in range(4):
        await add_node(control, f"node{number}")
    document = {
        "config": {"runStrategy": {"strategy": "failures", "failures": [{**ALL_NODES, "scenario": "lose it"}]}},
        "scenarios": [
            {
                "name": "lose it",
                "steps": [{"nodeAction": {"matches": [{"failed": True}], "actions": [{"cordon": {}}]}}],
            },
            {"name": "never", "steps": []},
        ],
    }
    made = await make_plan(policy_model().model_validate(document), on_cluster.context, name="p")
    [scenario] = made.scenarios
    [(_, step)] = scenario.steps
    assert (scenario.name, step.nodes) == ("lose it", made.failures.first[0].units)
    assert on_cluster.context.journal.mark == 0


async def test_a_plan_of_nothing_says_so(control, on_cluster):
    """With the reason, and no scenario."""
    document = {
        "config": {"runStrategy": {"strategy": "failures", "failures": [{**ALL_NODES, "scenario": "lose it"}]}},
        "scenarios": [{"name": "lose it", "steps": []}],
    }
    made = await make_plan(policy_model().model_validate(document), on_cluster.context, name="p")
    [rate] = made.failures.rates
    assert (rate.units, rate.mean_seconds_between, rate.note) == (
        0,
        None,
        "no node matched (nodes whose name matches .*)",
    )
    assert (made.scenarios, made.failures.first) == ((), ())
