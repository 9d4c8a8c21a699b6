"""The figures of docs/explanation/slo-statistics.md are those of the code."""

import math

import pytest

from benchmarks.coverage import PAGE, TABLES, sequential, shares, table_of, written
from seatrial.slo.anytime import anytime_runs_without_failure
from seatrial.slo.intervals import more_runs_needed, runs_without_failure, share_ruled_out
from seatrial.slo.quantiles import quantile_ranks, samples_needed
from seatrial.slo.sequential import SequentialTest

TEXT = PAGE.read_text()
FLAT = " ".join(TEXT.split())


@pytest.mark.parametrize("make", [shares, sequential])
def test_tables_that_are_counted_are_up_to_date(make):
    """Tables that are counted exactly stand in the page as `python -m benchmarks.coverage --write` writes them."""
    assert table_of([list(row) for row in make()]) in TEXT


@pytest.mark.parametrize("name", TABLES)
def test_every_table_has_its_place(name):
    """Each table of the coverage report is put between its marks in the page."""
    assert "| a |\n|---|\n| b |" in written(TEXT, name, table_of([["a"], ["b"]]))


def test_the_table_of_runs_without_a_failure():
    """The numbers of runs without a failure are those that the function gives."""
    for share, name in ((0.1, "10 %"), (0.05, "5 %"), (0.01, "1 %"), (0.001, "0.1 %")):
        runs = (runs_without_failure(share, confidence=confidence) for confidence in (0.9, 0.95, 0.99))
        assert f"| {name} | {' | '.join(f'{each:,}' for each in runs)} |" in TEXT


def test_worked_examples():
    """What the page works out is what the code says."""
    after_100 = share_ruled_out(100, confidence=0.95)
    assert f"fewer than 1 run in {math.floor(1 / after_100)} fails" in FLAT
    assert f"for 100 runs {after_100:.2%}".replace("%", " %") in FLAT
    assert f"takes {more_runs_needed(1, 10, share=0.05, confidence=0.95)} more good ones" in FLAT
    low, high = quantile_ranks(100, 0.95, confidence=0.95)
    assert f"between the {low}st and the {high}th" in FLAT
    assert (
        f"in {0.95**58:.1%} of all series. From {samples_needed(0.95, confidence=0.95)} on".replace("%", " %") in FLAT
    )
    witness, samples = (share_ruled_out(each, confidence=0.95) for each in (50, 50_000))
    assert f"rule out {witness:.1%}, as 50 runs do, not {samples:.3%}".replace("%", " %") in FLAT
    assert f"a quarter more runs: {anytime_runs_without_failure(0.05, confidence=0.95)} rather than 59" in FLAT
    both = next(count for count in range(1, 200) if None not in quantile_ranks(count, 0.95, confidence=0.975))
    assert f"for the 95th {both} runs on each side" in FLAT
    test = SequentialTest(0.01, 0.1, confidence=0.95, power=0.9)
    assert f"{test.more_runs_needed(0, 0)} good runs in a row accept" in FLAT
