from datetime import UTC, datetime

import pytest

from seatrial.report.account import Account
from seatrial.runtime.events import PauseStarted, PolicyRejected, PolicyReloaded, ScheduleMissed
from seatrial.telemetry.log import LogReport, configure_logging
from tests.report.conftest import records_of
from tests.telemetry.test_log import restored  # noqa: F401 -- a fixture

AT = datetime(2030, 1, 1, 12, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _vienna(monkeypatch):
    """Times are those of the person's own clock."""
    monkeypatch.setattr("seatrial.report.upkeep._on_the_wall", lambda moment: f"{moment:%Y-%m-%d %H:%M %Z}")


def told(event) -> list[tuple[str, str, str]]:
    [record] = records_of([event])
    return [(line.label, line.text, line.tone) for line in Account().lines(record)]


def test_a_long_pause_says_when_it_ends():
    """Nobody wants to add 43,200 seconds to the time of day."""
    assert told(PauseStarted(seconds=43_200, until=AT)) == [
        ("pause", "12 hours until the next round, at 2030-01-01 12:30 UTC", "dim")
    ]
    assert told(PauseStarted(seconds=31, until=AT)) == [("pause", "31 s until the next round", "dim")]


@pytest.mark.parametrize(
    ("times", "is_made_up", "text"),
    [
        (1, False, "1 time of the schedule, from 2030-01-01 12:30 UTC on: it slept"),
        (3, False, "3 times of the schedule, from 2030-01-01 12:30 UTC on: it slept"),
        (1, True, "1 time of the schedule, from 2030-01-01 12:30 UTC on: it slept; a round makes up for it"),
        (
            3,
            True,
            "3 times of the schedule, from 2030-01-01 12:30 UTC on: it slept; a round makes up for them",
        ),
    ],
)
def test_times_that_were_missed_are_warned_of(times, is_made_up, text):
    """How many, from when on, why, and whether a round makes up for them."""
    event = ScheduleMissed(first=AT, times=times, reason="it slept", is_made_up=is_made_up)
    assert told(event) == [("missed", text, "warn")]


def test_another_policy_is_told_with_all_that_is_different():
    """A line each."""
    event = PolicyReloaded(policy="p.yml", changes=("one", "two"), policy_text="secret", digests={"a": "b"})
    assert told(event) == [
        ("policy", "p.yml has changed; from here on:", "plain"),
        ("", "one", "plain"),
        ("", "two", "plain"),
    ]


def test_a_policy_that_can_not_be_used_is_warned_of_with_all_its_problems():
    """And what holds instead."""
    assert told(PolicyRejected(policy="p.yml", problems=("p.yml:3:1: no",))) == [
        ("policy", "p.yml has changed, and can't be used; the last good one holds:", "warn"),
        ("", "p.yml:3:1: no", "warn"),
    ]


def test_log_lines_have_times_of_day_and_no_policy_texts(capsys):
    """A log line is no place for a file."""
    configure_logging(log_format="json")
    events = [
        PolicyReloaded(policy="p.yml", changes=("one",), policy_text="whole: text", digests={"a": "b"}),
        ScheduleMissed(first=AT, times=1, reason="why", is_made_up=False),
    ]
    for record in records_of(events):
        LogReport()(record)
    reloaded, missed = capsys.readouterr().err.splitlines()
    assert ("whole" in reloaded, "digests" in reloaded, '"one"' in reloaded) == (False, False, True)
    assert ('"first": "2030-01-01T12:30:00+00:00"' in missed, '"level": "warning"' in missed) == (True, True)
