from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from seatrial.engine.interrupts import Interrupts
from seatrial.engine.runner import run_policy
from seatrial.engine.schedule_wait import ScheduleWait
from seatrial.engine.timetable import Timetable
from seatrial.policy.load import load_policy
from seatrial.policy.schedule import Schedule
from seatrial.runtime.events import PauseStarted, RoundStarted, ScheduleMissed
from seatrial.steps.registry import policy_model
from tests.e2e.conftest import EXAMPLES

HOUR = 3600.0


async def nothing_changed() -> bool:
    return False


class Waiting:
    """A wait whose time flies; it begins at noon."""

    def __init__(self, recorder, tmp_path, **said) -> None:
        self.recorder = recorder
        self.clock = recorder.clock
        schedule = Schedule.model_validate({"timezone": "UTC", **said})
        self.wait = ScheduleWait(Timetable(schedule, directory=tmp_path), recorder.context)

    async def until_due(self) -> str:
        assert await self.wait.until_due(nothing_changed) == "now"
        return f"{self.clock.now():%d. %H:%M}"

    async def told(self, kind) -> list:
        await self.recorder.stream.caught_up()
        return [each.event for each in self.recorder.records if isinstance(each.event, kind)]


@pytest.fixture
def waiting(recorder, tmp_path):
    def make(**said) -> Waiting:
        return Waiting(recorder, tmp_path, **said)

    return make


async def test_rounds_begin_at_the_times_of_the_schedule(waiting):
    """One after the other, in slices of the monotonic clock that are short enough to notice what the wall says."""
    made = waiting(cron="30 * * * *")
    assert [await made.until_due() for _ in range(3)] == ["01. 12:30", "01. 13:30", "01. 14:30"]
    assert max(made.clock.slept) <= 15
    assert await made.told(ScheduleMissed) == []


async def test_the_end_of_a_wait_is_told_when_it_begins(waiting):
    """Once a wait, for whoever shows when the next round begins."""
    made = waiting(cron="30 * * * *")
    await made.until_due()
    [pause] = await made.told(PauseStarted)
    assert (pause.seconds, pause.until) == (1800, datetime(2030, 1, 1, 12, 30, tzinfo=UTC))


async def test_a_round_that_takes_too_long_lets_times_pass_which_is_said(waiting):
    """From 12:30 until 15:10: the times of 13:30 and 14:30 are missed, and the next one is kept."""
    made = waiting(cron="30 * * * *")
    await made.until_due()
    await made.clock.sleep(2 * HOUR + 40 * 60)
    assert await made.until_due() == "01. 15:30"
    [missed] = await made.told(ScheduleMissed)
    assert (missed.first, missed.times) == (datetime(2030, 1, 1, 13, 30, tzinfo=UTC), 2)
    assert (missed.reason, missed.is_made_up) == ("the round before took 2.67 hours", False)


async def test_one_round_makes_up_for_all_that_was_missed(waiting):
    """With `missed: run` it begins at once, and the time after that is kept."""
    made = waiting(cron="30 * * * *", missed="run")
    await made.until_due()
    await made.clock.sleep(2 * HOUR + 40 * 60)
    assert [await made.until_due() for _ in range(2)] == ["01. 15:10", "01. 15:30"]
    [missed] = await made.told(ScheduleMissed)
    assert (missed.times, missed.is_made_up) == (2, True)


async def test_nothing_is_made_up_for_outside_of_the_windows(waiting):
    """Rounds that were meant for the day don't begin in the evening."""
    made = waiting(cron="30 * * * *", missed="run", windows=[{"startTime": {"hour": 9}, "endTime": {"hour": 15}}])
    await made.until_due()
    await made.clock.sleep(5 * HOUR)
    assert await made.until_due() == "02. 09:30"
    [missed] = await made.told(ScheduleMissed)
    assert (missed.times, missed.is_made_up) == (2, False)


async def test_a_round_that_begins_within_a_minute_is_in_time(waiting):
    """Every minute, and a round took 90 seconds: one time was missed, the one of half a minute ago is kept."""
    made = waiting(cron="* * * * *")
    await made.until_due()
    await made.clock.sleep(150)
    assert await made.until_due() == "01. 12:03"
    [missed] = await made.told(ScheduleMissed)
    assert (missed.first.minute, missed.times) == (2, 1)


async def test_a_machine_that_sleeps_misses_its_times_and_says_so(waiting):
    """The monotonic clock stands still for three hours: it is noticed in the next slice, not three hours late."""
    made = waiting(cron="0 * * * *")
    made.clock.jump(3 * HOUR, after=600)
    assert await made.until_due() == "01. 16:00"
    [missed] = await made.told(ScheduleMissed)
    assert (missed.first.hour, missed.times) == (13, 3)
    assert missed.reason == "the machine slept for 3 hours, or its clock was put forward"
    assert sum(made.clock.slept) == pytest.approx(HOUR)


