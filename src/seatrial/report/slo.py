"""How objectives stand, for people: a table for a terminal, a report in Markdown."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from textwrap import wrap

from seatrial.policy.wording import counted, printable
from seatrial.report.objectives import burn_rates, figures, mark, worst_first
from seatrial.report.sparkline import sparkline
from seatrial.report.standings import Standing, counted_statuses
from seatrial.runtime.events import ObjectiveJudged, ObjectiveStatus

_SHORTEST_NAME = 20
_WIDTH = 80


def status_lines(standings: Sequence[Standing], *, plain: bool = False) -> Iterator[str]:
    """A table of objectives, by scenario; below each what it rests on."""
    rows = [_row(each, plain=plain) for each in standings]
    titles = ("  OBJECTIVE", "ESTIMATE", "VALUES", "BUDGET")
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    widths[0] = min(widths[0], max(_SHORTEST_NAME, _WIDTH - sum(2 + width for width in widths[1:])))

    def line(cells: Sequence[str]) -> str:
        return "  ".join(_fitted(cell, width) for cell, width in zip(cells, widths, strict=True)).rstrip()

    place = None
    yield line(titles)
    for each, row in zip(standings, rows, strict=True):
        key = each.held.key
        if (key.scenario, key.policy, key.cluster) != place:
            place = key.scenario, key.policy, key.cluster
            where = f"{key.scenario} ({key.policy}{f' on {key.cluster}' if key.cluster else ', never run'})"
            yield from wrap(printable(where), _WIDTH, subsequent_indent="  ")
        yield printable(line(row))
        for detail in _details(each, plain=plain):
            yield from wrap(printable(detail), _WIDTH, initial_indent="    ", subsequent_indent="      ")
    counts = counted_statuses(standings)
    yield ", ".join(f"{counts[status]} {status}" for status in ObjectiveStatus if counts[status])


def report_markdown(standings: Sequence[Standing], *, window: str, now: float) -> str:
    """A report for people who were not there: how each objective stands, why, and what changed."""
    return "\n".join([*_report(standings, window=window, now=now), ""])


def _row(each: Standing, *, plain: bool) -> tuple[str, ...]:
    judged = each.judged
    budget = "-" if judged.budget is None else f"{judged.budget.left * 100:.0f} %"
    return f"{mark(judged.status, plain=plain)} {judged.objective}", figures(judged), f"{judged.samples:,}", budget


def _fitted(cell: str, width: int) -> str:
    return cell.ljust(width) if len(cell) <= width else f"{cell[: width - 3]}..."


def _details(each: Standing, *, plain: bool) -> Iterator[str]:
    judged = each.judged
    yield _without_name(judged.text, each)
    if judged.budget is not None and judged.budget.burn_rates:
        yield f"burn rates: {burn_rates(judged)}"
    yield from judged.warnings
    if each.latest:
        yield f"latest: {sparkline(each.latest, plain=plain)}"


def _report(standings: Sequence[Standing], *, window: str, now: float) -> Iterator[str]:
    yield "# Service level objectives"
    yield ""
    span = f"the last {window}" if window else "the window of each"
    counts = counted_statuses(standings)
    said = ", ".join(f"{counts[status]} {status}" for status in ObjectiveStatus if counts[status])
    yield f"{counted(len(standings), 'objective')} over {span}, as of {_moment(now)}: **{said or 'nothing to judge'}**."
    yield ""
    yield "| objective | scenario | status | estimate (bounds) | values | budget left | burn rates |"
    yield "|---|---|---|---|---|---|---|"
    for judged, each in _worst_first(standings):
        key = each.held.key
        budget = "-" if judged.budget is None else f"{judged.budget.left * 100:.0f} %"
        cells = (judged.objective, key.scenario, judged.status, figures(judged), f"{judged.samples:,}", budget)
        yield f"| {' | '.join(_cell(cell) for cell in (*cells, burn_rates(judged)))} |"
    for _, each in _worst_first(standings):
        yield from _section(each)


def _section(each: Standing) -> Iterator[str]:
    judged, key = each.judged, each.held.key
    yield ""
    yield f"## {_cell(judged.objective)}"
    yield ""
    place = f"*{_cell(key.scenario)}* of `{key.policy}` on `{key.cluster or 'no cluster yet'}`"
    yield f"Scenario {place}: {_cell(_without_name(judged.text, each))}."
    if judged.warnings:
        yield ""
        yield from (f"- **{_cell(warning)}**" for warning in judged.warnings)
    if each.changes:
        yield ""
        yield from (f"- {_moment(change.at)}: {_cell(_without_name(change.text, each))}" for change in each.changes)


def _without_name(text: str, each: Standing) -> str:
    return text.removeprefix(f"{each.judged.objective}: ")


def _worst_first(standings: Sequence[Standing]) -> list[tuple[ObjectiveJudged, Standing]]:
    by_text = {id(each.judged): each for each in standings}
    ordered = worst_first((each.held.key.scenario, each.judged) for each in standings)
    return [(judged, by_text[id(judged)]) for _, judged in ordered]


def _cell(text: str) -> str:
    """A text in Markdown, as it is: names are anybody's."""
    escaped = "".join(f"\\{each}" if each in "\\`*_[]<|#" else each for each in printable(text))
    return escaped.replace("\n", " ")


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"
