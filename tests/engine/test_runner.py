import asyncio

import pytest
from msgspec.structs import replace

from seatrial.errors import ClusterError
from seatrial.runtime.context import Settings
from seatrial.runtime.events import (
    PauseStarted,
    RoundStarted,
    RunFinished,
    ScenarioFinished,
    ScenarioStarted,
    StepFinished,
    StopRequested,
    UndoDone,
    UndoFailed,
)
from seatrial.runtime.scope import ScenarioScope
from seatrial.runtime.verdict import PASSED, Verdict, failed, nothing_to_do


async def fails(context):
    return failed("it broke")


async def test_all_scenarios_run_in_order_each_round(bench):
    """Round-robin: three rounds of two scenarios are six scenarios in the order written."""
    result = await bench.run(bench.policy(["a"], ["b"], config={"runStrategy": {"runs": 3}}))
    assert [event.name for event in bench.events(ScenarioStarted)] == ["scenario 1", "scenario 2"] * 3
    assert [event.number for event in bench.events(RoundStarted)] == [1, 2, 3]
    assert (result.verdict, result.rounds, result.exit_code) == (Verdict.PASSED, 3, 0)


async def test_the_hint_of_an_error_is_part_of_the_reason(bench):
    """What a person can do, such as the command that cleans up a leftover, is not lost on the way to the verdict."""

    async def stumbles(context):
        raise ClusterError("run abc left it behind", hint="seatrial recover --run abc")

    bench.steps["stumbles"] = stumbles
    result = await bench.run(bench.policy(["stumbles"]))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.reasons == ("run abc left it behind (seatrial recover --run abc)",)


async def test_random_picks_one_scenario_a_round_by_the_seed(bench):
    """Random: one scenario a round, all of them sooner or later, the same ones with the same seed."""
    config = {"runStrategy": {"runs": 30, "strategy": "random"}}
    await bench.run(bench.policy(["a"], ["b"], ["c"], config=config))
    names = [event.name for event in bench.events(ScenarioStarted)]
    assert len(names) == 30
    assert set(names) == {"scenario 1", "scenario 2", "scenario 3"}
    streams = (bench.context.randomness.stream(number, "scenario") for number in range(1, 31))
    assert names == [f"scenario {stream.choice((1, 2, 3))}" for stream in streams]


async def test_pauses_lie_between_rounds_only_and_within_their_bounds(bench):
    """Five rounds have four pauses, each between min and max, not all alike, and none after the last round."""
    strategy = {"runs": 5, "minSecondsBetweenRuns": 10, "maxSecondsBetweenRuns": 20}
    await bench.run(bench.policy(["a"], config={"runStrategy": strategy}))
    pauses = [event.seconds for event in bench.events(PauseStarted)]
    assert len(pauses) == 4
    assert all(10 <= pause <= 20 for pause in pauses)
    assert len(set(pauses)) > 1
    assert bench.clock.slept == pauses


async def test_a_failed_scenario_is_reported_and_the_run_goes_on(bench):
    """Exit strategy report: the next scenario runs, and the exit code tells that something failed."""
    bench.steps["fail"] = fails
    result = await bench.run(bench.policy(["fail", "never"], ["b"]))
    assert [event.verdict for event in bench.events(ScenarioFinished)] == [Verdict.FAILED, Verdict.PASSED]
    assert (result.exit_code, result.reasons) == (1, ("it broke",))


async def test_fail_fast_ends_the_run_at_the_first_failure(bench):
    """Exit strategy fail-fast: no scenario follows the one that failed."""
    bench.steps["fail"] = fails
    config = {"exitStrategy": {"strategy": "fail-fast"}, "runStrategy": {"runs": 5}}
    result = await bench.run(bench.policy(["a"], ["fail"], ["b"], config=config))
    assert [event.name for event in bench.events(ScenarioStarted)] == ["scenario 1", "scenario 2"]
    assert (result.exit_code, result.rounds) == (1, 1)


async def test_the_first_failing_step_ends_its_scenario(bench):
    """Steps after a failure don't run."""
    bench.steps["fail"] = fails
    await bench.run(bench.policy(["a", "fail", "never"]))
    assert [event.verdict for event in bench.events(StepFinished)] == [Verdict.PASSED, Verdict.FAILED]


async def test_a_step_with_nothing_to_do_makes_it_inconclusive_and_goes_on(bench):
    """An empty match is never a pass, and the steps after it still run; exit code 3."""

    async def empty(context):
        return nothing_to_do("no pod matched")

    bench.steps["empty"] = empty
    result = await bench.run(bench.policy(["empty", "b"]))
    assert len(bench.events(StepFinished)) == 2
    assert (result.verdict, result.exit_code, result.reasons) == (Verdict.INCONCLUSIVE, 3, ("no pod matched",))


