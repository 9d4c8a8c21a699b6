"""A report as Markdown for a comment on a pull request or an issue: short, the verdict first.

Whatever others named is in it as text: what Markdown or HTML would act on is escaped, mentions and links included.
"""

import re
from collections.abc import Iterator, Sequence

from seatrial.policy.wording import counted, printable
from seatrial.report.run_report.model import RunReport
from seatrial.report.words import MARKS, beside, percentage, seconds
from seatrial.runtime.verdict import Verdict

_MOST_REASONS = 10
_MOST_ROWS = 20
# An address becomes code, which no link is made of; what begins a mention, a reference or an emoji gets a blank of no
# width behind it, since these are looked for after entities and backslashes have been read.
_SPECIAL = re.compile(
    r"""(?P<address>(?:\b[a-z][a-z0-9+.-]*://|\bwww\.)[^\s`|]*[\w/])
    | (?P<reference>[@\#~%!](?=["\w])|&(?=\d)|~(?=~)|:(?=[0-9_-]*[a-z+][a-z0-9_+-]*:))
    | (?P<entity>[<|$]|&(?=\#?\w+;))
    | (?P<mark>[\\`*]|(?<![a-z0-9])_|_(?![a-z0-9])|\[(?!\d+\])|\](?=[(\[:]))""",
    re.IGNORECASE | re.VERBOSE,
)
_BEGINNING = re.compile(r"^(?:[-+=>#]|\d+(?=[.)]))")
_NO_WIDTH = "&#8203;"
_LONGEST = 300


def markdown(report: RunReport) -> str:
    """The report; it ends with an end of line."""
    return "\n".join(_lines(report)).rstrip("\n") + "\n"


def _lines(report: RunReport) -> Iterator[str]:
    word = report.verdict.upper() if report.verdict else report.run.state.upper()
    mark = MARKS[report.verdict] if report.verdict else "…"
    yield f"## {mark} {word}: {_text(report.run.policy)}"
    yield ""
    if report.incomplete:
        yield f"{_text(report.incomplete)}\n"
    for reason in report.reasons[:_MOST_REASONS]:
        yield f"- {_item(reason)}"
    if len(report.reasons) > _MOST_REASONS:
        yield f"- and {counted(len(report.reasons) - _MOST_REASONS, 'other reason')}"
    if report.reasons:
        yield ""
    yield from _objectives(report)
    yield from _scenarios(report)
    yield from _times(report)
    yield from _availability(report)
    yield from _clean_up(report)
    run = report.run
    versions = [
        f"{name.capitalize()} {_text(run.versions.get(name) or 'unknown')}" for name in ("kubernetes", "seatrial")
    ]
    yield f"Run {run.id}: {counted(run.rounds, 'round')} in {seconds(run.seconds)}, seed {_text(run.seed)},"
    yield f"{', '.join(versions)}. Again: {_code(report.reproduction.command)}"


def _objectives(report: RunReport) -> Iterator[str]:
    yield from _table(
        ("Objective", "Status", "Samples", "What is known"),
        [
            (_text(each.objective), f"{MARKS[each.status]} {each.status}", str(each.samples), _text(beside(each)))
            for each in report.objectives
        ],
    )


def _scenarios(report: RunReport) -> Iterator[str]:
    rows = []
    for each in report.scenarios:
        why = "; ".join(_text(reason) for reason in list(each.reasons)[:3])
        counts = (each.passed, each.failed, each.inconclusive)
        verdicts = (Verdict.PASSED, Verdict.FAILED, Verdict.INCONCLUSIVE)
        told = [f"{MARKS[verdict]} {count}" if count else "0" for verdict, count in zip(verdicts, counts, strict=True)]
        rows.append((_text(each.name), *told, why))
    yield from _table(("Scenario", "Passed", "Failed", "Inconclusive", "Why"), rows)


def _times(report: RunReport) -> Iterator[str]:
    rows = [
        (
            _text(each.name), _text(each.scenario), str(each.count), seconds(each.quantiles[0].estimate),
            seconds(each.quantiles[2].estimate), seconds(each.quantiles[2].upper), seconds(each.largest),
        )
        for each in report.measurements
    ]  # fmt: skip
    yield from _table(("Time", "Scenario", "Values", "Median", "95 %", "at most", "Largest"), rows)


def _availability(report: RunReport) -> Iterator[str]:
    rows = [
        (
            f"{_text(each.scenario)}, {_text(each.probe)}", percentage(each.share), percentage(each.lower),
            f"{each.failed} of {each.samples}", seconds(each.longest_outage_seconds),
        )
        for each in report.availability
    ]  # fmt: skip
    yield from _table(("Probe", "Available", "at least", "Failed", "Longest outage"), rows)


def _clean_up(report: RunReport) -> Iterator[str]:
    if report.undo.failed:
        yield f"**{counted(len(report.undo.failed), 'change')} could NOT be undone:**"
        yield ""
        for each in report.undo.failed:
            yield f"- {_text(each.what)}: {_text(each.error)}. By hand: {_code(each.manual)}"
        yield ""


def _table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    if not rows:
        return
    yield f"| {' | '.join(headings)} |"
    yield "|" + " --- |" * len(headings)
    for row in rows[:_MOST_ROWS]:
        yield f"| {' | '.join(row)} |"
    yield ""
    if len(rows) > _MOST_ROWS:
        yield f"and {len(rows) - _MOST_ROWS} more"
        yield ""


def _text(said: str) -> str:
    """A text as it stands, on one line, for the middle of one."""
    shortened = said if len(said) <= _LONGEST else said[: _LONGEST - 1] + "…"
    return _SPECIAL.sub(_escaped, printable(shortened))


def _item(said: str) -> str:
    """The same for the beginning of a line, where it makes no heading, quotation or list."""
    text = _text(said.strip())
    return _BEGINNING.sub(lambda mark: f"{mark[0]}\\" if mark[0].isdigit() else f"\\{mark[0]}", text)


def _escaped(special: re.Match[str]) -> str:
    match special.lastgroup:
        case "address":
            return f"`{special[0]}`"
        case "reference":
            return special[0] + _NO_WIDTH
        case "entity":
            return f"&#{ord(special[0])};"
    return f"\\{special[0]}"


def _code(said: str) -> str:
    """A text between as many backticks as it takes."""
    text = printable(said)
    longest = max((len(each) for each in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {text} {fence}" if longest else f"`{text}`"
