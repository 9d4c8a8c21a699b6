"""The tutorial of the interactive shell: what is typed there prints what the page shows."""

import re
from pathlib import Path

from tests.docs.hand_sessions import Typed, blocks_of, carried_out, environment, prepared, rewritten
from tests.docs.transcripts import ROOT, masked
from tests.processes import processes_that_mention

PAGE = ROOT / "docs" / "tutorial" / "first-hour.md"


def test_the_first_hour_goes_as_the_page_shows(tmp_path: Path) -> None:
    """Each block, typed at a terminal, prints the lines of the page; at the end nothing is left."""
    blocks = blocks_of(PAGE.read_text())
    assert len(blocks) > 8
    done = carried_out(blocks, environment(tmp_path), prepared(tmp_path))
    for block, outcome in zip(blocks, done, strict=True):
        assert _lines(outcome) == _lines(block)
    assert processes_that_mention(str(tmp_path)) == []


def _lines(block: list[Typed]) -> list[str]:
    """However long lines are wrapped, and whatever their order."""
    outputs = [re.sub(r"\n {14,}", " ", typed.output) for typed in block]
    lines = {*(typed.text for typed in block), *(_masked(line) for each in outputs for line in masked(each))}
    return sorted(lines - {"waiting for the cluster; Ctrl-C stops waiting"})  # where it takes a while to start


def _masked(line: str) -> str:
    """Which pod is the second, where it runs, how many calls were made by now, the time of day: all that is chance."""
    for pattern, word in _CHANCE:
        line = pattern.sub(word, line)
    return line


_CHANCE = (
    (re.compile(r"(?<=HASH-SUFFIX )(on |\()?node\d( (west|east)-\d)?"), "PLACE"),
    (re.compile(r"(?<=goldpinger-HASH-SUFFIX )(.*)\bnode\d$"), r"\1PLACE"),
    (re.compile(r"\d+ calls, all answered"), "CALLS"),
    (re.compile(r"\d\d:\d\d UTC|\b\d\d:\d\d:\d\d\b"), "TIME"),
)


def test_what_is_typed_is_found_and_rewritten() -> None:
    """In bash and in the shell, in every transcript of a page and nowhere else."""
    page = "# T\n\n```console\n$ seatrial interactive\nold\nseatrial> pods\n1\n2\n```\n\n```\nseatrial> no\n```\n"
    [block] = blocks_of(page)
    assert block == [Typed("$ ", "seatrial interactive", "old"), Typed("seatrial> ", "pods", "1\n2")]
    again = [[Typed("$ ", "seatrial interactive"), Typed("seatrial> ", "pods", "new")]]
    assert "```console\n$ seatrial interactive\nseatrial> pods\nnew\n```" in rewritten(page, again)


def test_the_script_of_the_how_to_runs(tmp_path: Path) -> None:
    """Commands from a file, the destructive ones with `--yes`: all are done, and what they changed is taken back."""
    shell = "seatrial interactive --sandbox --load examples/manifests/goldpinger.yml --yes"
    script = [[Typed("$ ", f"cat examples/by-hand.txt | {shell}; echo $?")]]
    [[done]] = carried_out(script, environment(tmp_path), prepared(tmp_path))
    assert done.output.endswith("\n0"), done.output
    assert "undone: scale Deployment default/goldpinger to 5" in done.output
    assert "uncordon node node4" in done.output
    assert processes_that_mention(str(tmp_path)) == []
