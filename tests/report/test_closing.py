from seatrial.report.closing import summary_rows, summary_text
from seatrial.report.summary import Summary
from seatrial.runtime.events import RunFinished, UndoFailed
from seatrial.runtime.verdict import Verdict
from tests.report.conftest import records_of


def summary_of(records):
    summary = Summary()
    for record in records:
        summary(record)
    return summary


def finished(*reasons):
    return RunFinished(verdict=Verdict.FAILED, reasons=reasons, exit_code=1, duration_ms=1000, rounds=1)


def test_the_summary_has_the_verdict_first(run):
    """An empty line, then verdict, figures, and how to reproduce it, each in a line."""
    lines = summary_text(summary_of(run)).splitlines()
    assert lines[0] == ""
    assert lines[1] == "verdict    PASSED"
    assert "pods       3 matched, 1 chosen, 1 killed: default/goldpinger-a" in lines
    assert lines[-1].startswith("run ")
    assert lines[-1].endswith("1 round in 1.0 s, seed 7")


def test_what_could_not_be_undone_comes_with_the_way_to_do_it_by_hand():
    """The command stands in a line of its own, however long it is."""
    manual = "kubectl delete pod p " + "-n namespace " * 20
    rows = summary_rows(summary_of(records_of([UndoFailed(description="d", error="e", manual=manual), finished()])))
    assert [(row.heading, row.text) for row in rows[1:-1] if row.heading in {"NOT undone", "by hand"}] == [
        ("NOT undone", "d: e"),
        ("by hand", manual),
    ]


def test_control_characters_of_reasons_are_written_as_escapes():
    """Not even in a file or a pipe: somebody will show it on a terminal."""
    assert "evil\\u001b[2J" in summary_text(summary_of(records_of([finished("evil\x1b[2J")])))


def test_a_run_that_did_not_finish_has_none():
    """Nothing is printed, not even an empty line."""
    assert summary_text(Summary()) == ""
