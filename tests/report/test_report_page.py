"""The HTML report as a file: what is in it, that nothing in it can do harm, and that everybody can read it."""

import base64
import hashlib
import random
import re
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise

import msgspec
import pytest

from seatrial.report.formats import rendered
from seatrial.runtime.events import (
    FaultProven,
    NodeRef,
    NodesChosen,
    PodRef,
    ProbeSampled,
    ProofMissing,
    RunStarted,
    ScenarioFinished,
    UndoDone,
    Where,
)
from seatrial.runtime.process_identity import this_process
from seatrial.runtime.verdict import Verdict
from tests.report.kept_runs import (
    POLICY,
    add_round,
    begun,
    finish,
    long_run,
    numbered,
    report_of,
    run_record,
    small_run,
)

VOID = {"meta", "br", "link", "img", "input", "hr"}
HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(2)'>",
    "]]>--></style></title>",
    "\x1b[31mred\x1b[0m",
    "\u202eekil\u2066\u200b",
    "{{ 7 * 7 }}",
    "javascript:alert(3)",
)


class Outline(HTMLParser):
    """The elements of a page in order, each with its attributes, and the texts; fails where tags don't match."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag in tags]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module", name="small")
def _small():
    """A small run's page."""
    return rendered(report_of(small_run().records), "html")


@pytest.fixture(scope="module", name="long")
def _long():
    """The page of a run of 400 rounds."""
    return rendered(report_of(long_run(400).records), "html")


def test_the_verdict_comes_first(small):
    """The first section after the title has the verdict, in a word and a mark, and the reasons for it."""
    text = Outline(small).text
    assert 0 < text.index("✗ failed") < text.index("the Service did not answer") < text.index("Began")


def test_all_that_a_run_has_is_told(small):
    """Warnings, rounds, times, availability, outages, the mesh, evidence, clean-up, the policy, how to run it again."""
    text = Outline(small).text
    for told in (
        "namespace kube-system is protected", "1 passed, 1 failed, 1 inconclusive", "timeToRecover",
        "connection refused", "7 of 9 calls succeed", "no replacement was seen", "kubectl uncordon node2",
        POLICY.split("\n", maxsplit=1)[0],
        "seatrial autonomous --policy-file kill-one.yml --seed 42", "v1.33.1", "laptop",
    ):  # fmt: skip
        assert told in text, told


def test_thousands_of_rounds_are_told_in_few(long):
    """Of many rounds the worst are told in detail, the others as a strip."""
    outline = Outline(long)
    assert "Timeline of the worst rounds" in outline.text
    timelines = [each for each in outline.all("svg") if each["class"] == "timeline"]
    assert len(timelines) == 8
    assert "394 passed, 4 failed, 2 inconclusive" in outline.text
    assert len(long) < 300_000


def test_rounds_that_passed_are_folded_but_the_longest():
    """Where all is well nobody scrolls by eight pictures of it."""
    line = begun()
    dice = random.Random(1)
    for number in range(1, 13):
        add_round(line, number, dice)
    finish(line, rounds=12, verdict=Verdict.PASSED, reasons=())
    report = report_of(line.records)
    page = Outline(rendered(report, "html"))
    assert "Timeline of the longest rounds" in page.text
    longest = max(report.details, key=lambda each: each.seconds).round
    folded = {each.round for each in report.details} - {longest}
    assert set(re.findall(r"The timeline and the account of round (\d+)", page.text)) == set(map(str, folded))


def test_many_proofs_are_folded_but_missing_ones_never():
    """What was not proven is what somebody has to look at."""
    line = begun()
    for number in range(20):
        line.add(FaultProven(subject=f"pod default/p{number}", proof=f"its object {number} is gone"))
    line.add(ProofMissing(subject="pod default/lost", reason="nobody saw it"))
    page = rendered(report_of(line.records), "html")
    open_part, _, folded = page.partition("<summary>The proofs</summary>")
    assert "nobody saw it" in open_part
    assert "its object 19 is gone" not in open_part
    assert "its object 19 is gone" in folded


