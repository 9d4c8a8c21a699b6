"""How often the bounds of `seatrial.slo` are right, counted exactly or by simulation, as tables.

Run it with `python -m benchmarks.coverage`; with `--write` it puts the tables into docs/explanation/slo-statistics.md.
It fails when bounds are right less often than that page promises.
"""

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import product
from pathlib import Path

from seatrial.slo.anytime import anytime_binomial_bounds
from seatrial.slo.clustered import ratio_bounds
from seatrial.slo.intervals import Bounds, binomial_bounds, wilson_bounds
from seatrial.slo.means import mean_bounds
from seatrial.slo.sequential import SequentialTest
from seatrial.slo.series import Count
from tests.slo.simulations import (
    TIMES,
    course_of,
    ever_called_less,
    ever_called_more,
    ever_wrong_in_windows,
    fixed_size,
    kept_by,
    kept_by_clusters,
    kept_in_simulation,
    students_bounds,
)

PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "slo-statistics.md"
CONFIDENCE = 0.95
_LIMIT = 0.05
_ONCE = partial(binomial_bounds, confidence=CONFIDENCE)
_ALWAYS = partial(anytime_binomial_bounds, confidence=CONFIDENCE)


def shares() -> Iterable[Sequence[str]]:
    """Bounds for a share at one look, exactly."""
    yield "runs", "Clopper-Pearson: lowest", "mean", "Wilson: lowest", "mean"
    for runs in (10, 30, 100):
        cells = [str(runs)]
        for bounds in (_ONCE, partial(wilson_bounds, confidence=CONFIDENCE)):
            found = [bounds(bad, runs) for bad in range(runs + 1)]
            kept = [kept_by(found, thousandths / 1000).upper for thousandths in range(1, 1000)]
            cells += [_percent(min(kept)), _percent(sum(kept) / len(kept))]
        yield cells


def looks() -> Iterable[Sequence[str]]:
    """What is said wrongly of a limit of 5 % bad runs at any of 1,000 looks: exactly, of a window by simulation."""
    yield "bad runs in truth", "said of it", "all runs", "all runs, anytime", "the last 200", "the last 200, anytime"
    for share in (0.02, 0.04, _LIMIT, 0.07):
        windows = [
            ever_wrong_in_windows(each, share, window=200, rounds=1000, limit=_LIMIT, repeats=300)
            for each in (_ONCE, _ALWAYS)
        ]
        if share <= _LIMIT:
            found = [ever_called_more(each, share, looks=1000, limit=_LIMIT)[-1] for each in (_ONCE, _ALWAYS)]
            yield _percent(share), "violated", *map(_percent, (*found, *(each.lower for each in windows)))
        if share >= _LIMIT:
            found = [ever_called_less(each, share, looks=1000, limit=_LIMIT)[-1] for each in (_ONCE, _ALWAYS)]
            yield _percent(share), "met", *map(_percent, (*found, *(each.upper for each in windows)))


def found_after() -> Iterable[Sequence[str]]:
    """After how many runs half of all series say what is true of a limit of 5 % bad runs; exactly."""
    yield "bad runs in truth", "said of it", "bounds for one look", "anytime"
    for share, word, ever in (
        (0.001, "met", ever_called_less),
        (0.01, "met", ever_called_less),
        (0.02, "met", ever_called_less),
        (0.1, "violated", ever_called_more),
        (0.2, "violated", ever_called_more),
        (0.5, "violated", ever_called_more),
    ):
        found = [ever(each, share, looks=300, limit=_LIMIT) for each in (_ONCE, _ALWAYS)]
        halves = (next(runs for runs, chance in enumerate(each) if chance >= 0.5) for each in found)
        yield _percent(share), word, *map(str, halves)


def sequential() -> Iterable[Sequence[str]]:
    """Wald's test, exactly."""
    yield "acceptable", "unacceptable", "wrongly rejected", "wrongly accepted", "runs on average", "runs, fixed"
    for acceptable, unacceptable in ((0.001, 0.01), (0.01, 0.1), (0.05, 0.1), (0.1, 0.3)):
        test = SequentialTest(acceptable, unacceptable, confidence=CONFIDENCE, power=0.95)
        _, rejected, fine = course_of(test, acceptable, longest=50_000)
        accepted, _, bad = course_of(test, unacceptable, longest=50_000)
        runs = f"{fine:.0f} and {bad:.0f}", f"{fixed_size(test)}"
        yield _percent(acceptable), _percent(unacceptable), _percent(rejected), _percent(accepted), *runs