async def test_a_refusal_of_the_api_server_is_inconclusive(bench):
    """An error of the cluster in a step is no failure of the system under test."""

    async def refused(context):
        raise ClusterError("pods is forbidden")

    bench.steps["refused"] = refused
    result = await bench.run(bench.policy(["refused", "never"]))
    assert (result.exit_code, result.reasons) == (3, ("pods is forbidden",))
    assert len(bench.events(StepFinished)) == 1


async def test_no_scenarios_show_nothing(bench):
    """An empty policy ends at once, inconclusive."""
    result = await bench.run(bench.policy())
    assert (result.exit_code, result.reasons) == (3, ("the policy has no scenarios",))


async def test_undo_runs_last_in_first_out_when_the_scenario_ends(bench):
    """Each scenario's changes are undone before the next one begins, the last change first."""

    def changes(*names):
        async def step(context):
            for name in names:
                await context.journal.write(bench.undo(name))
            return PASSED

        return step

    bench.steps.update(one=changes("a", "b"), two=changes("c"), three=changes("d"))
    result = await bench.run(bench.policy(["one", "two"], ["three"]))
    assert bench.undone == ["c", "b", "a", "d"]
    assert result.exit_code == 0
    assert len(bench.events(UndoDone)) == 4


async def test_undo_runs_after_a_defect_in_a_step(bench, caplog):
    """An exception in a step is logged, makes the scenario inconclusive, and what was done is undone."""

    async def breaks(context):
        await context.journal.write(bench.undo("a"))
        raise ZeroDivisionError

    bench.steps["breaks"] = breaks
    result = await bench.run(bench.policy(["breaks"]))
    assert bench.undone == ["a"]
    assert result.exit_code == 3
    assert "ZeroDivisionError" in caplog.text


async def test_every_undo_is_tried_and_one_that_fails_changes_the_exit_code(bench):
    """A failed undo doesn't keep the others from running; exit code 4, the run ends, a person is told what to do."""

    async def step(context):
        for name in "abc":
            await context.journal.write(bench.undo(name))
        return PASSED

    bench.steps["step"] = step
    bench.undo_errors["b"] = ClusterError("the API server is gone")
    result = await bench.run(bench.policy(["step"], ["never"]))
    assert bench.undone == ["c", "a"]
    assert result.exit_code == 4
    [event] = bench.events(UndoFailed)
    assert (event.error, event.manual) == ("the API server is gone", "forget b by hand")
    assert len(bench.events(ScenarioStarted)) == 1


async def test_what_the_preparation_did_is_undone_after_the_last_round(bench):
    """Preparations last for the whole run."""
    order = []

    async def step(context):
        order.append(list(bench.undone))
        return PASSED

    async def prepare(context):
        await context.journal.write(bench.undo("prepared"))

    bench.steps["step"] = step
    await bench.run(bench.policy(["step"], ["step"]), prepare=prepare)
    assert order == [[], []]
    assert bench.undone == ["prepared"]


async def test_a_preparation_that_fails_is_undone_and_said(bench):
    """A run that can't begin is inconclusive, names the reason and leaves nothing behind."""

    async def prepare(context):
        await context.journal.write(bench.undo("half"))
        raise ClusterError("not ready in time", hint="wait longer")

    result = await bench.run(bench.policy(["a"]), prepare=prepare)
    assert bench.undone == ["half"]
    assert (result.exit_code, result.reasons) == (3, ("not ready in time (wait longer)",))
    assert bench.events(ScenarioStarted) == []


async def test_a_stop_request_cancels_the_step_and_cleans_up(bench):
    """A signal in the middle of a step: the step ends, its change is undone, exit code 130."""

    async def waits(context):
        await context.journal.write(bench.undo("a"))
        asyncio.get_running_loop().call_soon(bench.interrupts.request, "SIGINT")
        await asyncio.Event().wait()

    bench.steps["waits"] = waits
    result = await bench.run(bench.policy(["waits", "never"], ["never"]))
    assert bench.undone == ["a"]
    assert result.exit_code == 130
    assert [event.verdict for event in bench.events(ScenarioFinished)] == [Verdict.INCONCLUSIVE]
    assert [(event.reason, event.hurry) for event in bench.events(StopRequested)] == [("SIGINT", False)]
    assert bench.events(RunFinished)[0].exit_code == 130


