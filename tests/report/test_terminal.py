import io

import pytest
from rich.console import Console

from seatrial.report.summary import Summary
from seatrial.report.terminal import TerminalReport, print_summary
from seatrial.runtime.events import FaultProven, PodKilled, PodRef, ScenarioFinished, StopRequested, UndoFailed
from seatrial.runtime.verdict import Verdict
from tests.report.conftest import records_of


def shown(records, *, width=100, terminal=False):
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=terminal, color_system="standard" if terminal else None)
    report = TerminalReport(console)
    for record in records:
        report(record)
    return stream.getvalue()


def test_the_account_reads_like_a_story(run):
    """What was matched, chosen, killed and recovered, in order, each in a line."""
    text = shown(run, width=140)
    told = [
        "p.yml on https://127.20.0.1:6443, 1 round, seed 7",
        "Kill half",
        "3 instances, all 9 calls succeed",
        "3 pods (labels app=goldpinger in namespace default)",
        "randomSample: 3 → 1 (0.5 of 3 is 1, rounded down)",
        "default/goldpinger-a on node1",
        "default/goldpinger-a, at once (the API server answered in 2 ms)",
        "2 of 9 calls fail: c -> a, d -> a",
        "http://s/healthz answered 200 in 3.0 ms (by cluster IP)",
        "default/goldpinger-a by goldpinger-b: gone after 5 ms, replaced after 10 ms, Ready after 250 ms",
    ]
    places = [text.find(line) for line in told]
    assert -1 not in places, told[places.index(-1)]
    assert places == sorted(places)


def test_names_are_shown_as_they_are():
    """Square brackets in a name are no markup."""
    pod = PodRef(namespace="n", name="[bold]x[/bold]", uid="1")
    assert "n/[bold]x[/bold]" in shown(records_of([PodKilled(pod=pod, force=False, duration_ms=1)]))


def test_many_kills_are_not_all_listed():
    """Of a hundred kills ten are named; the summary has the number."""
    pods = [PodRef(namespace="n", name=f"p{number}", uid=str(number)) for number in range(100)]
    text = shown(records_of([PodKilled(pod=pod, force=True, duration_ms=1) for pod in pods]))
    assert text.count("killed") == 11


def test_what_could_not_be_undone_comes_with_the_way_to_do_it_by_hand():
    """A failed undo is shown with the command for a person."""
    event = UndoFailed(description="delete Pod n/p", error="gone", manual="kubectl delete pod p -n n")
    assert "kubectl delete pod p -n n" in shown(records_of([event]))


def test_both_stages_of_stopping_are_said():
    """The first Ctrl-C says what happens and what a second one does; the second says it is heard."""
    events = [StopRequested(reason="SIGINT", hurry=False), StopRequested(reason="SIGINT", hurry=True)]
    text = shown(records_of(events))
    assert "stopping and cleaning up; once more: hurry" in text
    assert "again: clean-up gets a few seconds a piece" in text


def test_colours_are_for_terminals_only(run):
    """Without a terminal there is not one escape sequence."""
    assert "\x1b[" not in shown(run)
    assert "\x1b[" in shown(run, terminal=True)


def test_it_fits_80_columns(run):
    """Lines wrap at the width of the terminal, inside their column."""
    assert max(len(line) for line in shown(run, width=80).splitlines()) <= 80


def test_the_summary_has_the_verdict_first(run):
    """Verdict, then figures, then how to reproduce it, in columns."""
    summary, stream = Summary(), io.StringIO()
    for record in run:
        summary(record)
    print_summary(summary, Console(file=stream, width=100, force_terminal=True, color_system=None))
    lines = [line.rstrip() for line in stream.getvalue().splitlines() if line.strip()]
    assert lines[0].split() == ["verdict", "PASSED"]
    assert any("3 matched, 1 chosen, 1 killed: default/goldpinger-a" in line for line in lines)
    assert lines[-1].endswith("1 round in 1.0 s, seed 7")


def test_long_lines_go_on_below_their_text():
    """The label's column stays free, the label is shown whole, and no line ends with blanks."""
    proof = FaultProven(subject="pod default/" + "goldpinger-chaos-" * 3 + "kbd46", proof="Toxiproxy has latency " * 5)
    lines = shown(records_of([proof]), width=80).splitlines()
    assert len(lines) >= 3
    begin = lines[0].index("pod")
    assert all(line[:begin].strip() == "" and line[begin] != " " for line in lines[1:])
    assert all(line == line.rstrip() and len(line) <= 80 for line in lines)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_verdicts_are_never_cut_short(verdict):
    """The longest label there is fits its column."""
    finished = ScenarioFinished(name="Kill", verdict=verdict, reasons=(), duration_ms=1)
    assert f" {verdict} " in shown(records_of([finished]), width=80)
