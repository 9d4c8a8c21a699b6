"""Failures that come of themselves, as people and programs read of them."""

import io

import pytest
from rich.console import Console

from seatrial.policy.spans import DAY
from seatrial.report.account import Account
from seatrial.report.plan import plan_as_json, print_plan
from seatrial.report.summary import Summary
from seatrial.runtime.events import FailureAwaited, FailuresCounted, FailureStruck, RunStarted
from seatrial.runtime.plan import FailureRate, FailuresPlan, Plan, PlannedFailure
from tests.report.conftest import records_of

COUNTED = FailuresCounted(
    scenario="A machine dies", kind="node", mttf="5y", seen=3, expected=2.7137, life_seconds=412 * DAY
)


def told(event):
    [record] = records_of([event])
    return [f"{line.label} {line.text}" for line in Account().lines(record)]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            FailureAwaited(seconds=12.34, life_seconds=1.43 * DAY),
            "next failure in 12.3 s, 34.3 hours of the cluster's life",
        ),
        (
            FailureAwaited(seconds=None, life_seconds=None, note="no node matched"),
            "next nothing can fail: no node matched",
        ),
        (
            FailureStruck(number=1, scenario="s", kind="node", units=("n1",), zone="", life_seconds=9 * DAY),
            "failure node n1, after 9 days of the cluster's life",
        ),
        (
            FailureStruck(number=1, scenario="s", kind="pod", units=("a/b", "a/c"), zone="west", life_seconds=9 * DAY),
            "failure pods a/b, a/c, all of zone west, after 9 days of the cluster's life",
        ),
    ],
)
def test_the_account_tells_what_is_awaited_and_what_strikes(event, line):
    """In seconds of the run, and in the cluster's life."""
    assert told(event) == [line]


def test_a_zone_of_many_is_told_in_one_line():
    """Ten names, and how many more."""
    units = tuple(f"n{number}" for number in range(14))
    [line] = told(FailureStruck(number=1, scenario="s", kind="node", units=units, zone="west", life_seconds=1.0))
    assert "n9 and 4 more, all of zone west" in line


@pytest.mark.parametrize(
    ("rounds", "duration", "words"),
    [
        (None, "", "until stopped"),
        (2, "", "2 rounds"),
        (None, "1y", "1y of the cluster's life"),
        (1, "1y", "1 round or 1y of the cluster's life"),
    ],
)
def test_the_account_says_how_long_it_goes_on(rounds, duration, words):
    """A number of rounds, a span of the cluster's life, or for ever."""
    [line] = told(RunStarted(run_id="r", policy="p", seed="7", server="s", rounds=rounds, duration=duration))
    assert f" on s, {words}, seed 7" in line


def test_the_summary_has_what_came_beside_what_was_to_be_expected():
    """For people and for programs."""
    summary = Summary()
    for record in records_of([COUNTED]):
        summary(record)
    assert summary.lines() == [("failures", "A machine dies (nodes, MTTF 5y): 3 seen, 2.71 to be expected in 412 days")]
    assert summary.as_json()["failures"] == [
        {
            "scenario": "A machine dies", "kind": "node", "mttf": "5y", "seen": 3, "expected": 2.7137,
            "lifeSeconds": 412 * DAY,
        }
    ]  # fmt: skip


def plan(**given):
    rate = FailureRate(
        scenario="A machine dies", kind="node", mttf="5y", units=200, per_day=200 / 1826, mean_seconds_between=78.894
    )
    none = FailureRate(
        scenario="A pod dies",
        kind="pod",
        mttf="90d",
        units=0,
        per_day=0,
        mean_seconds_between=None,
        note="no pod matched",
    )
    first = (
        PlannedFailure(
            scenario="A machine dies", kind="node", units=("n1",), zone="", life_seconds=3 * DAY, waiting_seconds=25.9
        ),
        PlannedFailure(
            scenario="A machine dies",
            kind="node",
            units=("n2", "n3"),
            zone="west",
            life_seconds=9 * DAY,
            waiting_seconds=77.8,
        ),
    )
    failures = FailuresPlan(accelerate=10_000, rates=(rate, none), first=given.get("first", first))
    return Plan(policy="p.yml", seed="7", server="https://k:6443", failures=failures)


def shown(made, width=200):
    stream = io.StringIO()
    print_plan(made, Console(file=stream, width=width))
    return [" ".join(line.split()) for line in stream.getvalue().splitlines()]


def test_the_plan_shows_the_rate_and_the_first_failures():
    """How often in life, how often at that speed, and which come first with this seed."""
    lines = shown(plan())
    assert lines[2:9] == [
        "failures",
        "expected 200 nodes with an MTTF of 5y: A machine dies",
        "one every 9.13 days; 10,000 times as fast, one every 1 min 19 s",
        "expected 0 pods with an MTTF of 90d: A pod dies",
        "no pod matched",
        "first after 25.9 s (3 days): node n1",
        "after 1 min 18 s (9 days): nodes n2, n3, all of zone west",
    ]


def test_a_pod_that_fails_again_is_another_one():
    """It will have been replaced by one whose name nobody knows yet."""
    first = tuple(
        PlannedFailure(
            scenario="A pod dies",
            kind="pod",
            units=("a/b",),
            zone="",
            life_seconds=number * DAY,
            waiting_seconds=number,
        )
        for number in (1, 2)
    )
    assert shown(plan(first=first))[7:9] == [
        "first after 1.0 s (24 hours): pod a/b",
        "after 2.0 s (2 days): pod a/b, or what replaces it",
    ]


def test_a_plan_in_which_nothing_fails_says_so():
    """Instead of scenarios."""
    assert "nothing would fail" in shown(plan(first=()))
    assert '"failures": {\n' in plan_as_json(plan(first=()))
