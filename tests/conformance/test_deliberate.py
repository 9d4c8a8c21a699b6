"""What the sandbox means to answer differently is told to its users."""

from tests.conformance.deliberate import PAGE, excuse, page_with_list
from tests.conformance.scores import Outcome, Score


def test_the_page_has_the_list() -> None:
    """The documentation repeats the list that the replay goes by: `make docs` writes it."""
    page = PAGE.read_text(encoding="utf-8")
    assert page_with_list(page) == page


def test_a_deliberate_difference_is_not_counted() -> None:
    """The share is that of the answers that are meant to be alike; a case without a difference needs no excuse."""
    meant = Outcome("GET budgets as a Table", ["f:currentHealthy: missing"])
    alike, different = Outcome("GET budgets as a Table"), Outcome("GET something", ["status 404, expected 200"])
    for outcome in (meant, alike, different):
        excuse("subresources", outcome)
    score = Score.of([meant, alike, different])
    assert (score.alike, score.deliberate, score.percent) == (1, 1, 50)
