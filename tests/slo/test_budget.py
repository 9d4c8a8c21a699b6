"""Error budgets: what is left, and how fast it goes."""

import pytest

from seatrial.slo.budget import budget_in_words, budget_of
from seatrial.slo.series import Count
from seatrial.slo.tallies import Sums
from seatrial.slo.wording import percent, time_in_words
from tests.slo.conftest import NOW


def test_what_is_left_is_the_share_of_what_may_go_wrong() -> None:
    """Of 1000 ten may be bad: four were, 60 % is left; of twenty it is overspent by as much again."""
    assert budget_of(0.99, Sums(996, 4, 0, 1000), [], now=NOW).left == pytest.approx(0.6)
    assert budget_of(0.99, Sums(980, 20, 0, 1000), [], now=NOW).left == pytest.approx(-1.0)
    assert budget_of(0.99, Sums(0, 0, 0, 0), [], now=NOW).left == 1.0


def test_what_is_unknown_is_neither_good_nor_bad() -> None:
    """A value that was cut off before the limit spends no budget, and earns none."""
    assert budget_of(0.9, Sums(99, 1, 50, 150), [], now=NOW).left == pytest.approx(0.9)


def test_a_burn_rate_is_how_many_times_faster_than_sustainable_it_goes() -> None:
    """1 % bad of 0.1 % that may be is ten times too fast; each window looks at its own minutes."""
    latest = [Count(99, 1, NOW - 60), Count(100, 0, NOW - 1800), Count(100, 0, NOW - 10_000)]
    rates = budget_of(0.999, Sums(299, 1, 0, 3), latest, now=NOW).burn_rates
    assert rates == {"5m": pytest.approx(10), "1h": pytest.approx(5), "6h": pytest.approx(10 / 3)}


def test_a_window_in_which_nothing_was_seen_has_no_burn_rate() -> None:
    """Nothing seen isn't nothing burnt."""
    rates = budget_of(0.99, Sums(10, 0, 0, 1), [Count(10, 0, NOW - 7200)], now=NOW).burn_rates
    assert rates == {"6h": 0.0}


def test_budgets_in_words() -> None:
    """What is left, or how many times too much went wrong."""
    assert budget_in_words(budget_of(0.99, Sums(996, 4, 0, 1000), [], now=NOW)) == "60 % of the error budget left"
    overspent = budget_of(0.99, Sums(975, 25, 0, 1000), [], now=NOW)
    assert budget_in_words(overspent) == "error budget overspent: 2.5 times what may go wrong"


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0, "0 %"), (1, "100 %"), (0.5, "50 %"), (0.372, "37 %"), (0.976, "97.6 %"), (0.9953, "99.53 %"),
        (0.99995, "99.9950 %"), (0.999, "99.90 %"), (0.0003, "0.03 %"), (0.1 + 0.2, "30 %"),
    ],
)  # fmt: skip
def test_a_share_has_as_many_digits_as_it_needs(share: float, words: str) -> None:
    """Nearly all isn't all: two digits of what is missing."""
    assert percent(share) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.0424, "42 ms"), (4.126, "4.13 s"), (99.96, "100 s"), (310.2, "310 s")]
)
def test_times_in_words(seconds: float, words: str) -> None:
    """Three digits at most."""
    assert time_in_words(seconds) == words