def means(repeats: int = 2000) -> Iterable[Sequence[str]]:
    """Bounds for a mean, by simulation."""
    yield "times", "runs", "Student's lower", "upper", "ours: lower", "upper"
    for name, times in TIMES.items():
        for values in (10, 20, 50, 200):
            cells = [name, str(values)]
            for bounds in (students_bounds, mean_bounds):
                kept = kept_in_simulation(
                    partial(bounds, confidence=CONFIDENCE), times.draw, times.mean, values=values, repeats=repeats
                )
                cells += [_percent(kept.lower), _percent(kept.upper)]
            yield cells


def clusters(repeats: int = 600) -> Iterable[Sequence[str]]:
    """Bounds for a share of samples of which those of a run resemble each other, by simulation."""
    heads = "as if independent: lower", "upper", "ours: lower", "upper"
    yield "samples of a run", "bad", "correlation", "runs", *heads
    for sizes in ((50,), (5, 20, 50, 200), (1, 1, 1, 1, 50)):
        for bad_share, correlation, runs in product((0.1, 0.01), (0.001, 0.05, 0.3), (10, 40)):
            if len(sizes) > 1 and (correlation < 0.01 or bad_share < 0.1):
                continue
            cells = [", ".join(map(str, sizes)), _percent(bad_share), f"{correlation:g}", str(runs)]
            for bounds in (_as_if_independent, partial(ratio_bounds, confidence=CONFIDENCE)):
                kept = kept_by_clusters(
                    bounds, runs=runs, samples=sizes, bad_share=bad_share, correlation=correlation, repeats=repeats
                )
                cells += [_percent(kept.lower), _percent(kept.upper)]
            yield cells


TABLES: dict[str, Callable[[], Iterable[Sequence[str]]]] = {
    "shares": shares,
    "looks": looks,
    "found-after": found_after,
    "sequential": sequential,
    "means": means,
    "clusters": clusters,
}
# What each row has to keep. Nothing is right of times of which one in ten is ten times as slow, where so few runs often
# have none of those.
_PROMISES: dict[str, Callable[[Sequence[str]], bool]] = {
    "sequential": lambda row: max(_number(row[2]), _number(row[3])) <= 5,
    "looks": lambda row: _number(row[3]) <= 5,
    "found-after": lambda row: int(row[3]) <= 6 * int(row[2]),
    "shares": lambda row: _number(row[1]) >= 95,
    "means": lambda row: min(_number(row[4]), _number(row[5])) >= 90 or row[0] == "one in ten 10 times as slow",
    "clusters": lambda row: min(_number(row[6]), _number(row[7])) >= (91 if row[0] == "50" else 88),
}


def table_of(rows: Sequence[Sequence[str]]) -> str:
    """Rows as a table in Markdown."""
    head, *body = ("| " + " | ".join(row) + " |" for row in rows)
    return "\n".join([head, "|---" * len(rows[0]) + "|", *body])


def written(page: str, name: str, table: str) -> str:
    """The page with a table between its marks."""
    marks = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    return re.sub(f"(?<={marks[0]}\n).*?(?={marks[1]})", lambda _: f"{table}\n", page, flags=re.DOTALL)


def _as_if_independent(counts: Sequence[Count]) -> Bounds:
    good = sum(each.good for each in counts)
    return binomial_bounds(good, good + sum(each.bad for each in counts), confidence=CONFIDENCE)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 0.0005 else f"{100 * share:.2g} %"


def _number(cell: str) -> float:
    return float(cell.removesuffix(" %"))


def main(*arguments: str) -> int:
    tables: dict[str, str] = {}
    broken: list[str] = []
    for name, make in TABLES.items():
        rows = [list(row) for row in make()]
        broken += [f"{name}: {' '.join(row)}" for row in rows[1:] if not _PROMISES[name](row)]
        tables[name] = table_of(rows)
        print(f"\n{name}\n\n{tables[name]}", flush=True)
    if "--write" in arguments:
        page = PAGE.read_text()
        for name, table in tables.items():
            page = written(page, name, table)
        PAGE.write_text(page)
    print("\n".join(["", *(f"promise not kept: {each}" for each in broken)]))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
