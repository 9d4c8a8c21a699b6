import os
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from seatrial.engine.interrupts import Interrupts
from seatrial.engine.policy_file import PolicyFile
from seatrial.engine.runner import run_policy
from seatrial.errors import ConfigurationError, SeatrialError
from seatrial.policy.load import load_policy
from seatrial.runtime.events import (
    PauseStarted,
    PolicyRejected,
    RoundStarted,
    ScenarioFinished,
    ScenarioStarted,
)
from seatrial.runtime.verdict import RunResult, Verdict
from seatrial.steps.registry import policy_model
from seatrial.testing import FakeClock

PAUSE = 60.0
SETTLING = 0.2
IDLE = 15.0


def policy(*names: str, config: str = "", runs: int = 3) -> str:
    scenarios = "".join(f"- {{name: {name}, steps: [{{wait: {{seconds: 0}}}}]}}\n" for name in names)
    strategy = f"runStrategy: {{runs: {runs}, minSecondsBetweenRuns: {PAUSE}, maxSecondsBetweenRuns: {PAUSE}}}"
    return f"config: {{{strategy}{config}}}\nscenarios:\n{scenarios}" if names else "scenarios: []\n"


class EditingClock(FakeClock):
    """Time flies; in each pause between rounds, the next edit is made."""

    def __init__(self) -> None:
        super().__init__()
        self.edits: list[Callable[[], object]] = []
        self.while_settling: list[Callable[[], object]] = []

    async def sleep(self, seconds: float) -> None:
        if seconds == PAUSE and self.edits:
            self.edits.pop(0)()
        elif seconds == SETTLING and self.while_settling:
            self.while_settling.pop(0)()
        await super().sleep(seconds)


class Edited:
    """A run whose policy file is edited while it lasts."""

    def __init__(self, recorder, path: Path) -> None:
        self.path = path
        self.clock = EditingClock()
        self.recorder = recorder
        self.context = replace(recorder.context, clock=self.clock)
        self.adopted: list[tuple[str, ...]] = []
        self.texts: list[str] = []
        self.refusal: SeatrialError | None = None

    async def run(self, text: str, *edits: str | Callable[[], object]) -> RunResult:
        self.path.write_text(text)
        writing = [(lambda text=each: self.path.write_text(text)) if isinstance(each, str) else each for each in edits]
        self.clock.edits = writing
        content = self.path.read_bytes()

        async def adopt(found, context):
            if self.refusal:
                raise self.refusal
            self.adopted.append(found.changes)
            self.texts.append(found.text)
            return context

        result = await run_policy(
            load_policy(content, model=policy_model()),
            self.context,
            Interrupts(),
            directory=self.path.parent,
            file=PolicyFile(self.path, content, adopt=adopt),
        )
        await self.recorder.stream.caught_up()
        return result

    def told(self, kind) -> list:
        return [each.event for each in self.recorder.records if isinstance(each.event, kind)]

    @property
    def scenarios(self) -> list[str]:
        return [event.name for event in self.told(ScenarioStarted)]


@pytest.fixture
def edited(recorder, tmp_path):
    return Edited(recorder, tmp_path / "policy.yml")


async def test_what_the_file_says_holds_from_the_next_round_on(edited):
    """The scenario that was added runs, the one that was removed doesn't, and the words say so."""
    await edited.run(policy("first", "second"), policy("second", "third"))
    assert edited.scenarios == ["first", "second", *["second", "third"] * 2]
    assert edited.adopted == [("scenario 'third' added", "scenario 'first' removed")]
    assert edited.texts == [policy("second", "third")]


async def test_a_file_that_stays_the_same_is_told_of_by_nobody(edited):
    """Also when it was written anew, or touched."""
    text = policy("first")
    await edited.run(text, text, lambda: os.utime(edited.path))
    assert edited.adopted == []
    assert edited.told(PolicyRejected) == []


async def test_how_often_and_with_which_pauses_rounds_run_can_change(edited):
    """Two rounds are enough after all: the run ends; both values are told."""
    result = await edited.run(policy("first", runs=10), policy("first", runs=2))
    assert result.rounds == 2
    assert edited.adopted == [("config.runStrategy.runs: 2, was 10",)]


