"""Pictures: what goes into them is escaped, and what they measure lies where it should."""

import pytest

from seatrial.report.html.scale import Scale
from seatrial.report.svg import cut, element, picture, rectangle, text
from seatrial.report.words import percentage, quantity, seconds, tick


def test_texts_and_attributes_are_escaped():
    """Markup in a name stays text, and characters that can't be seen are written as escapes."""
    said = text(1, 2, "<b>\x1b\u202e", "label", hint='"><script>')
    assert said == (
        '<text x="1" y="2" class="label">&lt;b&gt;\\u001b\\u202e<title>&#34;&gt;&lt;script&gt;</title></text>'
    )
    assert element("a", b='"') == '<a b="&#34;"></a>'


def test_a_picture_says_what_it_shows():
    """Its title and its description are what names it."""
    drawn = picture(rectangle(0, 0, 1, 1, "bar"), width=10, height=5, name="p", title="T", description="D")
    assert drawn.startswith(
        '<svg viewBox="0 0 10 5" width="10" height="5" role="img" aria-labelledby="p-title p-description">'
        '<title id="p-title">T</title><desc id="p-description">D</desc>'
    )


def test_numbers_are_as_short_as_can_be():
    """A file with thousands of them stays small."""
    assert (
        rectangle(1.0, 2.345678, 3.10, -1, "bar") == '<rect x="1" y="2.35" width="3.1" height="0" class="bar"></rect>'
    )


def test_long_names_are_cut_in_the_middle():
    """Names of pods differ at their ends."""
    assert cut("goldpinger-7544b8785c-2f666", 13) == "goldpi…-2f666"
    assert cut("short", 13) == "short"


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 0.0123, [0, 0.0025, 0.005, 0.0075, 0.01]),
        (490, 640, [500, 525, 550, 575, 600, 625]),
        (5, 5, [5]),
    ],
)
def test_a_scale_has_round_figures(low, high, ticks):
    """Steps of 1, 2, 2.5 or 5 times a power of ten, all of them on the scale."""
    assert Scale(low, high, 0, 100).ticks(6) == ticks


@pytest.mark.parametrize(
    ("seconds_long", "ticks"),
    [
        (90, [0, 20, 40, 60, 80]),
        (900, [0, 300, 600, 900]),
        (7200, [0, 1800, 3600, 5400, 7200]),
        (30 * 86400, [0, 7 * 86400, 14 * 86400, 21 * 86400, 28 * 86400]),
    ],
)
def test_a_scale_of_time_has_figures_that_are_round_for_clocks(seconds_long, ticks):
    """Minutes, hours, days and weeks."""
    assert Scale(0, seconds_long, 0, 100).time_ticks(6) == ticks


def test_what_is_beyond_a_scale_lies_at_its_end():
    """Also where the scale has no length."""
    scale = Scale(0, 10, 100, 200)
    assert [scale(value) for value in (-5, 0, 5, 10, 99)] == [100, 100, 150, 200, 200]
    assert Scale(5, 5, 0, 10)(5) == 0


def test_figures_are_worded_for_people():
    """Shares have as many digits as tell them from all and nothing."""
    assert [percentage(each) for each in (1, 0, 0.95, 0.999, 0.99995, None)] == [
        "100 %", "0 %", "95 %", "99.9 %", "99.995 %", "-",
    ]  # fmt: skip
    assert [seconds(each) for each in (0.0042, 0.5, 12.34, None)] == ["4.2 ms", "500 ms", "12.3 s", "-"]
    assert [tick(each) for each in (0, 0.25, 30, 600, 7200, 259200)] == [
        "0", "250 ms", "30 s", "10 min", "2 h", "3 d",
    ]  # fmt: skip
    assert (quantity(0.5, "share"), quantity(0.5, "s")) == ("50 %", "500 ms")
