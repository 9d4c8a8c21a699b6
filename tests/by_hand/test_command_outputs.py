"""What commands on machines write, as who ran them sees it."""

import io

import pytest
from rich.console import Console

from seatrial.by_hand.command_outputs import CommandOutputs
from seatrial.report.account import Line
from seatrial.report.terminal import print_line
from seatrial.runtime.events import CommandExecuted, CommandOutput, NodeRef, NodeUncordoned


def wrote(node, line):
    return CommandOutput(id=f"uid-{node}", name=node, line=line)


def ended(node, **given):
    said = {"command": "ls", "exit_code": 0, "output": "", "duration_ms": 5, **given}
    return CommandExecuted(id=f"uid-{node}", name=node, **said)


def told(*events):
    outputs = CommandOutputs()
    return [line for event in events for line in outputs.lines(event)]


def test_lines_of_machines_that_write_at_once_are_told_machine_by_machine():
    """When its command has ended, and not before."""
    events = [wrote("a", "1"), wrote("b", "2"), wrote("a", "3"), ended("b"), wrote("a", ""), ended("a")]
    assert [(line.label, line.text) for line in told(*events)] == [
        ("b", "exit code 0, in 5 ms"),
        ("", "2"),
        ("a", "exit code 0, in 5 ms"),
        ("", "1"),
        ("", "3"),
        ("", ""),
    ]


def test_each_command_begins_anew():
    """A second command on a machine does not repeat what the first wrote."""
    lines = told(wrote("a", "first"), ended("a"), wrote("a", "second"), ended("a"))
    assert [line.text for line in lines if line.verbatim] == ["first", "second"]


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({}, Line(0, "a", "exit code 0, in 5 ms", "dim")),
        ({"exit_code": 7}, Line(0, "a", "exit code 7, in 5 ms", "bad")),
        ({"exit_code": None, "error": "no way there"}, Line(0, "a", "no exit code: no way there", "bad")),
    ],
)
def test_what_failed_is_red(given, line):
    """With its exit code, or why there is none: what was interrupted may have run, and may run on."""
    assert told(ended("a", **given)) == [line]


def test_without_lines_the_end_of_the_output_is_told():
    """Not every way to machines tells lines."""
    assert [line.text for line in told(ended("a", output="x\ny\n"))][1:] == ["x", "y"]


def test_other_events_are_not_its_own():
    """They are left to the account."""
    assert CommandOutputs().lines(NodeUncordoned(node=NodeRef("a", "u"))) is None


def test_a_table_is_not_folded_by_us_in_a_narrow_window():
    """Lines are as wide as they were written, tabs are blanks, and the terminal acts on nothing in them."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=40, color_system=None)
    wide = "x  " * 30 + "end"
    for line in told(wrote("a", wide), wrote("a", "a\tb\x1b[2J"), ended("a"))[1:]:
        print_line(line, console)
    assert out.getvalue().splitlines() == [wide, "a       b\\u001b[2J"]
