"""What a person sees of objectives: when there is news, bars, figures, the live status, the closing summary."""

import io
import re

import pytest
from msgspec.structs import replace
from rich.console import Console

from seatrial.report.account import Account
from seatrial.report.closing import summary_rows
from seatrial.report.live import LiveStatus
from seatrial.report.objectives import ObjectiveNews, burn_rates, figures, mark, standing
from seatrial.report.sparkline import sparkline
from seatrial.report.summary import Summary
from seatrial.runtime.events import (
    BudgetState,
    MeasurementTaken,
    ObjectiveJudged,
    ObjectiveStatus,
    PolicyReloaded,
    RoundStarted,
    RunFinished,
    ScenarioFinished,
    SteadyStateSampled,
    Where,
)
from seatrial.runtime.verdict import Verdict
from tests.report.conftest import records_of

MET, VIOLATED, UNDECIDED = ObjectiveStatus.MET, ObjectiveStatus.VIOLATED, ObjectiveStatus.UNDECIDED
BUDGET = BudgetState(target=0.99, good=995, bad=5, left=0.5, burn_rates={"5m": 2.0, "1h": 0.5})
JUDGED = ObjectiveJudged(
    objective="t: 95 % below 30 s", status=MET, text="t: 95 % below 30 s: met: the figures", measurement="t",
    limit=30.0, confidence=0.95, window="30d", samples=320, estimate=4.126, lower=3.2, upper=5.0,
)  # fmt: skip
OPEN = replace(JUDGED, status=UNDECIDED, upper=None, more_needed=1234, text="t: 95 % below 30 s: not enough evidence")
SHARE = replace(JUDGED, unit="share", estimate=0.9953, lower=0.99, upper=0.999, limit=0.9, measurement="availability")


def drawn(events, *, width=80, encoding="utf-8", doing="waiting", until=None, now=0.0):
    """The lines of the live status after some events."""
    live = LiveStatus()
    for record in records_of(events):
        live(record)
    live.say(doing, until=until)
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=stream, width=width, get_time=lambda: now, legacy_windows=False)
    console.print(live)
    stream.flush()
    return stream.buffer.getvalue().decode(encoding).splitlines()


def test_the_live_status_leaves_room_for_what_a_terminal_echoes():
    """Ctrl-C shows as `^C` behind the last line; that must not begin another line, or the status is erased wrongly."""
    live = LiveStatus()
    live.say("a scenario with a name that is much longer than the terminal is wide: step 1 of 3")
    for record in records_of([RoundStarted(number=2), *times(*[1.0] * 30), replace(OPEN, objective="t" * 99)]):
        live(record)
    console = Console(file=io.StringIO(), width=60, force_terminal=True, legacy_windows=False)
    with console.status(live):
        pass
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue()))
    assert 50 < max(map(len, lines)) <= 60 - len("^C")


def test_the_live_status_has_its_bars_beside_a_spinner():
    """The few latest values are there, in the room that is left."""
    live = LiveStatus()
    for record in records_of([RoundStarted(number=2), *times(3.0, 6.0), OPEN]):
        live(record)
    console = Console(file=io.StringIO(), width=80, force_terminal=True, legacy_windows=False)
    with console.status(live):
        pass
    assert "1,234 more" in console.file.getvalue()
    assert re.search("[▁▂▃▄▅▆]{2}", console.file.getvalue())


def finished(verdict=Verdict.PASSED):
    return ScenarioFinished(name="Kill half", verdict=verdict, reasons=(), duration_ms=1.0)


def times(*seconds):
    return [MeasurementTaken(name="t", of="pod", seconds=each) for each in seconds]


@pytest.mark.parametrize(
    ("changes", "is_news"),
    [
        ({"samples": 321, "estimate": 4.2}, False),
        ({"status": VIOLATED}, True),
        ({"problem": "the disk is full"}, True),
        ({"warnings": ("getting worse",)}, True),
        ({"budget": replace(BUDGET, left=-0.1)}, True),
        ({"budget": BUDGET}, False),
    ],
)
def test_a_line_is_for_what_changed(changes, is_news):
    """New figures of the same verdict are for the status below, not for a line."""
    news = ObjectiveNews()
    assert news.is_news(JUDGED, scenario="one")
    assert news.is_news(replace(JUDGED, **changes), scenario="one") is is_news
    assert news.is_news(JUDGED, scenario="two")


