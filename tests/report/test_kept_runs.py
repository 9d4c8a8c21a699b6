"""How kept runs are shown: the list within a terminal's width, comparisons in words."""

import pytest

from seatrial.report.kept_runs.comparing import Outcome, compared
from seatrial.report.kept_runs.listing import TITLES, ListedRun, list_rows
from seatrial.runtime.events import ObjectiveJudged, ObjectiveStatus
from seatrial.runtime.verdict import Verdict
from seatrial.storage.records import StoredJudgement
from tests.storage.sample_runs import run_record

_STATUSES = (ObjectiveStatus.MET, ObjectiveStatus.UNDECIDED, ObjectiveStatus.VIOLATED)


def listed(*statuses, **changes):
    judged = [
        StoredJudgement(
            scenario="s", at=0.0,
            judged=ObjectiveJudged(
                objective=f"o{number}", status=status, text="", measurement="m", limit=1, confidence=0.95, window="24h",
                samples=1,
            ),
        )
        for number, status in enumerate(statuses)
    ]  # fmt: skip
    given = {"ended": 1.0, "verdict": Verdict.PASSED, "exit_code": 0, "rounds": 12345, **changes}
    return ListedRun(run_record("0123456789ab", **given), judged)


@pytest.mark.parametrize("width", [80, 100])
def test_the_list_is_as_wide_as_the_terminal(width):
    """Policies' names give way, from their beginning: the file's name says most."""
    name = "/home/somebody/policies/of/a/team/slo-recovery-times.yml"
    rows = list_rows([listed(*_STATUSES, policy=name)], width=width)
    widths = [max(len(title), len(cell)) for title, cell in zip(TITLES, rows[0], strict=True)]
    assert sum(widths) + 3 * (len(widths) - 1) <= width
    assert rows[0][-1].startswith("…")
    assert name.endswith(rows[0][-1][1:])
    assert list_rows([listed(policy=name)], width=None)[0][-1] == name


@pytest.mark.parametrize(
    ("statuses", "words"),
    [((), "-"), (_STATUSES, "1 violated"), (_STATUSES[:2], "1 undecided"), ((ObjectiveStatus.MET,) * 2, "2 met")],
)
def test_the_list_tells_the_worst_of_the_objectives(statuses, words):
    """And of how many that is so."""
    assert list_rows([listed(*statuses)], width=None)[0][4] == words


def _values(*values, longer=()):
    return [*((each, False) for each in values), *((each, True) for each in longer)]


def test_what_got_worse_comes_first():
    """Whatever the order in which it was measured."""
    same, slow = _values(*range(1, 31)), _values(*range(101, 131))
    before = {("s", "a"): same, ("s", "b"): same, ("s", "only"): same}
    after = {("s", "a"): same, ("s", "b"): slow}
    found = compared(before, after, confidence=0.95)
    assert [(each.name, each.outcome) for each in found] == [
        ("b", Outcome.WORSE), ("a", Outcome.SAME), ("only", Outcome.UNKNOWN),
    ]  # fmt: skip
    assert found[2].text == "there are no values after"


def test_values_that_were_cut_off_count_as_long():
    """A pod that never came back is slower than one that did, though less was waited for."""
    before = {("s", "a"): _values(*[10.0] * 30)}
    after = {("s", "a"): _values(*[9.0] * 10, longer=[60.0] * 20)}
    assert compared(before, after, confidence=0.95)[0].outcome is Outcome.WORSE


def test_shares_are_compared_as_shares():
    """How many runs passed, before and after."""
    before = {("s", "passed"): _values(*[1.0] * 50)}
    after = {("s", "passed"): _values(*[1.0] * 30, *[0.0] * 20)}
    (found,) = compared(before, after, confidence=0.95)
    assert found.outcome is Outcome.WORSE
    assert found.text.startswith("100 % passed, then 60 %: worse")
    (found,) = compared(after, before, confidence=0.95)
    assert found.outcome is Outcome.BETTER