async def test_a_run_that_has_had_enough_rounds_ends(edited):
    """Fewer rounds than have run already: no other one begins."""
    result = await edited.run(policy("first", runs=10), policy("first", runs=10), policy("first", runs=1))
    assert result.rounds == 2


async def test_guardrails_and_the_exit_strategy_follow(edited):
    """What is adopted is the whole policy; values that are lists are named."""
    changed = policy("first", config=", exitStrategy: {strategy: fail-fast}, guardrails: {protectNamespaces: [a, b]}")
    await edited.run(policy("first"), changed)
    assert edited.adopted == [
        ("config.exitStrategy.strategy: fail-fast, was report", "config.guardrails.protectNamespaces changed")
    ]


async def test_another_seed_is_for_the_next_run(edited):
    """Random choices of a run come from one seed: what is said in the middle is said to be ignored."""
    await edited.run(policy("first"), policy("first", config=", seed: 99"))
    assert edited.adopted == [("config.seed is ignored until the next run: this one has the seed 7",)]


async def test_a_scenario_that_does_something_else_is_said_to_have_changed(edited):
    """By the keys in which it differs."""
    await edited.run(policy("first"), policy("first").replace("steps", "description: Ah, steps"))
    assert edited.adopted == [("scenario 'first' changed: description",)]


async def test_the_order_of_scenarios_is_a_change(edited):
    """They run in the order in which they are written."""
    await edited.run(policy("first", "second", runs=2), policy("second", "first", runs=2))
    assert edited.adopted == [("the scenarios run in another order",)]
    assert edited.scenarios == ["first", "second", "second", "first"]


async def test_an_invalid_policy_is_reported_once_with_all_its_problems(edited):
    """The last good one holds, for as many rounds as it takes to mend it; then that one is taken."""
    bad = policy("x", "first").replace("wait", "wiat", 1)
    await edited.run(policy("first", runs=4), bad, lambda: None, policy("second", runs=4))
    assert edited.scenarios == ["first", "first", "first", "second"]
    [rejected] = edited.told(PolicyRejected)
    assert rejected.policy == str(edited.path)
    assert [each.partition(": ")[2].partition(" Allowed:")[0] for each in rejected.problems] == [
        "scenarios[0].name: is 1 characters long; needs at least 3",
        "scenarios[0].steps[0]: unknown key 'wiat'; did you mean 'wait'?",
    ]
    assert edited.adopted == [("scenario 'second' added", "scenario 'first' removed")]


async def test_what_is_wrong_again_is_told_again(edited):
    """Taken back, which is told as well, and done once more: who edits wants to know."""
    good, bad = policy("first", runs=5), "scenarios: {}\n"
    await edited.run(good, bad, good, bad)
    assert len(edited.told(PolicyRejected)) == 2
    assert edited.adopted == [("nothing: what could not be used was taken back",)]


async def test_a_comment_changes_nothing_that_is_done(edited):
    """It is taken over all the same: a report shows what stands in the file."""
    await edited.run(policy("first"), policy("first") + "# by Jane\n")
    assert edited.adopted == [("nothing that it does",)]
    assert edited.texts[0].endswith("# by Jane\n")


async def test_a_policy_that_nobody_can_be_told_of_is_rejected(edited):
    """What adopts it may find something missing, such as the secret of a channel: the last good one holds."""
    edited.refusal = ConfigurationError("the variable SLACK_URL is not set")
    await edited.run(policy("first"), policy("second"))
    assert edited.scenarios == ["first"] * 3
    [rejected] = edited.told(PolicyRejected)
    assert rejected.problems == ("the variable SLACK_URL is not set",)


async def test_a_file_that_is_gone_is_reported_once_and_taken_when_it_is_back(edited):
    """As while somebody replaces it by hand."""
    await edited.run(policy("first", runs=4), edited.path.unlink, lambda: None, policy("second", runs=4))
    assert edited.scenarios == ["first", "first", "first", "second"]
    [rejected] = edited.told(PolicyRejected)
    assert rejected.problems == (f"can't read {edited.path}: No such file or directory",)


