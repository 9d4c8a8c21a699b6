"""The first line."""

import pytest

from seatrial.dashboard.masthead import Facts, masthead
from seatrial.dashboard.panels import bars_of

FACTS = Facts(
    context="kind-production-eu", server="https://10.20.30.40:6443", is_production=True, is_halted=True, standing=2,
    namespace="shop", search="web", time="12:34:56",
)  # fmt: skip


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_it_is_exactly_as_wide_as_the_window(width):
    """The line fills the window and never breaks."""
    assert masthead(FACTS, width=width).cell_len == width


def test_what_matters_less_goes_first():
    """At 80 columns the server's address makes room for what one must know before a key is pressed."""
    line = masthead(FACTS, width=80).plain
    assert "10.20.30.40" not in line
    for part in ("kind-production-eu PRODUCTION", "■ HALTED", "↶ 2 to undo", "namespace shop"):
        assert part in line


def test_a_narrow_window_tells_what_one_must_know():
    """Which cluster, that it is production, that it is halted, and what stands; all else has made room."""
    words = "kind-production-eu PRODUCTION ■ HALTED ↶ 2 to undo"
    assert masthead(FACTS, width=60).plain.split() == words.split()


def test_a_wide_window_tells_everything():
    """Where there is room, the server and what is looked at are told, too."""
    line = masthead(FACTS, width=160).plain
    for part in ("10.20.30.40:6443", "namespace shop", "/web"):
        assert part in line


def test_bars_grow_with_their_times():
    """The longest time is a full bar; none is invisible."""
    assert bars_of([1, 4, 8]) == "▂▅█"
    assert bars_of([0, 0]) == "▁▁"
