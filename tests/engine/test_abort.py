import asyncio
import shutil

import pytest
from msgspec.structs import replace

from seatrial.engine.scenario import run_scenario
from seatrial.policy.load import load_policy
from seatrial.policy.problems import InvalidPolicy
from seatrial.runtime.clock import SystemClock
from seatrial.runtime.events import ExperimentAborted, StepFinished, StepStarted, UndoDone
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
async def context(recorder, monkeypatch):
    """The context of a run in real time, with an undo that does nothing."""

    async def nothing(_args, _world):
        return ""

    monkeypatch.setattr("seatrial.runtime.undo.undo_kinds", lambda: {"nothing": UndoKind(kind="nothing", run=nothing)})
    await recorder.journal.begin(RunEntry(id="run-1", policy="p", seed="7", server="s"))
    return replace(recorder.context, clock=SystemClock())


def begin(server, context, *, steps=None, probe=None, **condition):
    when = {"probe": probe or server.probe, "interval": 0.02, **condition}
    given = {"name": "the one", "steps": [server.step] if steps is None else steps, "abortWhen": [when]}
    scenario = policy_model().model_validate({"scenarios": [given]}).scenarios[0]
    return asyncio.create_task(run_scenario(scenario, context, hurry=asyncio.Event()))


async def test_an_experiment_that_does_harm_ends_at_once_and_is_cleaned_up_after(server, recorder, context):
    """The step is still running when the probe fails: it is stopped, what it did is undone, the reason is told."""
    run = begin(server, context)
    await server.entered.wait()
    await context.write_undo(Undo(kind="nothing", description="mend", manual="mend"))
    server.status = 500
    outcome = await asyncio.wait_for(run, 30)
    assert outcome.verdict is Verdict.FAILED
    [reason] = outcome.reasons
    assert reason.startswith("aborted by abortWhen[0] (probeHTTP): GET http://")
    assert reason.endswith("expected 200, got 500 (once)")
    kinds = [type(each) for each in await recorder.events()]
    assert kinds.index(StepStarted) < kinds.index(ExperimentAborted) < kinds.index(UndoDone)
    assert StepFinished not in kinds


async def test_an_experiment_that_does_none_runs_to_its_end(server, recorder, context):
    """The condition was looked at, was never met, and says nothing."""
    run = begin(server, context)
    await server.entered.wait()
    await server.more(3)
    server.open()
    assert (await run).passed
    assert not [each for each in await recorder.events() if isinstance(each, ExperimentAborted)]


async def test_failures_have_to_follow_each_other(server, context):
    """Three in a row are asked for: two with a success after them are none."""
    run = begin(server, context, failures=3, interval=0.2)
    await server.entered.wait()
    server.status = 500
    await server.more(1)
    server.status = 200
    await server.more(2)
    assert not run.done()
    server.status = 500
    outcome = await asyncio.wait_for(run, 30)
    assert "(3 times in a row, for 0.4 s)" in outcome.reasons[0]


async def test_failures_may_be_counted_in_seconds(server, context):
    """From the first failed sample to the one that fails so many seconds later."""
    run = begin(server, context, seconds=0.1)
    await server.entered.wait()
    server.status = 500
    outcome = await asyncio.wait_for(run, 30)
    assert outcome.verdict is Verdict.FAILED
    assert "times in a row, for 0.1 s)" in outcome.reasons[0]


async def test_a_condition_that_is_met_from_the_start_stops_the_first_step(server, recorder, context):
    """Nothing was touched: inconclusive, not failed."""
    server.status = 500
    outcome = await begin(server, context)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "is met before the experiment, so nothing was touched" in outcome.reasons[0]
    assert not [each for each in await recorder.events() if isinstance(each, StepStarted)]


async def test_a_probe_that_sees_nothing_stops_the_experiment_too(server, context, tmp_path):
    """Going on blindly would be worse; but the system under test has not failed."""
    program = tmp_path / "true"
    program.symlink_to(shutil.which("true"))  # a script that goes while its shell opens it has run, and failed
    run = begin(server, context, probe={"probeCommand": {"command": [str(program)], "retries": 1}})
    await server.entered.wait()
    program.unlink()
    outcome = await asyncio.wait_for(run, 30)
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "aborted since abortWhen[0] (probeCommand) could see nothing" in outcome.reasons[0]


async def test_ctrl_c_stops_the_steps_of_a_watched_experiment(server, recorder, context):
    """Cancellation reaches the step, and clean-up runs after it has ended."""
    run = begin(server, context)
    await server.entered.wait()
    await context.write_undo(Undo(kind="nothing", description="mend", manual="mend"))
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert [each.description for each in await recorder.events() if isinstance(each, UndoDone)] == ["mend"]


def test_one_limit_is_enough():
    """So many failures, or so many seconds; not both."""
    probe = "{probeHTTP: {target: {url: 'http://x'}}}"
    text = f"scenarios: [{{name: one, steps: [], abortWhen: [{{probe: {probe}, failures: 1, seconds: 1}}]}}]"
    with pytest.raises(InvalidPolicy) as caught:
        load_policy(text.encode(), model=policy_model())
    assert "both failures and seconds" in caught.value.problems[0].message
