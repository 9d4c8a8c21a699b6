import asyncio
import time
from itertools import pairwise

import pytest
from msgspec.structs import replace

from seatrial.engine.scenario import run_scenario
from seatrial.policy.load import load_policy
from seatrial.policy.problems import InvalidPolicy
from seatrial.runtime.clock import SystemClock
from seatrial.runtime.events import (
    MeasurementTaken,
    OutageSeen,
    ProbeSampled,
    SampleTaken,
    SteadyStateHeld,
    SteadyStateLost,
    SteadyStateRegained,
    SteadyStateSampled,
    StepStarted,
)
from seatrial.runtime.journal import RunEntry
from seatrial.runtime.undo import Undo, UndoKind
from seatrial.runtime.verdict import Verdict
from seatrial.steps.registry import policy_model
from tests.engine.switched_server import SwitchedServer


@pytest.fixture
async def server():
    running = await SwitchedServer().start()
    yield running
    await running.stop()


@pytest.fixture
async def context(recorder):
    """The context of a run in real time."""
    await recorder.journal.begin(RunEntry(id="run-1", policy="p", seed="7", server="s"))
    return replace(recorder.context, clock=SystemClock())


def scenario(server, *, steps=None, **steady):
    spec = {"probes": [server.probe], "interval": 0.02, **steady}
    given = {"name": "the one", "steps": [server.step] if steps is None else steps, "steadyState": spec}
    return policy_model().model_validate({"scenarios": [given]}).scenarios[0]


def begin(scenario, context):
    return asyncio.create_task(run_scenario(scenario, context, hurry=asyncio.Event()))


async def test_it_is_looked_at_before_all_through_and_after(server, recorder, context):
    """The steps run between the first look and the last; all samples held, and that is told."""
    run = begin(scenario(server), context)
    await server.entered.wait()
    await server.more(3)
    server.open()
    assert (await run).passed
    events = list(await recorder.events())
    assert [each.moment for each in events if isinstance(each, SteadyStateHeld)] == ["before", "after"]
    [sampled] = [each for each in events if isinstance(each, SteadyStateSampled)]
    assert (sampled.probe, sampled.failed, sampled.unseen) == ("probes[0] (probeHTTP)", 0, 0)
    assert sampled.samples >= 3
    kinds = [type(each) for each in events]
    assert kinds.index(SteadyStateHeld) < kinds.index(StepStarted) < kinds.index(SteadyStateSampled)
    assert [each.name for each in events if isinstance(each, MeasurementTaken)] == ["steadyStateReturned"]