def test_probes_of_steps_alone_say_nothing_of_availability():
    """A step that waits for an answer asks until it comes: what fails before is no outage."""
    line = begun()
    line.where = Where(round=1, scenario="s", step=0)
    line.add(ProbeSampled(target="http://a/", via="url", ok=False, attempt=1, status=None, latency_ms=None, error="no"))
    page = Outline(rendered(report_of(line.records), "html")).text
    assert "Probes that steps made" in page
    assert "s, step 1: http://a/" in page
    assert "Availability" not in page


def test_an_objective_is_drawn_with_its_bounds_budget_and_course(long):
    """Estimate, bounds and limit; how they came there; the budget and how fast it is spent."""
    outline = Outline(long)
    classes = [each["class"] for each in outline.all("svg")]
    assert {"gauge", "trail", "distribution", "history", "heatmap"} <= set(classes)
    assert (
        "The estimate is 590 ms, from 533 ms to 647 ms (95 % sure of each bound); the limit is 500 ms." in outline.text
    )
    assert "overspent, 1.4 times what may go wrong; target 95 %" in outline.text
    assert "2.5 times, too fast" in outline.text


@pytest.mark.parametrize("text", HOSTILE)
def test_what_others_named_is_only_ever_text(text):
    """Markup, escape codes and characters that turn text around in any name do nothing, and can be seen."""
    pod = PodRef(namespace=text, name=text, uid="1", node=text)
    line = small_run(name=text)
    extra = [
        NodesChosen(nodes=(NodeRef(name=text, uid="1", zone=text),), matched=1),
        ProofMissing(subject=f"pod {pod}", reason=text),
        UndoDone(description=text, note=text),
        ScenarioFinished(name=text, verdict=Verdict.FAILED, reasons=(text,), duration_ms=1),
    ]
    place = line.records[-2]
    records = [*line.records[:-2], *(msgspec.structs.replace(place, event=each) for each in extra), *line.records[-2:]]
    run = run_record(policy=text, policy_text=text, server=text, context=text, host=text, seed=text)
    plain = Outline(rendered(report_of(small_run().records), "html"))
    page = rendered(report_of(list(numbered(records)), run), "html")
    outline = Outline(page)
    assert {tag for tag, _ in outline.elements} <= {tag for tag, _ in plain.elements} | {"ul", "li"}
    attributes = {name for _, each in outline.elements for name in each}
    assert attributes <= {name for _, each in plain.elements for name in each}
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u200b\u202a-\u202e\u2066-\u2069]", page)
    assert "\n49\n" not in page


def test_nothing_is_loaded_and_no_script_is_there(long):
    """No address is followed, nothing is fetched, no attribute runs anything; links lead into the page itself."""
    outline = Outline(long)
    assert not outline.all("script", "link", "img", "iframe", "object", "form", "base", "use", "foreignobject")
    for _, attributes in outline.elements:
        assert not [name for name in attributes if name.startswith("on") or name in {"src", "style", "srcset"}]
        assert (attributes.get("href") or "#").startswith("#")
    assert "url(" not in "".join(outline.texts)
    assert "@import" not in long


