"""The HTML report in a real browser: what it loads, what it complains about, and what a screen reader is told."""

import pytest

from seatrial.report.formats import rendered
from tests.browsers import browser, page_in
from tests.report.kept_runs import long_run, report_of

pytestmark = pytest.mark.skipif(browser() is None, reason="there is no Chromium here (apt-get install chromium)")

WIDE, NARROW = 1100, 360


@pytest.fixture(scope="module", name="file")
def _file(tmp_path_factory):
    """A report of 120 rounds, as a file."""
    file = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text(rendered(report_of(long_run(120).records), "html"))
    return file


async def test_it_loads_nothing_and_nothing_in_it_is_wrong(file):
    """The browser asks for the file alone, and has no error or warning to log: the policy allows what there is."""
    async with page_in(browser()) as page:
        await page.open(file.as_uri())
        asked = [each["request"]["url"] for each in page.named("Network.requestWillBeSent")]
        complaints = [each["entry"]["text"] for each in page.named("Log.entryAdded")]
        assert asked == [file.as_uri()]
        assert complaints == []
        assert await page.value("getComputedStyle(document.querySelector('.verdict')).borderLeftWidth") == "8px"


async def test_a_screen_reader_is_told_all_of_it(file):
    """The accessibility tree has landmarks, headings, the pictures with names and descriptions, named tables' cells."""
    async with page_in(browser()) as page:
        await page.open(file.as_uri())
        tree = (await page.ask("Accessibility.getFullAXTree"))["nodes"]
    told = [
        (each["role"]["value"], each.get("name", {}).get("value", ""), each.get("description", {}).get("value", ""))
        for each in tree
        if not each["ignored"]
    ]
    roles = {role for role, _, _ in told}
    assert {"banner", "main", "contentinfo", "navigation", "heading", "table", "columnheader", "rowheader"} <= roles
    headings = [name for role, name, _ in told if role == "heading"]
    assert [each.strip() for each in headings[:2]] == ["kill-one.yml", "FAILED"]
    pictures = [(name, said) for role, name, said in told if role in {"image", "img"}]
    assert any("Timeline of round 40" in name for name, _ in pictures)
    assert any("Distribution of timeToRecover" in name for name, _ in pictures)
    assert all(name for name, _ in pictures)


async def test_nothing_makes_the_page_wider_than_the_screen(file):
    """On a wide screen as on a phone what is wide scrolls in a box of its own, not the page."""
    async with page_in(browser()) as page:
        await page.open(file.as_uri())
        for width in (WIDE, NARROW):
            screen = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
            await page.ask("Emulation.setDeviceMetricsOverride", **screen)
            assert await page.value("document.documentElement.scrollWidth") <= width


async def test_what_is_folded_away_is_printed(file):
    """On paper nothing can be unfolded: accounts of rounds are there."""
    async with page_in(browser()) as page:
        await page.open(file.as_uri())
        await page.ask("Emulation.setEmulatedMedia", media="print")
        height = "document.querySelector('details:not([open]) table').getBoundingClientRect().height"
        assert await page.value(height) > 100