async def test_a_machine_that_slept_while_a_round_ran_says_so(waiting):
    """The round took a minute by the monotonic clock: it isn't to blame."""
    made = waiting(cron="0 * * * *")
    await made.until_due()
    made.clock.jump(2 * HOUR)
    await made.clock.sleep(120)
    await made.until_due()
    [missed] = await made.told(ScheduleMissed)
    assert missed.reason.startswith("the machine slept for 2 hours")


async def test_a_clock_that_is_put_forward_by_less_than_the_wait_shortens_it(waiting):
    """The wait ends by the clock on the wall, and nothing was missed."""
    made = waiting(cron="0 * * * *")
    made.clock.jump(1800, after=60)
    assert await made.until_due() == "01. 13:00"
    assert sum(made.clock.slept) == pytest.approx(1800)
    assert await made.told(ScheduleMissed) == []


async def test_times_that_were_kept_do_not_come_again_when_the_clock_is_put_back(waiting):
    """Two hours back after the round of 14:00: the next one is that of 15:00, by the clock on the wall."""
    made = waiting(cron="0 * * * *")
    assert [await made.until_due() for _ in range(2)] == ["01. 13:00", "01. 14:00"]
    made.clock.jump(-2 * HOUR, after=60)
    assert await made.until_due() == "01. 15:00"
    assert sum(made.clock.slept) == pytest.approx(5 * HOUR)


async def test_a_clock_that_was_years_ahead_does_not_stop_rounds_for_years(waiting):
    """Set right by more than three hours, it had been wrong: the next full hour counts."""
    made = waiting(cron="0 * * * *")
    await made.until_due()
    made.clock.jump(-5 * 365 * 24 * HOUR, after=60)
    before = sum(made.clock.slept)
    await made.until_due()
    assert sum(made.clock.slept) - before <= HOUR


async def test_in_their_hours_rounds_may_begin_at_once(waiting):
    """Within a window there is nothing to wait for."""
    made = waiting(windows=[{"startTime": {"hour": 9}}])
    assert await made.until_due() == "01. 12:00"
    assert made.clock.slept == []
    assert await made.told(PauseStarted) == []


async def test_a_window_that_the_machine_slept_through_was_missed(waiting):
    """It opened at 14:00 and closed at 15:00, while the machine slept from 13:00 to 16:00."""
    made = waiting(windows=[{"startTime": {"hour": 14}, "endTime": {"hour": 15}}])
    made.clock.jump(3 * HOUR, after=HOUR)
    assert await made.until_due() == "02. 14:00"
    [missed] = await made.told(ScheduleMissed)
    assert (missed.first.hour, missed.times, missed.is_made_up) == (14, 1, False)


async def test_a_window_that_is_still_open_after_sleep_was_not_missed(waiting):
    """Awake at 14:30, the round begins then."""
    made = waiting(windows=[{"startTime": {"hour": 14}, "endTime": {"hour": 15}}])
    made.clock.jump(1.5 * HOUR, after=HOUR)
    assert await made.until_due() == "01. 14:30"
    assert await made.told(ScheduleMissed) == []


async def test_a_schedule_without_any_time_is_not_waited_for(waiting):
    """Whoever waits is told that there is nothing to wait for."""
    made = waiting(cron="0 3 * * *", windows=[{"startTime": {"hour": 9}}])
    assert await made.wait.until_due(nothing_changed) == "never"


async def test_somebody_who_changes_the_schedule_ends_the_wait(waiting):
    """A wait of a month must not stand in the way of a change."""
    made = waiting(cron="0 3 1 * *")
    begun = made.clock.now()

    async def changed() -> bool:
        return made.clock.now() - begun > timedelta(minutes=5)

    assert await made.wait.until_due(changed) == "changed"
    assert made.clock.now() - begun < timedelta(minutes=6)


async def test_the_example_keeps_to_its_hours(control, on_cluster):
    """From a Wednesday noon before Christmas: each half hour until four o'clock in Vienna; then Monday at nine."""
    on_cluster.clock._start = datetime(2026, 12, 23, 11, 10, tzinfo=UTC)
    await control.create_pods(*(f"goldpinger-{number}" for number in range(20)), app="goldpinger")
    policy = load_policy(EXAMPLES / "schedule.yml", model=policy_model())
    strategy = policy.config.run_strategy.model_copy(update={"runs": 10})
    policy = policy.model_copy(update={"config": policy.config.model_copy(update={"run_strategy": strategy})})
    settings = replace(on_cluster.context.settings, recovery_timeout_seconds=0)
    result = await run_policy(policy, replace(on_cluster.context, settings=settings), Interrupts())
    await on_cluster.stream.caught_up()
    begun = [f"{each.time:%a %d. %H:%M}" for each in on_cluster.records if isinstance(each.event, RoundStarted)]
    assert begun == [
        "Wed 23. 11:30", "Wed 23. 12:00", "Wed 23. 12:30", "Wed 23. 13:00", "Wed 23. 13:30", "Wed 23. 14:00",
        "Wed 23. 14:30", "Wed 23. 15:00", "Mon 28. 08:00", "Mon 28. 08:30",
    ]  # fmt: skip
    assert (result.exit_code, len(await control.pod_names())) == (0, 10), result.reasons
