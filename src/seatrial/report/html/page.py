"""The page: the template with the pictures and the words it needs.

It is one file that loads nothing: the style stands in it, allowed by its hash in a Content-Security-Policy that allows
nothing else. All that others named is escaped by Jinja; control characters, invisible ones and those that turn the
direction of text around are written as escapes.
"""

import base64
import hashlib
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from seatrial import __version__
from seatrial.policy.wording import counted, printable_lines
from seatrial.report import words
from seatrial.report.html.course import samples_course, times_course
from seatrial.report.html.distribution import distribution
from seatrial.report.html.heatmap import heatmap
from seatrial.report.html.history import history
from seatrial.report.html.objectives import gauge, trail
from seatrial.report.html.timeline import timeline
from seatrial.report.run_report.model import RoundTold, RunReport
from seatrial.runtime.verdict import Verdict

_MOST_LISTED = 50


def page(report: RunReport) -> str:
    """The report as HTML."""
    environment = _environment()
    source, _, _ = environment.loader.get_source(environment, "report.css")  # type: ignore[union-attr] # it has one
    digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
    not_passed = _not_passed(report)
    return environment.get_template(
        "report.html"
    ).render(
        report=report,
        style=Markup(source),  # noqa: S704 -- our own file
        style_hash=digest,
        headline=_headline(report),
        timelines=_timelines(report),
        longest=max(report.details, key=lambda each: each.seconds, default=None),
        version=__version__,
        rounds_of={each.name: [one for one in report.rounds if one.scenario == each.name] for each in report.scenarios},
        not_passed=not_passed[:_MOST_LISTED],
        not_passed_more=max(0, len(not_passed) - _MOST_LISTED),
    )


def _headline(report: RunReport) -> dict[str, str]:
    """The word, mark and colour at the top of the page."""
    if report.verdict is None:
        word = {"running": "still running", "died": "died"}.get(report.run.state, "no verdict")
        return {"word": word, "mark": "…" if report.run.state == "running" else "✗", "tone": "warn"}
    return {"word": report.verdict, "mark": words.MARKS[report.verdict], "tone": words.TONES[report.verdict]}


def _timelines(report: RunReport) -> str:
    """What those rounds have in common that are told in detail."""
    if len(report.rounds) <= len(report.details):
        return "Timeline"
    return "Timeline of the worst rounds" if _not_passed(report) else "Timeline of the longest rounds"


def _not_passed(report: RunReport) -> list[RoundTold]:
    return [each for each in report.rounds if each.verdict is not Verdict.PASSED]


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("seatrial.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        counted=counted,
        distribution=distribution,
        gauge=gauge,
        heatmap=heatmap,
        history=history,
        marks=words.MARKS,
        samples_course=samples_course,
        timeline=timeline,
        times_course=times_course,
        tones=words.TONES,
        trail=trail,
    )
    environment.filters.update(
        beside=words.beside,
        day_time=words.day_time,
        milliseconds=words.milliseconds,
        percentage=words.percentage,
        quantity=words.quantity,
        seconds=words.seconds,
        times=words.times,
    )
    return environment


def _harmless(value: Any) -> Any:
    """What a template puts in: without characters that can't be seen, unless it is markup that we made."""
    return printable_lines(value) if isinstance(value, str) and not isinstance(value, Markup) else value
