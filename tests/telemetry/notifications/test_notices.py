"""What a person is told of, and when it is news."""

from datetime import UTC, datetime

import pytest

from seatrial.runtime.events import (
    BudgetState,
    PolicyRejected,
    RunFinished,
    RunHalted,
    ScenarioFinished,
    ScheduleMissed,
    UndoFailed,
)
from seatrial.runtime.verdict import Verdict
from seatrial.telemetry.notifications.message import make_message
from tests.telemetry.notifications.samples import (
    MET,
    STARTED,
    UNDECIDED,
    VIOLATED,
    judged,
    message,
    notices_of,
)


def told(*events):
    return [(each.occasion, each.reminder) for each in notices_of(*events)]


def test_a_violation_is_news_once():
    """Violated, violated, violated: the first is told, the others are for those who asked to be reminded."""
    assert told(judged(VIOLATED, MET), judged(VIOLATED, VIOLATED), judged(VIOLATED, VIOLATED)) == [
        ("violated", False),
        ("violated", True),
        ("violated", True),
    ]


def test_a_violation_that_an_earlier_run_saw_is_no_news():
    """What was said before this run counts: a restart tells nobody again."""
    assert told(judged(VIOLATED, VIOLATED)) == [("violated", True)]


def test_an_objective_that_is_met_again_has_recovered():
    """Also where there was not enough evidence in between, and once only."""
    course = [judged(VIOLATED, MET), judged(UNDECIDED, VIOLATED), judged(MET, UNDECIDED), judged(MET, MET)]
    assert told(*course) == [("violated", False), ("recovered", False)]


def test_an_objective_that_was_never_violated_does_not_recover():
    """Not enough evidence, then met: nothing to tell."""
    assert told(judged(UNDECIDED), judged(MET, UNDECIDED)) == []


def test_objectives_are_told_apart():
    """One is violated, another met: nobody has recovered."""
    assert told(judged(VIOLATED, objective="a"), judged(MET, objective="b")) == [("violated", False)]


@pytest.mark.parametrize(
    ("rates", "burns"),
    [
        ({"5m": 20.0, "1h": 15.0}, True),
        ({"5m": 0.0, "1h": 15.0}, False),
        ({"1h": 6.5, "6h": 6.5}, True),
        ({"1h": 1.0, "6h": 6.5}, False),
        ({"5m": 100.0}, False),
    ],
    ids=["fast", "was fast", "slow", "was slow", "five minutes only"],
)
def test_a_budget_burns_while_two_windows_say_so(rates, burns):
    """14.4 times too fast over an hour and still so, or 6 times over six hours: told once, then a reminder."""
    budget = BudgetState(target=0.999, good=1, bad=1, left=0.5, burn_rates=rates)
    event = judged(MET, MET, budget=budget)
    assert told(event, event) == ([("burning", False), ("burning", True)] if burns else [])


def test_a_clean_up_that_failed_tells_what_to_do_by_hand():
    """The command is in the text for people, and by itself for programs."""
    [notice] = notices_of(UndoFailed(description="scale web", error="403", manual="kubectl scale web"))
    assert (notice.occasion, notice.severity, notice.manual) == ("cleanUpFailed", "critical", "kubectl scale web")
    assert notice.text == "403\nBy hand: kubectl scale web"


def test_scenarios_and_runs_are_told_of():
    """Started, failed, inconclusive, halted, finished; what passed is no news."""
    ended = {"name": "s", "reasons": ("why",), "duration_ms": 1.0}
    halted = RunHalted(by="me", reason="fire", since="now")
    finished = RunFinished(verdict=Verdict.FAILED, reasons=("why",), exit_code=1, duration_ms=1, rounds=2)
    scenarios = [ScenarioFinished(verdict=verdict, **ended) for verdict in Verdict]
    assert [each.occasion for each in notices_of(STARTED, *scenarios, halted, finished)] == [
        "started", "failed", "inconclusive", "halted", "finished",
    ]  # fmt: skip


def test_a_message_has_all_that_somebody_needs():
    """What, since when, which numbers, of which run on which cluster, where to read on."""
    made = message(judged(VIOLATED), UndoFailed(description="d", error="e", manual="m"))
    assert made.title == "Violated: start: p95 below 30 s (and 1 more)"
    assert made.values["run"]["report"] == "seatrial report 0a1b2c"
    assert "Run 0a1b2c of p.yml on staging\nReport: seatrial report 0a1b2c" in made.text
    assert made.values["occasions"] == ["violated", "cleanUpFailed"]
    assert made.values["notices"][0]["objective"] == {
        "name": "p95 below 30 s", "status": "violated", "previous": None, "measurement": "timeToReady", "limit": 30.0,
        "unit": "s", "confidence": 0.95, "window": "24h", "samples": 120, "estimate": 31.5, "lower": 30.4,
        "upper": 33.0, "more_needed": None, "budget_left": None, "burn_rates": {}, "warnings": [],
    }  # fmt: skip


def test_the_title_of_a_message_is_the_worst_that_happened():
    """A run that started is no news where an objective is violated; people read the first line."""
    made = message(STARTED, judged(VIOLATED))
    assert made.title == "Violated: start: p95 below 30 s (and 1 more)"
    assert made.severity == "critical"


def test_times_are_for_people():
    """To the second, with the time zone; who reads the JSON has them in full."""
    made = message(judged(VIOLATED))
    time = datetime.fromisoformat(made.values["notices"][0]["time"])
    assert f"\n{time:%Y-%m-%d %H:%M:%S} UTC" in made.text
    assert time.isoformat() not in made.text


def test_what_templates_are_tried_with_has_the_form_of_what_is_sent():
    """A template that passes the check finds the same keys at night, at every depth."""
    from seatrial.policy.notification_templates import EXAMPLE

    made = message().values
    assert made.keys() == EXAMPLE.keys()
    assert made["run"].keys() == EXAMPLE["run"].keys()
    assert made["notices"][0].keys() == EXAMPLE["notices"][0].keys()
    assert made["notices"][0]["objective"].keys() == EXAMPLE["notices"][0]["objective"].keys()
    assert made["schema"] == EXAMPLE["schema"]


def test_what_ails_a_run_for_ever_is_told_of():
    """A changed policy that can't be used, and times at which no round began."""
    rejected = PolicyRejected(policy="p.yml", problems=("scenarios: is missing",))
    missed = ScheduleMissed(first=datetime(2030, 1, 1, tzinfo=UTC), times=2, reason="slept", is_made_up=True)
    first, second = notices_of(rejected, missed)
    assert (first.occasion, first.text) == ("policyRejected", "the last good one holds\nscenarios: is missing")
    assert (second.occasion, second.title) == ("scheduleMissed", "2 times of the schedule passed without a round")


def test_a_message_that_says_more_has_another_id():
    """A receiver that has had the first of two must take in the second; each channel has ids of its own."""
    one, two = notices_of(judged(VIOLATED), judged(MET))
    ids = [
        make_message([one], run=STARTED, channel=1).id,
        make_message([one, two], run=STARTED, channel=1).id,
        make_message([one], run=STARTED, channel=2).id,
        make_message([one], run=STARTED, channel=1, omitted=1).id,
    ]
    assert len(set(ids)) == 4
    assert make_message([one], run=STARTED, channel=1).id == ids[0]
