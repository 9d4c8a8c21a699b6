import pytest

from seatrial.policy.load import load_policy
from seatrial.policy.problems import InvalidPolicy
from seatrial.policy.schedule import Schedule
from seatrial.steps.registry import policy_model


def load(config: str) -> Schedule:
    text = f"config: {config}\nscenarios: []\n"
    return load_policy(text.encode(), model=policy_model()).config.schedule


def complaints(config: str) -> str:
    with pytest.raises(InvalidPolicy) as caught:
        load(config)
    return "\n".join(f"{each.path}: {each.message}" for each in caught.value.problems)


def test_all_that_a_schedule_may_say():
    """Times, timezone, hours, holidays and what becomes of times that were missed."""
    schedule = load("""
      schedule:
        cron: "*/15  9-16 * * mon-fri"
        timezone: Europe/Vienna
        windows: [{onlyDays: [monday], startTime: {hour: 22}, endTime: {hour: 4}}]
        holidays: [2026-12-24]
        holidaysFile: holidays.txt
        missed: run
    """)
    assert schedule.cron == "*/15 9-16 * * mon-fri"
    assert schedule.holidays == ("2026-12-24",)
    assert schedule.missed == "run"


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ("{schedule: {}}", "config.schedule: says no time; needs at least one of: cron, windows"),
        ("{schedule: {cron: '* * * *'}}", "config.schedule.cron: is '* * * *'; needs five fields"),
        ("{schedule: {cron: '@daily'}}", "needs five fields: minute, hour"),
        ("{schedule: {cron: '0 25 * * *'}}", "is '0 25 * * *', which is no cron expression: bad hour"),
        ("{schedule: {cron: '0 0 31 2 *'}}", "which is no cron expression: bad day-of-month"),
        ("{schedule: {cron: '0 0 */40 * mon#5'}}", "which never comes"),
        ("{schedule: {cron: '0 3 * * *', timezone: Mars/Crater}}", "config.schedule.timezone: is 'Mars/Crater', which"),
        ("{schedule: {windows: []}}", "config.schedule.windows: is an empty list"),
        ("{schedule: {windows: [{}]}}", "config.schedule.windows[0]: says no time"),
        ("{schedule: {windows: [{onlyDays: []}]}}", "config.schedule.windows[0].onlyDays: is an empty list"),
        ("{schedule: {holidays: [2026-02-30]}}", "config.schedule.holidays[0]: is '2026-02-30', which is no date"),
        ("{schedule: {holidays: [20261224]}}", "config.schedule.holidays[0]"),
        ("{schedule: {windows: [{startTime: {hour: 9}}], missed: run}}", "missed: is 'run', which goes with cron only"),
        (
            "{schedule: {cron: '0 3 * * *'}, runStrategy: {minSecondsBetweenRuns: 5}}",
            "config.runStrategy.minSecondsBetweenRuns: does not go with schedule.cron",
        ),
    ],
)
def test_what_a_schedule_can_not_say(config, complaint):
    """Each mistake is told at its place, before anything runs."""
    assert complaint in complaints(config)


def test_pauses_go_with_windows():
    """Within hours, rounds follow each other with pauses."""
    load("{schedule: {windows: [{startTime: {hour: 9}}]}, runStrategy: {minSecondsBetweenRuns: 5}}")


def test_failures_come_when_they_come():
    """What fails of itself keeps no hours."""
    strategy = "{strategy: failures, failures: [{pods: [{labels: {selector: a=b}}], mttf: 5y, scenario: none}]}"
    said = complaints(f"{{schedule: {{cron: '0 3 * * *'}}, runStrategy: {strategy}}}")
    assert "config.schedule: does not go with the strategy 'failures'" in said