def test_what_stays_the_same_is_said_now_and_then():
    """Once in 25 rounds."""
    news = ObjectiveNews()
    assert [news.is_news(JUDGED, scenario="one") for _ in range(51)].count(True) == 3


@pytest.mark.parametrize(("status", "tone"), [(MET, "good"), (VIOLATED, "bad"), (UNDECIDED, "plain")])
def test_the_account_says_a_judgement_in_its_sentence(status, tone):
    """With what there is to warn of below it."""
    account = Account()
    [record] = records_of([replace(JUDGED, status=status, warnings=("getting worse",))])
    assert [(line.label, line.text, line.tone) for line in account.lines(record)] == [
        ("objective", JUDGED.text, tone),
        ("", "getting worse", "warn"),
    ]
    assert account.lines(record) == []


def test_bad_values_are_full_bars():
    """What is wrong shows without colours; good ones are drawn by their height, below it."""
    values = [(1.0, True), (2.0, True), (3.0, True), (6.0, True), (40.0, False)]
    assert sparkline(values) == "▂▃▄▆█"
    assert sparkline(values, plain=True) == ".-=*#"
    assert sparkline([(0.0, True)] * 3) == "▁▁▁"
    assert sparkline([]) == ""


def test_a_value_is_as_high_for_one_objective_as_for_another():
    """Where one of two limits calls the longest bad, the others are drawn as they are for the other limit."""
    values = [1.0, 2.0, 3.0, 6.0]
    strict, generous = (sparkline([(each, each <= limit) for each in values]) for limit in (5.0, 30.0))
    assert (strict, generous) == ("▂▄▅█", "▂▄▅▆")


@pytest.mark.parametrize(
    ("judged", "words"),
    [
        (JUDGED, "4.1 s (3.2 s to 5.0 s)"),
        (OPEN, "4.1 s (> 3.2 s)"),
        (replace(JUDGED, lower=None), "4.1 s (< 5.0 s)"),
        (replace(JUDGED, lower=None, upper=None), "4.1 s"),
        (SHARE, "99.53 % (99.0 to 99.90 %)"),
        (replace(JUDGED, estimate=None), "-"),
        (replace(JUDGED, problem="the disk is full"), "not known"),
    ],
)
def test_figures_in_few_characters(judged, words):
    """The estimate with the bounds that it has."""
    assert figures(judged) == words


def test_how_it_stands_in_few_characters():
    """How many more runs it takes, or what is left of its budget, and how fast that goes."""
    assert standing(OPEN) == "1,234 more"
    assert standing(replace(JUDGED, budget=BUDGET)) == "budget 50 %"
    assert standing(JUDGED) == ""
    assert (burn_rates(replace(JUDGED, budget=BUDGET)), burn_rates(JUDGED)) == ("5m 2, 1h 0.5", "-")


def test_each_status_has_its_mark():
    """Also where there is nothing but ASCII."""
    assert [mark(each) for each in ObjectiveStatus] == ["✓", "✗", "?"]
    assert [mark(each, plain=True) for each in ObjectiveStatus] == ["+", "!", "?"]


def test_the_live_status_at_80_columns():
    """What goes on, how the rounds came out, each objective with its figures and the latest values: the worst first."""
    events = [RoundStarted(number=3), finished(), finished(Verdict.FAILED), *times(3.0, 6.0, 40.0), OPEN]
    violated = replace(JUDGED, objective="another", status=VIOLATED, budget=replace(BUDGET, left=-0.3))
    assert drawn([*events, violated], doing="next round", until=12.0) == [
        "next round in 12 s",
        "round 3: 1 passed, 1 failed",
        "✗ another             4.1 s (3.2 s to 5.0 s)  budget -30 %  ▂▄█",
        "? t: 95 % below 30 s  4.1 s (> 3.2 s)         1,234 more    ▂▄█",
    ]


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_the_live_status_fits_its_terminal(width):
    """Whatever things are called."""
    long = replace(OPEN, objective="x" * 200, estimate=0.99987654, unit="share", upper=0.9999999, lower=0.1)
    events = [RoundStarted(number=2), *times(*range(100)), *(replace(long, objective=f"{i}" * 50) for i in range(9))]
    lines = drawn(events, width=width, doing="y" * 300)
    assert max(map(len, lines)) <= width
    assert lines[-1] == "and 4 objectives more"