async def test_where_it_does_not_hold_before_nothing_is_touched(server, recorder, context):
    """The experiment would show nothing: inconclusive, no step, and no wait for a state that never was."""
    server.status = 503
    outcome = await begin(scenario(server), context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    [reason] = outcome.reasons
    assert reason.startswith("the system wasn't steady before the experiment: probes[0] (probeHTTP): GET http://")
    assert "expected 200, got 503" in reason
    assert server.probes == 1
    assert not [each for each in await recorder.events() if isinstance(each, StepStarted)]


async def test_failures_while_the_steps_run_are_counted_and_told(server, recorder, context):
    """Without a tolerance they don't fail the scenario; that it was lost and regained is said once."""
    run = begin(scenario(server), context)
    await server.entered.wait()
    server.status = 500
    await server.more(3)
    server.status = 200
    await server.more(3)
    server.open()
    assert (await run).passed
    events = list(await recorder.events())
    [lost] = [each for each in events if isinstance(each, SteadyStateLost)]
    assert "expected 200, got 500" in lost.reason
    [regained] = [each for each in events if isinstance(each, SteadyStateRegained)]
    [sampled] = [each for each in events if isinstance(each, SteadyStateSampled)]
    assert sampled.failed >= 2
    assert sampled.longest_outage_seconds == regained.seconds >= 0.04


async def test_each_sample_is_told_with_when_it_was_due(server, recorder, context):
    """Whether it passed, and the time from when it was due to its answer; a sample has several tries at most."""
    probe = {"probeHTTP": {**server.probe["probeHTTP"], "retries": 2, "delay": 1}}
    before = time.time()
    run = begin(scenario(server, probes=[server.probe, probe], recoverWithin=0.1), context)
    await server.entered.wait()
    await server.more(6)
    server.status = 500
    await server.more(9)
    server.open()
    await run
    sampled = {each.probe: each for each in await recorder.events() if isinstance(each, SteadyStateSampled)}
    records = [each for each in recorder.records if isinstance(each.event, SampleTaken)]
    taken = [each.event for each in records]
    for number, name in enumerate(["probes[0] (probeHTTP)", "probes[1] (probeHTTP)"]):
        own = [each for each in taken if each.number == number]
        assert {each.probe for each in own} == {name}
        assert len(own) == sampled[name].samples
        assert sum(each.result == "failed" for each in own) == sampled[name].failed >= 1
        dues = [each.due for each in own]
        assert dues == sorted(dues)
        # The clock of the day is read when a sample is told, so that two may be apart by what reading it takes.
        intervals = [later - earlier for earlier, later in pairwise(dues)]
        assert intervals == pytest.approx([0.02] * len(intervals), abs=0.015)
    for record in records:
        if record.event.result == "unseen":  # not taken: on a busy machine twenty may wait for an answer
            continue
        assert record.event.latency_ms is not None
        assert before <= record.event.due
        assert record.event.due + record.event.latency_ms / 1000 <= record.time.timestamp() + 0.01
    looks = [each for each in await recorder.events() if isinstance(each, ProbeSampled) and each.probe]
    assert {each.probe for each in looks} == set(sampled)
    assert all(each.since_due_ms >= each.latency_ms for each in looks)


async def test_outages_are_told_with_their_beginning_and_length(server, recorder, context):
    """Each when it is over; one that is not over at the end is told as open."""
    before = time.time()
    run = begin(scenario(server, recoverWithin=0.1), context)
    await server.entered.wait()
    for status in (500, 200, 500):
        server.status = status
        await server.more(3)
    server.open()
    await run
    over, still_open = [each for each in await recorder.events() if isinstance(each, OutageSeen)]
    [regained] = [each for each in await recorder.events() if isinstance(each, SteadyStateRegained)]
    assert (over.is_open, still_open.is_open) == (False, True)
    assert over.seconds == regained.seconds >= 0.04
    assert before < over.began < over.began + over.seconds < still_open.began + 0.01
    assert {(each.probe, each.number) for each in (over, still_open)} == {("probes[0] (probeHTTP)", 0)}


async def test_what_keeps_samples_from_beginning_is_part_of_their_latency(server, recorder, context):
    """Somebody who came when a sample was due waited for as long as this process stood still."""
    run = begin(scenario(server), context)
    await server.entered.wait()
    await server.more(2)
    time.sleep(0.3)  # noqa: ASYNC251 -- the loop stands still, and with it whatever should begin
    await server.more(2)
    server.open()
    await run
    looks = [each for each in await recorder.events() if isinstance(each, ProbeSampled) and each.probe]
    slowest = max(looks, key=lambda each: each.since_due_ms)
    assert slowest.since_due_ms > 200
    late = [each for each in looks if each.since_due_ms > each.latency_ms + 50]
    assert len(late) >= 5


@pytest.mark.parametrize(
    ("tolerance", "reason"),
    [({"failures": 1}, "samples, at most 1 may"), ({"outage": 0.01}, "at most 0.01 s may pass")],
)
async def test_more_than_is_tolerated_fails_the_scenario(server, context, tolerance, reason):
    """Too many failed samples, or too long a stretch of them."""
    run = begin(scenario(server, tolerance=tolerance), context)
    await server.entered.wait()
    server.status = 500
    await server.more(4)
    server.status = 200
    await server.more(2)
    server.open()
    outcome = await run
    assert outcome.verdict is Verdict.FAILED
    assert reason in outcome.reasons[0]


async def test_what_is_tolerated_passes(server, context):
    """A hundred failures may be, and a minute of them."""
    run = begin(scenario(server, tolerance={"failures": 100, "outage": 60}), context)
    await server.entered.wait()
    server.status = 500
    await server.more(2)
    server.status = 200
    await server.more(2)
    server.open()
    assert (await run).passed


async def test_it_has_to_return_after_clean_up(server, recorder, context, monkeypatch):
    """The fault lasts until clean-up ends it: only then is the steady state asked for, and the time is measured."""
    mended = []

    async def mend(_args, _world):
        mended.append(server.status)
        server.status = 200
        return ""

    monkeypatch.setattr("seatrial.runtime.undo.undo_kinds", lambda: {"mend": UndoKind(kind="mend", run=mend)})
    run = begin(scenario(server), context)
    await server.entered.wait()
    await context.write_undo(Undo(kind="mend", description="mend", manual="mend"))
    server.status = 500
    await server.more(2)
    server.open()
    assert (await run).passed
    assert mended == [500]
    assert [each.moment for each in await recorder.events() if isinstance(each, SteadyStateHeld)] == ["before", "after"]


async def test_where_it_does_not_return_the_scenario_fails(server, recorder, context):
    """What stays broken has not stood the experiment, whatever the steps came to: it takes longer to return."""
    run = begin(scenario(server, recoverWithin=0.1), context)
    await server.entered.wait()
    server.status = 500
    server.open()
    outcome = await run
    assert outcome.verdict is Verdict.FAILED
    assert "the steady state did not return within 0.1 s after clean-up" in outcome.reasons[-1]
    [measured] = [each for each in await recorder.events() if isinstance(each, MeasurementTaken)]
    assert (measured.name, measured.is_lower_bound) == ("steadyStateReturned", True)


async def test_samples_keep_to_their_schedule_while_answers_hang(server, recorder, context):
    """No answer comes for a while: looks begin all the same, as many as users would have come."""
    run = begin(scenario(server), context)
    await server.entered.wait()
    server.status = None
    await server.more(8)
    server.open()
    await run
    [sampled] = [each for each in await recorder.events() if isinstance(each, SteadyStateSampled)]
    assert sampled.samples >= 8


async def test_what_could_not_be_looked_at_hides_no_failures(server, recorder, context):
    """Twenty looks hang and those after them are not taken: whether they would have failed, nobody knows."""
    run = begin(scenario(server, tolerance={"failures": 0}, interval=0.005), context)
    await server.entered.wait()
    server.status = None
    await server.more(20)
    await asyncio.sleep(0.1)
    server.open()
    outcome = await run
    taken = [each for each in await recorder.events() if isinstance(each, SampleTaken)]
    assert {each.latency_ms for each in taken if each.result == "unseen"} == {None}
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "could not be taken: more may have failed than is tolerated" in outcome.reasons[0]


async def test_an_interrupted_scenario_does_not_wait_for_it(server, context):
    """Who asks to stop gets clean-up, not a look at the system."""
    run = begin(scenario(server), context)
    await server.entered.wait()
    server.status = 500
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    seen = server.probes
    await asyncio.sleep(0.1)
    assert server.probes == seen


@pytest.mark.parametrize(
    ("steady", "path"),
    [
        ("{probes: []}", "probes"),
        ("{probes: [{kubectl: {action: apply, payload: x}}]}", "probes[0]"),
        ("{probes: [{wait: {seconds: 1}}]}", "probes[0]"),
        ("{probes: [{probeHTTP: {target: {url: 'http://x'}}}], tolerance: {}}", "tolerance"),
        ("{probes: [{probeHTTP: {target: {url: 'http://x'}}}], interval: 0}", "interval"),
    ],
)
def test_only_what_changes_nothing_is_a_probe(steady, path):
    """Steps that act, and limits that limit nothing, are mistakes of the policy."""
    text = f"scenarios: [{{name: one, steps: [], steadyState: {steady}}}]"
    with pytest.raises(InvalidPolicy) as caught:
        load_policy(text.encode(), model=policy_model())
    assert [problem.path for problem in caught.value.problems] == [f"scenarios[0].steadyState.{path}"]