def test_only_its_own_style_is_allowed(long):
    """The Content-Security-Policy allows nothing but the style that stands in the page, by its hash."""
    outline = Outline(long)
    (policy,) = [each["content"] for each in outline.all("meta") if "http-equiv" in each]
    style = re.search(r"<style>(.*?)</style>", long, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_it_can_be_read_without_seeing_it(long):
    """Landmarks, headings one level at a time, pictures with a title and a description, tables with named headers."""
    outline = Outline(long)
    tags = [tag for tag, _ in outline.elements]
    assert tags.count("main") == tags.count("h1") == 1
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    known = [each["id"] for _, each in outline.elements if "id" in each]
    assert len(known) == len(set(known))
    for picture in outline.all("svg"):
        assert picture["role"] == "img"
        assert set(picture["aria-labelledby"].split()) <= set(known)
    assert all(each.get("scope") in {"col", "row"} for each in outline.all("th"))
    named = [each["aria-labelledby"] for _, each in outline.elements if "aria-labelledby" in each]
    assert {name for each in named for name in each.split()} <= set(known)
    links = [each["href"][1:] for each in outline.all("a")]
    assert set(links) <= set(known)
    assert all(each.get("aria-label") for each in outline.all("div") if each.get("role") == "region")


def _colours(style: str) -> list[dict[str, str]]:
    """The colours of the light, the dark and the printed page; each of the last two overrides the first."""
    blocks = [
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
        for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    ]
    assert len(blocks) == 3
    return [blocks[0] | block for block in blocks]


def _contrast(one: str, other: str) -> float:
    """The contrast of two colours (WCAG 2.2, "contrast ratio" and "relative luminance")."""
    lights = []
    for colour in (one, other):
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)


TEXTS = [
    *((ink, "page") for ink in ("ink", "soft", "link", "good-ink", "bad-ink", "warn-ink")),
    *((ink, "panel") for ink in ("ink", "soft")),
    *((f"{tone}-ink", f"{tone}-back") for tone in ("good", "bad", "warn")),
    *(("shade-ink", f"shade{number}") for number in range(4)),
    ("shade4-ink", "shade4"),
    ("ink", "band"),
]
MARKS = [(f"{name}-mark", "page") for name in ("good", "bad", "warn", "accent", "fault", "open")]


@pytest.mark.parametrize("theme", [0, 1, 2], ids=["light", "dark", "print"])
def test_texts_and_marks_stand_out(theme):
    """Texts have a contrast of at least 4.5 to what is behind them, bars and lines of 3 (WCAG 2.2, 1.4.3, 1.4.11)."""
    style = files("seatrial.report").joinpath("templates/report.css").read_text()
    colours = _colours(style)[theme]
    for ink, back in TEXTS:
        assert _contrast(colours[ink], colours[back]) >= 4.5, (ink, back)
    for mark, back in MARKS:
        assert _contrast(colours[mark], colours[back]) >= 3, (mark, back)
    assert _contrast(colours["on-mark"], colours["bad-mark"]) >= 4.5


def test_no_colour_speaks_alone(small):
    """Each verdict has a mark beside its colour, and what is inconclusive is striped."""
    outline = Outline(small)
    for mark, word in (("✓", "passed"), ("✗", "failed"), ("?", "inconclusive")):
        assert f"{mark} {word}" in outline.text
    assert [each for each in outline.all("rect") if (each.get("fill") or "").startswith("url(#history")]


def test_a_run_that_goes_on_and_one_that_died_say_so():
    """What is there so far is told, above all that it isn't all."""
    line = small_run()
    unfinished = [each for each in line.records if type(each.event).__name__ not in {"RunFinished", "ScenarioFinished"}]
    died = Outline(rendered(report_of(list(numbered(unfinished))), "html")).text
    assert "✗ died The run died before its end" in died
    assert "not ended" in died
    alive = run_record(process=this_process())
    running = Outline(rendered(report_of(list(numbered(unfinished)), alive), "html")).text
    assert "… still running The run is still going on: this is what there is so far." in running


def test_a_run_without_a_single_round_has_a_report():
    """A run that ended before its first scenario is told as what it was."""
    line = begun()
    finish(line, rounds=0, verdict=Verdict.INCONCLUSIVE, reasons=("nothing ran",))
    text = Outline(rendered(report_of(line.records), "html")).text
    assert "? inconclusive" in text
    assert "No scenario began." in text
    assert isinstance(line.records[0].event, RunStarted)