def test_the_live_status_of_a_single_round_is_one_line():
    """Nothing to count yet."""
    assert drawn([RoundStarted(number=1)], doing="step 1 of 2") == ["step 1 of 2"]


def test_the_live_status_of_times_that_must_be_above_a_limit():
    """What falls short of it is bad, not what keeps to it."""
    lines = drawn([RoundStarted(number=2), *times(3.0, 40.0), replace(JUDGED, is_above=True)])
    assert lines[-1].endswith("█▆")


def test_the_live_status_of_what_was_not_seen_to_the_end():
    """It is as bad as it may be: nobody knows."""
    events = [*times(3.0), replace(times(3.0)[0], is_lower_bound=True), JUDGED]
    assert drawn([RoundStarted(number=2), *events])[-1].endswith("▄█")


def test_the_live_status_in_ascii():
    """A terminal that knows nothing else gets nothing else."""
    lines = drawn([RoundStarted(number=2), *times(1.0, 40.0), JUDGED], encoding="ascii")
    assert lines[-1].startswith("+ t: 95 % below 30 s")
    assert lines[-1].endswith("=#")


def test_a_pause_counts_down_and_never_below_nothing():
    """Long ones in minutes and hours."""
    assert drawn([], doing="next round", until=200.0)[0] == "next round in 3 min 20 s"
    assert drawn([], doing="next round", until=5.0, now=9.0)[0] == "next round in 0 s"


def test_availability_is_drawn_by_its_failures():
    """One bar a round, that of the probe which failed most: the higher the more of its samples failed."""
    summary = Summary()
    for number, failed in [(1, 0), (2, 0), (2, 5), (2, 1), (3, 0)]:
        sampled = SteadyStateSampled(probe="p", samples=10, failed=failed, unseen=0, longest_outage_seconds=0.0)
        [record] = records_of([sampled])
        summary.objectives(replace(record, where=Where(round=number, scenario="Kill half")))
    assert summary.objectives.history("Kill half", SHARE) == "▁█▁"


def test_what_a_policy_no_longer_asks_for_is_shown_no_longer():
    """Once it was read anew, each objective that is still there is judged after the next round."""
    summary = Summary()
    reloaded = PolicyReloaded(policy="p.yml", changes=(), policy_text="", digests={})
    for record in records_of([JUDGED, reloaded, replace(JUDGED, objective="another")]):
        summary(record)
    assert [each["objective"] for each in summary.as_json()["objectives"]] == ["another"]


def test_the_closing_summary_has_a_row_for_each_objective():
    """The latest word on each, with what there is to warn of; programs get every figure."""
    summary = Summary()
    over = RunFinished(verdict=Verdict.PASSED, reasons=(), exit_code=0, duration_ms=1.0, rounds=2)
    budgeted = replace(JUDGED, objective="b", text="b: met", budget=BUDGET, warnings=("getting worse",))
    for record in records_of([OPEN, JUDGED, budgeted, over]):
        summary(record)
    rows = [row.text for row in summary_rows(summary) if row.heading == "objective"]
    assert rows == [f"Kill half, {JUDGED.text}", "Kill half, b: met; getting worse"]
    told, other = summary.as_json()["objectives"]
    assert (told["scenario"], told["status"], told["estimate"], told["budget"]) == ("Kill half", "met", 4.126, None)
    assert other["budget"] == {
        "target": 0.99, "good": 995, "bad": 5, "left": 0.5, "burnRates": {"5m": 2.0, "1h": 0.5}
    }  # fmt: skip