async def test_a_failed_undo_after_a_stop_request_is_not_lost(bench):
    """Interrupted, and the clean-up failed: 4, not 130."""

    async def waits(context):
        await context.journal.write(bench.undo("a"))
        bench.interrupts.request("SIGTERM")
        await asyncio.Event().wait()

    bench.steps["waits"] = waits
    bench.undo_errors["a"] = ClusterError("gone")
    assert (await bench.run(bench.policy(["waits"]))).exit_code == 4


async def test_a_second_request_hurries_the_clean_up_and_skips_nothing(bench, monkeypatch):
    """Asked again, an undo that hangs is given up after a short time, and the other undos still run."""
    monkeypatch.setattr("seatrial.engine.unwind.HURRIED_DEADLINE_SECONDS", 0.01)

    async def step(context):
        for name in "ab":
            await context.journal.write(bench.undo(name))
        bench.interrupts.request("SIGINT")
        await asyncio.Event().wait()

    async def hanging(args, world):
        if args["name"] == "b":
            bench.interrupts.request("SIGINT")
            await asyncio.Event().wait()
        bench.undone.append(args["name"])
        return ""

    from seatrial.runtime.undo import UndoKind

    monkeypatch.setattr("seatrial.runtime.undo.undo_kinds", lambda: {"forget": UndoKind(kind="forget", run=hanging)})
    bench.steps["step"] = step
    result = await bench.run(bench.policy(["step"]))
    assert bench.undone == ["a"]
    assert result.undo_failures == ("forget b: took too long",)
    assert [event.hurry for event in bench.events(StopRequested)] == [False, True]


async def test_a_full_disk_stops_changes_and_not_the_clean_up(bench):
    """When the journal can't be written the change isn't made, and what was done before is undone."""
    changed = []

    async def first(context):
        await context.journal.write(bench.undo("a"))
        changed.append("a")
        context.journal.journal._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        context.journal.journal._connection.execute("PRAGMA max_page_count = 1")
        return PASSED

    async def second(context):
        await context.journal.write(bench.undo("b" * 100_000))
        changed.append("b")

    bench.steps.update(first=first, second=second)
    result = await bench.run(bench.policy(["first", "second"]))
    assert changed == ["a"]
    assert bench.undone == ["a"]
    assert any("disk is full" in reason for reason in result.reasons)


async def test_the_verdict_waits_for_measurements_bounded(bench):
    """A measurement that doesn't come within the recovery time-out makes the scenario inconclusive."""

    async def step(context):
        assert isinstance(context.scope, ScenarioScope)
        context.scope.promise(
            asyncio.Event().wait(), name="never", give_up=lambda: nothing_to_do("not seen within the time")
        )
        return PASSED

    bench.steps["step"] = step
    bench.context = replace(bench.context, settings=Settings(recovery_timeout_seconds=0.01))
    result = await bench.run(bench.policy(["step"]))
    assert (result.exit_code, result.reasons) == (3, ("not seen within the time",))


@pytest.mark.parametrize("rounds", [1000])
async def test_memory_does_not_grow_with_rounds(bench, rounds):
    """A thousand rounds leave no tasks and no open undos behind."""
    strategy = {"runs": rounds, "minSecondsBetweenRuns": 0, "maxSecondsBetweenRuns": 0}
    result = await bench.run(bench.policy(["a"], config={"runStrategy": strategy}))
    assert result.rounds == rounds
    assert bench.context.journal.mark == 0
    assert len(asyncio.all_tasks()) == 1


class Decided:
    """Judges that all is decided after so many scenarios."""

    def __init__(self, after, outcome=PASSED):
        self.left = after
        self.added = outcome

    async def after(self, scenario, context):
        self.left -= 1

    def is_decided(self, scenarios):
        return self.left <= 0

    def outcome(self, scenarios):
        return self.added


async def test_the_rounds_end_when_every_objective_is_decided(bench):
    """Not in the middle of a round: each scenario of it still runs."""
    bench.context = replace(bench.context, judge=Decided(3))
    result = await bench.run(bench.policy(["a"], ["b"], config={"runStrategy": {"runs": 9}}))
    assert (result.rounds, len(bench.events(ScenarioFinished))) == (2, 4)


async def test_objectives_join_the_verdict_and_change_nothing_else(bench):
    """A violated one fails the run; all of its rounds take place, and fail-fast is about scenarios."""
    config = {"runStrategy": {"runs": 2}, "exitStrategy": {"strategy": "fail-fast"}}
    bench.context = replace(bench.context, judge=Decided(99, failed("too slow")))
    result = await bench.run(bench.policy(["a"], config=config))
    assert (result.verdict, result.exit_code, result.rounds, result.reasons) == (Verdict.FAILED, 1, 2, ("too slow",))
