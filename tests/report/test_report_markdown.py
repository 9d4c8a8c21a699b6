"""The report as Markdown: short, the verdict first, and nothing in it that anybody else wrote acts on anything."""

import re

from seatrial.report.formats import rendered
from seatrial.runtime.verdict import Verdict
from tests.report.kept_runs import begun, finish, long_run, report_of, run_record, small_run


def test_the_verdict_is_the_first_line_and_the_rest_is_short():
    """Verdict, reasons, objectives, scenarios, times, availability, how to run it again: a screen or two."""
    text = rendered(report_of(long_run(310).records), "markdown")
    lines = text.splitlines()
    assert lines[0] == "## ✗ FAILED: kill-one.yml"
    assert "- the objective is violated" in lines
    assert len(lines) < 40
    assert "| 95 % recover within 500 ms | ✗ violated | 310 |" in text
    assert lines[-1].endswith("Again: `seatrial autonomous --policy-file kill-one.yml --seed 42`")


def test_what_could_not_be_undone_is_said_with_its_command():
    """Somebody has to act on it."""
    text = rendered(report_of(small_run().records), "markdown")
    assert "**1 change could NOT be undone:**" in text
    assert "By hand: `kubectl uncordon node2`" in text


def test_tables_keep_their_columns():
    """A bar in a name is no border of a cell, and a line's end no end of a row."""
    text = rendered(report_of(small_run(name="a | b\n| c |").records), "markdown")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    tables = re.split(r"\n\n", text)
    for table in tables:
        widths = {line.count("|") for line in table.splitlines() if line.startswith("|")}
        assert len(widths) <= 1, table
    assert any("a &#124; b\\\\n&#124; c &#124;" in row for row in rows)


def test_names_make_no_links_mentions_or_markup():
    """Mentions, issue numbers, links, images, tags and headings stay what they are: text."""
    said = "@everyone #1 ~l %m !2 [x](e.vil) ![y](z) [z]: e <img src=x> **b** _i_ `c` www.e.vil :tada: $x$ &lt; \u202e"
    line = begun()
    finish(line, rounds=0, verdict=Verdict.FAILED, reasons=(said, "# heading", "1. list", "- list"))
    text = rendered(report_of(line.records, run_record(policy=said, seed=said)), "markdown")
    text = re.sub(
        r"(`+) .*? \1|`[^`]*`", "", text.replace("\\`", "'").replace("&#8203;", "\u200b")
    )  # nothing acts in code
    assert not re.search(r"(?:[@~%!]|(?<!&)#)(?=\w)|:tada|<img|www\.|\$x|&lt;|\u202e", text)
    assert not re.search(r"(?<!\\)(\[[xy]|\*\*b|\b_i)|\](?=[(:])(?<!\\\])", text)
    assert "- \\# heading" in text
    assert "- 1\\. list" in text
    assert "- \\- list" in text


def test_it_is_readable_before_anything_renders_it():
    """Versions, names with underscores, addresses and indexes stay as they are: most people see the source first."""
    said = "probes[0] of time_to_ready: GET http://127.0.0.1:8080/healthz: 0.5 s - 95 % of 1.5 s at 12:30:00"
    line = begun()
    finish(line, rounds=0, verdict=Verdict.FAILED, reasons=(said,))
    text = rendered(report_of(line.records, run_record(policy=said, versions={"seatrial": "0.1.0"})), "markdown")
    shown = said.replace("http://127.0.0.1:8080/healthz", "`http://127.0.0.1:8080/healthz`")
    assert f"- {shown}" in text
    assert "Seatrial 0.1.0. Again" in text
    assert "&#" not in text