async def test_a_file_that_is_being_written_is_waited_for(edited):
    """Cut off where it happens to be valid, it is not taken for what somebody wanted."""
    whole = policy("second", "third", runs=2)
    half = whole[: whole.index("- {name: third")]
    edited.clock.while_settling = [lambda: edited.path.write_text(whole)]
    await edited.run(policy("first", runs=2), half)
    assert edited.scenarios == ["first", "second", "third"]
    assert len(edited.adopted) == 1


async def test_a_link_that_is_swapped_as_kubernetes_does_it_is_followed(recorder, tmp_path):
    """A ConfigMap that is mounted is a directory behind a link, which is replaced when its content changes."""
    for version, name in (("v1", "first"), ("v2", "second")):
        (tmp_path / version).mkdir()
        (tmp_path / version / "policy.yml").write_text(policy(name, runs=2))
    (tmp_path / "..data").symlink_to("v1")
    (tmp_path / "policy.yml").symlink_to("..data/policy.yml")

    def swap() -> None:
        (tmp_path / "..new").symlink_to("v2")
        (tmp_path / "..new").replace(tmp_path / "..data")

    edited = Edited(recorder, tmp_path / "policy.yml")
    await edited.run(policy("first", runs=2), swap)
    assert edited.scenarios == ["first", "second"]


async def test_a_policy_without_scenarios_is_waited_with(edited):
    """Who takes all of them out wants nothing broken, and perhaps puts some in again."""
    idled: list[float] = []

    async def sleep(seconds: float, sleep=edited.clock.sleep) -> None:
        await sleep(seconds)
        if seconds == IDLE:
            idled.append(seconds)
        if len(idled) == 3:
            edited.path.write_text(policy("second", runs=2))

    edited.clock.sleep = sleep
    result = await edited.run(policy("first", runs=2), "scenarios: []\n")
    assert edited.scenarios == ["first", "second"]
    assert edited.adopted[0][-2:] == ("scenario 'first' removed", "no scenario is left: waiting until there is one")
    assert idled == [IDLE] * 3
    assert (result.verdict, result.rounds) == (Verdict.PASSED, 2)


async def test_a_schedule_can_come_and_change_while_a_run_lasts(edited):
    """First every pause, then at half past; each change holds from the next round on."""
    scheduled = policy("first").replace(
        f", minSecondsBetweenRuns: {PAUSE}, maxSecondsBetweenRuns: {PAUSE}}}",
        "}, schedule: {cron: '30 * * * *', timezone: UTC}",
    )
    await edited.run(policy("first"), scheduled)
    begun = [each.time for each in edited.recorder.records if isinstance(each.event, RoundStarted)]
    assert len(begun) == 3
    assert [f"{each.until:%H:%M}" for each in edited.told(PauseStarted)] == ["12:01", "12:30", "13:30"]
    assert edited.adopted == [
        (
            "config.runStrategy.minSecondsBetweenRuns: 30, was 60",
            "config.runStrategy.maxSecondsBetweenRuns: 300, was 60",
            "config.schedule changed",
        )
    ]


async def test_a_schedule_whose_holidays_can_not_be_read_is_rejected(edited):
    """As it would have been when the run began."""
    await edited.run(policy("first"), policy("first", config=", schedule: {holidaysFile: none.txt}"))
    [rejected] = edited.told(PolicyRejected)
    assert rejected.problems == (f"can't read the holidays {edited.path.parent}/none.txt: No such file or directory",)


async def test_failures_that_come_of_themselves_can_not_begin_in_the_middle(edited):
    """Ages of what fails begin with the run."""
    strategy = (
        "config: {runStrategy: {strategy: failures, runs: 3, failures: [{mttf: 5y, scenario: first,"
        " pods: [{labels: {selector: a=b, namespace: c}}]}]}}\n"
        "scenarios: [{name: first, steps: [{wait: {seconds: 0}}]}]\n"
    )
    await edited.run(policy("first"), strategy)
    [rejected] = edited.told(PolicyRejected)
    assert "config.runStrategy: can't change from or to the strategy 'failures'" in rejected.problems[0]
    assert [each.verdict for each in edited.told(ScenarioFinished)] == [Verdict.PASSED] * 3
